"""The training weights in an encoder folder."""

from __future__ import annotations

import re

import torch
from torch import Tensor

from simsearch.encoders.converting.storing import initializers
from simsearch.training.export.quantization import unpacked

EXPORTERS = re.compile(r"val_\d+")
"""What torch's exporter calls its own constants."""


def of_safetensors(content: bytes) -> dict[str, Tensor]:
    """The weights in a safetensors file, in 32 bits, as a network in training has them. Raises ValueError for another
    file.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        stored = load(content)
    except SafetensorError as error:
        raise ValueError(f"not a safetensors file: {error}") from error
    return unpacked({name: _wide(tensor) for name, tensor in stored.items()})


def of_onnx(content: bytes) -> dict[str, Tensor]:
    """The weights of an exported network by their names in training, in 32 bits, as its graph computes with them.

    Raises ValueError for what is no ONNX file.
    """
    return {
        name.removeprefix("encoder."): _wide(torch.from_numpy(values.copy()))
        for name, values in initializers(content).items()
        if not EXPORTERS.fullmatch(name)
    }


def _wide(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor
