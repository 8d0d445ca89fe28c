"""Export of one torch network of a model to ONNX, compared with the network itself in 32 bits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import onnx
import torch
from torch import nn

from simsearch.encoders.converting.exporting import check_parity, input_name, round_large, to_onnx
from simsearch.encoders.converting.parity import check_cosine, lowest_cosine
from simsearch.encoders.converting.storing import to_eight_bits
from simsearch.encoders.folder import Layer
from simsearch.encoders.network import load_session

if TYPE_CHECKING:
    from simsearch.encoders.converting.exporting import Inputs
    from simsearch.types import JSONValue, Vectors


@dataclass(frozen=True, slots=True)
class Tower:
    """An exported network and its accuracy: `parity` is the largest absolute difference between torch, with weights
    rounded as stored, and ONNX Runtime; `cosine` the lowest cosine between an embedding and that with weights in 32
    bits. For 8 bits, `parity` is that before quantization."""

    content: bytes
    dim: int
    parity: float
    cosine: float
    layer: Layer


def tower(
    name: str,
    network: nn.Module,
    sample: Inputs,
    bits: int,
    *,
    kind: str,
    longest: int | None = None,
    fixed: bool = False,
) -> Tower:
    """The network, in evaluation mode, exported with weights in `bits`; with 16 its own weights are rounded too. `kind`
    is its class in the library.

    Raises EncoderError when torch and ONNX Runtime differ by more than 1e-4, or embeddings in 8 bits by more than the
    cosine 0.99 from those in 32.
    """
    folded = not any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in network.modules())
    with torch.inference_mode():
        wide = network(torch.from_numpy(np.array(sample))).numpy()
    if bits == 16:
        round_large(network)
    content = to_onnx(network, sample[:2], half=bits == 16, longest=longest, fixed=fixed, folded=folded)
    parity = check_parity(network, content, sample)
    model = onnx.load_model_from_string(content)
    numbers = sum(math.prod(tensor.dims) for tensor in model.graph.initializer)
    if bits == 8:
        to_eight_bits(model)
        content = model.SerializeToString(deterministic=True)
    cosine = check_cosine(lowest_cosine(wide, embedded(content, sample)), bits)
    return Tower(content, wide.shape[1], parity, cosine, Layer(name, kind, (wide.shape[1],), numbers))


def embedded(content: bytes, sample: Inputs) -> Vectors:
    """The embeddings of the sample."""
    found: Vectors = load_session(content, "the converted model").run(None, {input_name(sample): sample})[0]
    return found


def figures(towers: dict[str, Tower]) -> dict[str, JSONValue]:
    """The figures of the conversion in encoder.json."""
    return {
        "onnx_parity": max(each.parity for each in towers.values()),
        "lowest_cosine_to_32_bits": min(each.cosine for each in towers.values()),
    }
