"""Weights in fewer bits: tables of embeddings in 8, by rows."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from simsearch.training.networks.encoder import SiameseEncoder

STEPS = 127
FINEST = 2.0**-14
"""The smallest factor: 16 bits hold smaller numbers less exactly."""
ROWS, SCALE = "rows", "scale"


class EightBitTable(nn.Module):
    """A table of embeddings, each row as int8 times a scale of its own; for use, not for training."""

    def __init__(self, table: nn.Embedding) -> None:
        super().__init__()
        rows, scale = eight_bits(table.weight.detach())
        self.register_buffer(ROWS, rows)
        self.register_buffer(SCALE, scale)

    def forward(self, ids: Tensor) -> Tensor:
        return self.get_buffer(ROWS)[ids].to(torch.float32) * self.get_buffer(SCALE)[ids].unsqueeze(2)


def eight_bits(weights: Tensor) -> tuple[Tensor, Tensor]:
    """Each row as int8 in [-127, 127] and the factor (n,) that gives it back, to about half of the factor.

    A factor is the 127th part of the largest number of its row, at least 2^-14, and such that 16 bits hold it exactly.
    """
    scale = (weights.abs().amax(dim=1) / STEPS).clamp_min(FINEST).to(torch.float16).to(torch.float32)
    # A factor rounded down could ask for 128 steps.
    steps = (weights / scale[:, None]).round().clamp(-STEPS, STEPS)
    return steps.to(torch.int8), scale


def with_eight_bit_tables(encoder: SiameseEncoder) -> None:
    """Puts an EightBitTable in the place of every table of embeddings."""
    for module in list(encoder.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.Embedding):
                setattr(module, name, EightBitTable(child))


def unpacked(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Stored weights as a network in training has them: tables in 32 bits under their own name."""
    found = dict(weights)
    for key in [key for key, tensor in weights.items() if key.endswith(f".{ROWS}") and tensor.dtype == torch.int8]:
        table = key.removesuffix(f".{ROWS}")
        rows, scale = found.pop(key), found.pop(f"{table}.{SCALE}")
        found[f"{table}.weight"] = rows.to(torch.float32) * scale.to(torch.float32).unsqueeze(1)
    return found
