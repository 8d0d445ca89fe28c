"""From a trained network to an encoder folder."""

from __future__ import annotations

import io
import itertools
import json
import logging
import warnings
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from simsearch.encoders.folder import (
    ONNX_NAME,
    TOKENIZER_NAME,
    WEIGHTS_NAME,
    BaseRecord,
    EncoderConfig,
    Layer,
    write_config,
)
from simsearch.encoders.network import load_session
from simsearch.errors import EncoderError, MissingExtraError
from simsearch.training.models import ModelSpec, SiameseEncoder, unit_rows
from simsearch.training.storing import with_eight_bit_tables
from simsearch.training.text_models import TextSpec

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray

    from simsearch.types import JSONValue

    Batch: TypeAlias = NDArray[np.uint8] | NDArray[np.int64] | NDArray[np.float32]
    """Pixels, ids of tokens, or the features that a head takes."""

PARITY = 1e-4
"""The largest difference between torch's and ONNX Runtime's embeddings that export accepts."""
SMALL = 256
"""Tensors with at most this many numbers, and single rows, keep full precision: they weigh nothing."""
ONE = 1e-6
"""A scale that differs from one by less than this is one."""


def export_encoder(
    encoder: SiameseEncoder,
    spec: ModelSpec | TextSpec,
    folder: Path,
    *,
    name: str,
    fit: str = "",
    tokenizer: bytes = b"",
    sample: Batch,
    half: bool,
    eight: bool = False,
    base: BaseRecord | None = None,
    training: Mapping[str, JSONValue],
    figures: Mapping[str, JSONValue],
) -> EncoderConfig:
    """Writes encoder.onnx, weights.safetensors, encoder.json and for texts tokenizer.json into `folder`, which exists.

    A network that gives features to heads, and a head on the encoder `base`, have their weights in encoder.onnx alone,
    where training reads them. With `half`
    the weights are rounded to 16 bits in both files, with `eight` tables of embeddings to 8, and computed with in 32.
    `sample` is what the network takes, pixels of shape (n, height, width, channels) or ids (n, length), on which torch
    and ONNX Runtime must agree to 1e-4, else EncoderError.
    """
    try:
        from safetensors.torch import save
    except ImportError:
        raise MissingExtraError("Exporting an encoder", "train") from None
    encoder = encoder.eval()
    if eight:
        with_eight_bit_tables(encoder)
    if half:
        round_weights(encoder)
    once = isinstance(spec, ModelSpec) and bool(spec.features)
    features = once and base is None
    model = to_onnx(encoder, sample[:2], half=half, longest=getattr(spec, "max_tokens", None), features=features)
    parity = check_parity(encoder, model, sample)
    (folder / ONNX_NAME).write_bytes(model)
    if not once:
        weights = {key: _stored(tensor, half).contiguous() for key, tensor in encoder.state_dict().items()}
        # Not save_file, whose files only their owner can read.
        (folder / WEIGHTS_NAME).write_bytes(save(weights))
    config = EncoderConfig(
        name=name, modality="image", dim=spec.dim, model=json.loads(json.dumps(asdict(spec))) | {"half": half},
        layers=layer_table(encoder, sample[:2]), training=training, figures={**figures, "onnx_parity": parity},
        base=base,
    )  # fmt: skip
    if isinstance(spec, TextSpec):
        (folder / TOKENIZER_NAME).write_bytes(tokenizer)
    config = _with_inputs(config, spec, fit).sealed(folder)
    write_config(folder, config)
    return config


def _with_inputs(config: EncoderConfig, spec: ModelSpec | TextSpec, fit: str) -> EncoderConfig:
    """The description with what goes into the network."""
    if isinstance(spec, TextSpec):
        return replace(
            config, modality="text", max_tokens=spec.max_tokens, vocabulary=spec.vocabulary, codes=spec.codes
        )  # fmt: skip
    return replace(config, width=spec.width, height=spec.height, channels=spec.channels, fit=fit)


def round_weights(encoder: SiameseEncoder) -> None:
    """Rounds the large weights to what 16 bits can hold; doing it again changes nothing."""
    _absorb_scales(encoder)
    encoder.load_state_dict({key: _rounded(tensor) for key, tensor in encoder.state_dict().items()})


def _absorb_scales(encoder: SiameseEncoder) -> None:
    """Moves the scale of every batch normalisation into the layer before it; the function stays the same.

    The exporter does this too. Weights rounded to 16 bits before would have to be rounded again after, and differ. The
    variance moves along, and the weight is its root, so that the network can be trained on.
    """
    for block in encoder.modules():
        layers = list(block.children()) if isinstance(block, nn.Sequential) else []
        for layer, norm in itertools.pairwise(layers):
            if isinstance(layer, nn.Conv2d | nn.Linear) and isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d):
                assert norm.running_var is not None and norm.running_mean is not None and layer.bias is None
                scale = (norm.running_var + norm.eps).rsqrt()
                if norm.affine:
                    scale = scale * norm.weight.detach()
                # A scale that is one but for the last bit comes from doing this before.
                scale = torch.where((scale - 1.0).abs() < ONE, torch.ones_like(scale), scale)
                layer.weight.data.mul_(scale.view(-1, *[1] * (layer.weight.dim() - 1)))
                norm.running_mean.mul_(scale)
                if norm.affine:
                    norm.running_var.mul_(scale.square())
                    norm.weight.data.copy_((norm.running_var + norm.eps).sqrt())
                else:
                    norm.running_var.fill_(1.0 - norm.eps)


def _large(tensor: Tensor) -> bool:
    return tensor.is_floating_point() and tensor.numel() > SMALL and tensor.dim() > 1


def _rounded(tensor: Tensor) -> Tensor:
    return tensor.half().float() if _large(tensor) else tensor


def _stored(tensor: Tensor, half: bool) -> Tensor:
    return tensor.half() if half and _large(tensor) else tensor


class WithFeatures(nn.Module):
    """An encoder that also gives what its head takes."""

    def __init__(self, encoder: SiameseEncoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        features = self.encoder.trunk(self.encoder.standardized(self.encoder.prepare(inputs)))
        return unit_rows(self.encoder.head(features)), features


def to_onnx(
    encoder: SiameseEncoder,
    example: Batch,
    *,
    half: bool = False,
    longest: int | None = None,
    features: bool = False,
) -> bytes:
    """The network as one ONNX file to `embeddings`, without traces of its making, for any batch.

    With `features` it also gives what its head takes.

    It takes `pixels` (uint8) or, where `example` is token ids, `ids` (int64) of any length up to `longest`.
    """
    try:
        import onnx
        import onnxscript  # noqa: F401  (torch's exporter needs it and says so less clearly)
    except ImportError:
        raise MissingExtraError("Exporting an encoder", "train") from None
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    logging.getLogger("onnxscript").setLevel(logging.ERROR)
    shape = {0: torch.export.Dim("batch", min=1)}
    if _name(example) == "ids":
        shape[1] = torch.export.Dim("length", min=1, max=longest)
    quiet = redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO())
    with quiet[0], quiet[1], warnings.catch_warnings(), torch.no_grad():
        # The exporter uses parts of torch that torch itself calls outdated.
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            WithFeatures(encoder) if features else encoder, (torch.from_numpy(np.array(example)),), dynamo=True,
            external_data=False, verbose=False, input_names=[_name(example)],
            output_names=["embeddings", *(["features"] if features else [])], dynamic_shapes=(shape,),
        )  # fmt: skip
    assert program is not None
    model = program.model_proto
    _strip(model)
    if half:
        _halve(model)
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _name(inputs: Batch) -> str:
    """What the network calls its input."""
    return {"i": "ids", "u": "pixels", "f": "features"}[inputs.dtype.kind]


def _strip(model: onnx.ModelProto) -> None:
    """Takes out stack traces and documentation: they hold paths of the machine that exported."""
    model.doc_string = ""
    del model.metadata_props[:]
    graph = model.graph
    for part in (graph, *graph.node, *graph.value_info, *graph.initializer, *graph.input, *graph.output):
        part.doc_string = ""
        del part.metadata_props[:]


def _halve(model: onnx.ModelProto) -> None:
    """Stores large weights in 16 bits with a cast to 32 behind each; ONNX Runtime casts once, when it loads."""
    import onnx
    from onnx import helper, numpy_helper

    casts = []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if tensor.data_type != onnx.TensorProto.FLOAT or values.size <= SMALL or values.ndim < 2:
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=onnx.TensorProto.FLOAT))
    for cast in reversed(casts):
        model.graph.node.insert(0, cast)


def check_parity(encoder: SiameseEncoder, model: bytes, sample: Batch) -> float:
    """The largest difference of an embedding's component between torch and ONNX Runtime, on the sample.

    Raises EncoderError above 1e-4, or when anything is not finite.
    """
    session = load_session(model, "the exported model")
    with torch.inference_mode():
        expected = encoder(torch.from_numpy(np.array(sample))).numpy()
    found = session.run(None, {_name(sample): np.ascontiguousarray(sample)})[0]
    difference = float(np.abs(expected - found).max())
    if not difference <= PARITY:
        raise EncoderError(f"torch and ONNX Runtime differ by {difference:.3g}, more than {PARITY}: not exported")
    return difference


def layer_table(encoder: SiameseEncoder, example: Batch) -> tuple[Layer, ...]:
    """Every layer without children in the order in which it runs, with its output shape and its parameters.

    The shape is that of one picture, or of one token of a text.
    """
    rows: list[Layer] = []
    handles = []
    head = [(f"head.{name}".removesuffix("."), module) for name, module in encoder.head.named_modules()]
    for name, module in (*encoder.trunk.named_modules(), *head):
        if not any(True for _ in module.children()) and not isinstance(module, nn.Identity):
            handles.append(module.register_forward_hook(_recorder(name, rows, _name(example) == "ids")))
    with torch.inference_mode():
        output = encoder(torch.from_numpy(np.array(example)))
    for handle in handles:
        handle.remove()
    return (*rows, Layer("normalize", "L2", tuple(output.shape[1:]), 0))


def _recorder(
    name: str, rows: list[Layer], of_tokens: bool
) -> Callable[[nn.Module, object, Tensor | tuple[Tensor, ...]], None]:
    def record(module: nn.Module, _: object, output: Tensor | tuple[Tensor, ...]) -> None:
        # A recurrent layer gives its last state beside its outputs.
        shape = (output[0] if isinstance(output, tuple) else output).shape
        rows.append(Layer(name, type(module).__name__, tuple(shape[-1:] if of_tokens else shape[1:]), _numbers(module)))

    return record


def _numbers(module: nn.Module) -> int:
    """The parameters of a layer, also those stored as int8."""
    stored = [tensor for tensor in module.buffers() if tensor.dtype == torch.int8]
    return sum(tensor.numel() for tensor in (*module.parameters(), *stored))
