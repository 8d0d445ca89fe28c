"""The head of a network: a linear layer, or a blend of a fixed linear map and a trained half."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from simsearch.training.networks.encoder import unit_rows
from simsearch.training.networks.specification import ModelSpec


class BlendedHead(nn.Module):
    """A head of two halves: a linear map in closed form, and a trained half.

    The cosine of two embeddings is the weighted mean of the cosines of the halves, by `set_linear_weight`.
    """

    def __init__(self, linear: nn.Linear, learned: nn.Sequential) -> None:
        super().__init__()
        self.linear = linear.requires_grad_(False)
        self.learned = learned
        last = learned[-1]
        assert isinstance(last, nn.Linear)
        self._lengths = torch.tensor([linear.out_features, last.out_features])
        self.register_buffer("scale", torch.ones(int(self._lengths.sum())))

    def set_linear_weight(self, kept: float) -> None:
        """Sets the weight of the linear half, from 0 to 1; the other half has the rest."""
        self.scale = torch.tensor([kept, 1.0 - kept]).sqrt().repeat_interleave(self._lengths)

    def forward(self, features: Tensor) -> Tensor:
        halves = (unit_rows(part(features)) for part in (self.linear, self.learned))
        return torch.cat(tuple(halves), dim=1) * self.get_buffer("scale")


def build_head(spec: ModelSpec) -> nn.Module | None:
    """The head of a network with random weights; None without a head."""
    if not spec.head:
        return None
    if not spec.features:
        return nn.Linear(spec.dim, spec.dim, bias=False)
    if not spec.hidden:
        return nn.Linear(spec.features, spec.dim)
    return BlendedHead(nn.Linear(spec.features, spec.halves[0]), learned_half(spec))


def learned_half(spec: ModelSpec) -> nn.Sequential:
    """The trained half of a BlendedHead, with random weights."""
    return nn.Sequential(
        nn.Linear(spec.features, spec.hidden),
        nn.ReLU(),
        nn.Dropout(spec.dropout),
        nn.Linear(spec.hidden, spec.halves[1]),
    )
