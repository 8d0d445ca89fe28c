"""Export of a torch network to one ONNX file, and the comparison of both."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from simsearch.encoders.converting.parity import agreed
from simsearch.encoders.converting.storing import MOST_BYTES, SMALL, halve
from simsearch.encoders.network import load_session
from simsearch.errors import EncoderError, MissingExtraError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Inputs = NDArray[np.uint8] | NDArray[np.int64] | NDArray[np.float32]
    """Pixels (n, height, width, channels), token ids (n, length), or features (n, d)."""


def large(tensor: Tensor) -> bool:
    """Whether a tensor is stored in 16 bits, when 16-bit weights are requested."""
    return tensor.is_floating_point() and tensor.numel() > SMALL and tensor.dim() > 1


def round_large(network: nn.Module) -> None:
    """Rounds the large weights to 16-bit precision; idempotent."""
    rounded = {key: tensor.half().float() if large(tensor) else tensor for key, tensor in network.state_dict().items()}
    network.load_state_dict(rounded)


def to_onnx(
    network: nn.Module,
    example: Inputs,
    *,
    half: bool = False,
    longest: int | None = None,
    fixed: bool = False,
    folded: bool = True,
    outputs: Sequence[str] = ("embeddings",),
) -> bytes:
    """The network as one ONNX file with these `outputs`, without debug information, for any batch size.

    The input is `pixels` (uint8), `features` (float32) for a head, or, if `example` is token ids, `ids` (int64) of any
    length up to `longest`, or with `fixed` of that of the example only. With `folded`, batch normalization is folded
    into the layers before it. Raises EncoderError for a network that is too large or that cannot be exported.
    """
    try:
        import onnx
        import onnxscript  # noqa: F401  (torch's exporter needs it; its own message is less clear)
    except ImportError:
        raise MissingExtraError("Exporting an encoder", "train") from None
    size = sum(tensor.numel() * tensor.element_size() for tensor in network.parameters())
    if size > MOST_BYTES:
        raise EncoderError(
            f"the network has {size / 1e9:.1f} GB of weights, and one ONNX file holds {MOST_BYTES / 1e9:.0f} GB at "
            "most: choose a smaller model"
        )
    shape = {0: torch.export.Dim("batch", min=1)}
    if input_name(example) == "ids" and not fixed:
        shape[1] = torch.export.Dim("length", min=1, max=longest)
    model = _exported(network, example, shape, folded, outputs)
    _strip(model)
    if half:
        halve(model)
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _exported(network: nn.Module, example: Inputs, shape: dict[int, Any], folded: bool, outputs: Sequence[str]) -> Any:
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    logging.getLogger("onnxscript").setLevel(logging.ERROR)
    quiet = redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO())
    with quiet[0], quiet[1], warnings.catch_warnings(), torch.no_grad():
        # The exporter uses deprecated parts of torch.
        warnings.simplefilter("ignore")
        try:
            program = torch.onnx.export(
                network,
                (torch.from_numpy(np.array(example)),),
                dynamo=True,
                external_data=False,
                verbose=False,
                input_names=[input_name(example)],
                output_names=list(outputs),
                dynamic_shapes=(shape,),
                optimize=folded,
            )
        except torch.onnx.errors.OnnxExporterError as error:
            reason = str(error.__cause__ or error).strip().splitlines()[0]
            raise EncoderError(f"torch cannot export this network to ONNX: {reason:.200}") from error
    assert program is not None
    return program.model_proto


def input_name(inputs: Inputs) -> str:
    """The name of the network's input."""
    return {"i": "ids", "u": "pixels", "f": "features"}[inputs.dtype.kind]


def _strip(model: Any) -> None:
    """Removes stack traces and documentation, which contain local paths."""
    model.doc_string = ""
    del model.metadata_props[:]
    graph = model.graph
    for part in (graph, *graph.node, *graph.value_info, *graph.initializer, *graph.input, *graph.output):
        part.doc_string = ""
        del part.metadata_props[:]


def check_parity(network: nn.Module, model: bytes, sample: Inputs) -> float:
    """The largest absolute difference between the embeddings by torch and by ONNX Runtime, on the sample.

    Raises EncoderError above 1e-4, or when anything is not finite.
    """
    session = load_session(model, "the exported model")
    with torch.inference_mode():
        expected = network(torch.from_numpy(np.array(sample))).numpy()
    found = session.run(None, {input_name(sample): np.ascontiguousarray(sample)})[0]
    return agreed(expected, found, "torch and ONNX Runtime", "exported")
