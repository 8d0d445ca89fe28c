"""Export of a trained network to an encoder folder."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from simsearch.encoders.converting.exporting import check_parity, input_name, large, round_large, to_onnx
from simsearch.encoders.folder import (
    ONNX_NAME,
    TOKENIZER_NAME,
    WEIGHTS_NAME,
    BaseRecord,
    EncoderConfig,
    Layer,
    write_config,
)
from simsearch.errors import MissingExtraError
from simsearch.training.networks.encoder import SiameseEncoder, unit_rows
from simsearch.training.networks.specification import ModelSpec, TextSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.types import JSONValue

    Batch: TypeAlias = NDArray[np.uint8] | NDArray[np.int64] | NDArray[np.float32]
    """Pixels, ids of tokens, or the features that a head takes."""

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
    base: BaseRecord | None = None,
    training: Mapping[str, JSONValue],
    figures: Mapping[str, JSONValue],
    curves: Mapping[str, JSONValue] | None = None,
) -> EncoderConfig:
    """Writes encoder.onnx, weights.safetensors, encoder.json and for texts tokenizer.json into `folder`, which exists.

    A network with features for heads, and a head on the encoder `base`, have their weights in encoder.onnx only, from
    which training reads them. With `half` the weights are rounded to 16 bits in both files, and computed with in 32.
    `sample` is what the network takes, pixels of shape (n, height, width, channels) or ids (n, length), on which torch
    and ONNX Runtime must agree to 1e-4, else EncoderError.
    """
    try:
        from safetensors.torch import save
    except ImportError:
        raise MissingExtraError("Exporting an encoder", "train") from None
    encoder = encoder.eval()
    if half:
        round_weights(encoder)
    once = isinstance(spec, ModelSpec) and bool(spec.features)
    if once and base is None:
        model = with_features(encoder, sample[:2], half=half)
    else:
        model = to_onnx(encoder, sample[:2], half=half, longest=getattr(spec, "max_tokens", None))
    parity = check_parity(encoder, model, sample)
    (folder / ONNX_NAME).write_bytes(model)
    if not once:
        weights = {key: _stored(tensor, half).contiguous() for key, tensor in encoder.state_dict().items()}
        # Not save_file, whose files only their owner can read.
        (folder / WEIGHTS_NAME).write_bytes(save(weights))
    config = EncoderConfig(
        name=name,
        modality="image",
        dim=spec.dim,
        model=json.loads(json.dumps(asdict(spec))) | {"half": half},
        layers=layer_table(encoder, sample[:2]),
        training=training,
        figures={**figures, "onnx_parity": parity},
        base=base,
        curves=curves or {},
    )
    if isinstance(spec, TextSpec):
        (folder / TOKENIZER_NAME).write_bytes(tokenizer)
    config = _with_inputs(config, spec, fit).sealed(folder)
    write_config(folder, config)
    return config


def _with_inputs(config: EncoderConfig, spec: ModelSpec | TextSpec, fit: str) -> EncoderConfig:
    """The configuration with the inputs of the network."""
    if isinstance(spec, TextSpec):
        return replace(
            config, modality="text", max_tokens=spec.max_tokens, vocabulary=spec.vocabulary, codes=spec.codes
        )
    return replace(config, width=spec.width, height=spec.height, channels=spec.channels, fit=fit)


def round_weights(encoder: SiameseEncoder) -> None:
    """Rounds the large weights to 16 bits; idempotent."""
    _absorb_scales(encoder)
    round_large(encoder)


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


def _stored(tensor: Tensor, half: bool) -> Tensor:
    return tensor.half() if half and large(tensor) else tensor


class WithFeatures(nn.Module):
    """An encoder that also returns the features that its head takes."""

    def __init__(self, encoder: SiameseEncoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        features = self.encoder.trunk(self.encoder.standardized(self.encoder.prepare(inputs)))
        return unit_rows(self.encoder.head(features)), features


def with_features(encoder: SiameseEncoder, example: Batch, *, half: bool = False) -> bytes:
    """The network as one ONNX file to `embeddings` and `features`, which its head takes."""
    return to_onnx(WithFeatures(encoder), example, half=half, outputs=("embeddings", "features"))


def layer_table(encoder: SiameseEncoder, example: Batch) -> tuple[Layer, ...]:
    """Every layer without children in the order in which it runs, with its output shape and its parameters.

    The shape is that of one picture, or of one token of a text.
    """
    rows: list[Layer] = []
    handles = []
    head = [(f"head.{name}".removesuffix("."), module) for name, module in encoder.head.named_modules()]
    for name, module in (*encoder.trunk.named_modules(), *head):
        if not any(True for _ in module.children()) and not isinstance(module, nn.Identity):
            handles.append(module.register_forward_hook(_recorder(name, rows, input_name(example) == "ids")))
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
