"""A vision transformer, for those who have a GPU and many pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from simsearch.errors import UsageError

if TYPE_CHECKING:
    from simsearch.training.models import ModelSpec


class TransformerBlock(nn.Module):
    """Attention and two dense layers, each beside a short cut and after a normalization (Dosovitskiy et al. 2021)."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.first = nn.LayerNorm(width)
        self.mix = nn.Linear(width, 3 * width)
        self.join = nn.Linear(width, width)
        self.second = nn.LayerNorm(width)
        self.dense = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width), nn.Dropout(dropout)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self._attended(self.first(tokens))
        dense: Tensor = self.dense(self.second(tokens))
        return tokens + dense

    def _attended(self, tokens: Tensor) -> Tensor:
        shape = (tokens.shape[0], tokens.shape[1], self.heads, -1)
        query, key, value = (part.reshape(shape).transpose(1, 2) for part in self.mix(tokens).chunk(3, dim=2))
        attended = F.scaled_dot_product_attention(query, key, value)
        joined: Tensor = self.join(attended.transpose(1, 2).flatten(2))
        return joined


class Patches(nn.Module):
    """Tokens (n, patches, width) of square patches, each with what tells its place."""

    def __init__(self, channels: int, side: int, count: int, width: int) -> None:
        super().__init__()
        self.cut = nn.Conv2d(channels, width, side, side)
        self.places = nn.Parameter(torch.randn(1, count, width) * 0.02)

    def forward(self, images: Tensor) -> Tensor:
        tokens: Tensor = self.cut(images).flatten(2).transpose(1, 2) + self.places
        return tokens


class MeanToken(nn.Module):
    """The mean of all tokens."""

    def forward(self, tokens: Tensor) -> Tensor:
        return tokens.mean(dim=1)


def vision_transformer(spec: ModelSpec) -> nn.Module:
    """Patches, `blocks[0]` transformer blocks of width `widths[0]`, their mean and a linear map to `dim` numbers.

    Raises UsageError when patches do not fill the picture or heads do not divide the width.
    """
    if len(spec.widths) != 1 or len(spec.blocks) != 1:
        raise UsageError(f"a vision transformer has one width and one depth, not {spec.widths} and {spec.blocks}")
    width = spec.widths[0]
    if spec.width % spec.patch or spec.height % spec.patch:
        raise UsageError(f"patches of {spec.patch} pixels do not fill {spec.width}x{spec.height}")
    if width % spec.heads:
        raise UsageError(f"{spec.heads} heads do not divide a width of {width}")
    count = (spec.width // spec.patch) * (spec.height // spec.patch)
    return nn.Sequential(
        Patches(spec.channels, spec.patch, count, width),
        *[TransformerBlock(width, spec.heads, spec.dropout) for _ in range(spec.blocks[0])],
        nn.LayerNorm(width), MeanToken(),
        nn.Linear(width, spec.dim, bias=False), nn.BatchNorm1d(spec.dim, affine=False),
    )  # fmt: skip
