"""One network of a model, from torch to the bytes of an ONNX file, measured against itself in 32 bits."""

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
    """A network that is stored, and how near it is to the library's: `parity` is the largest difference of a number
    between torch, with its weights rounded as they are stored, and ONNX Runtime; `cosine` the lowest between an
    embedding and the one that 32 bits give. In 8 bits `parity` is that of the network before it is rounded."""

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
    """The network, in evaluation mode, in so many bits; with 16 its own weights are rounded too. `kind` is what its
    library calls it.

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
    """The embeddings of what the network takes."""
    found: Vectors = load_session(content, "the converted model").run(None, {input_name(sample): sample})[0]
    return found


def figures(towers: dict[str, Tower]) -> dict[str, JSONValue]:
    """What encoder.json tells of the conversion."""
    return {
        "onnx_parity": max(each.parity for each in towers.values()),
        "lowest_cosine_to_32_bits": min(each.cosine for each in towers.values()),
    }
