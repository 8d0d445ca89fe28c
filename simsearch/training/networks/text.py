"""Text networks, from token ids (n, length), padded with 0, to unit embeddings."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from simsearch.training.networks.specification import TextSpec

NEGLIGIBLE = -1e9
"""Added to the attention paid to padding; minus infinity would give NaN in a row of padding alone."""


def real(ids: Tensor) -> Tensor:
    """1.0 where there is a token, 0.0 at padding; shape (n, length, 1)."""
    return (ids != 0).unsqueeze(2).to(torch.float32)


def masked_mean(states: Tensor, mask: Tensor) -> Tensor:
    """The mean over the tokens of each text, zero for a text of padding alone."""
    return (states * mask).sum(dim=1) / mask.sum(dim=1).clamp_min(1.0)


class BagOfTokens(nn.Module):
    """The sum of a vector for each token, in any order: static embeddings.

    How much a token counts is the length of its vector, so that the mean, a weighted mean and the sum are one after
    normalizing. A linear layer follows where `width` is not `dim`.
    """

    def __init__(self, spec: TextSpec) -> None:
        super().__init__()
        width = spec.width or spec.dim
        self.table = nn.Embedding(spec.vocabulary, width, padding_idx=0)
        self.dropout = nn.Dropout(spec.dropout)
        self.project = nn.Identity() if width == spec.dim else nn.Linear(width, spec.dim, bias=False)

    def forward(self, ids: Tensor) -> Tensor:
        projected: Tensor = self.project(self.dropout(self.table(ids)).sum(dim=1))
        return projected


class Recurrent(nn.Module):
    """Gated recurrent units (Cho et al. 2014) read a text from its beginning; the mean of their states is projected.

    Padding stands at the end, so it changes no state that counts.
    """

    def __init__(self, spec: TextSpec) -> None:
        super().__init__()
        width = spec.width or spec.dim
        self.table = nn.Embedding(spec.vocabulary, width, padding_idx=0)
        self.dropout = nn.Dropout(spec.dropout)
        self.units = nn.GRU(width, width, spec.layers, batch_first=True)
        self.project = nn.Linear(width, spec.dim)

    def forward(self, ids: Tensor) -> Tensor:
        states, _ = self.units(self.dropout(self.table(ids)))
        projected: Tensor = self.project(masked_mean(states, real(ids)))
        return projected


class Transformer(nn.Module):
    """A few layers of attention (Vaswani et al. 2017), normalized before each (Xiong et al. 2020); the mean of the
    last is projected. Positions are learned, so a text has at most `max_tokens` tokens."""

    def __init__(self, spec: TextSpec) -> None:
        super().__init__()
        width = spec.width or spec.dim
        self.table = nn.Embedding(spec.vocabulary, width, padding_idx=0)
        self.positions = Positions(spec.max_tokens, width)
        self.dropout = nn.Dropout(spec.dropout)
        self.blocks = nn.ModuleList(AttentionBlock(width, spec.heads, spec.dropout) for _ in range(spec.layers))
        self.norm = nn.LayerNorm(width)
        self.project = nn.Linear(width, spec.dim)

    def forward(self, ids: Tensor) -> Tensor:
        mask = real(ids)
        states = self.dropout(self.positions(self.table(ids)))
        ignored = (1.0 - mask).transpose(1, 2).unsqueeze(1) * NEGLIGIBLE
        for block in self.blocks:
            states = block(states, ignored)
        projected: Tensor = self.project(masked_mean(self.norm(states), mask))
        return projected


class Positions(nn.Module):
    """Adds a learned vector for each place in a text."""

    def __init__(self, max_tokens: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(max_tokens, width) * 0.02)

    def forward(self, states: Tensor) -> Tensor:
        return states + self.weight[: states.shape[1]]


class AttentionBlock(nn.Module):
    """Self-attention, then two dense layers, each with a residual connection."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mix, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.dense = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor, ignored: Tensor) -> Tensor:
        """`ignored` (n, 1, 1, length) is added to the attention logits."""
        n, length, width = states.shape
        parts = self.mix(self.before(states)).view(n, length, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4).unbind(0)
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=ignored)
        states = states + self.dropout(self.out(attended.transpose(1, 2).reshape(n, length, width)))
        summed: Tensor = states + self.dropout(self.dense(self.between(states)))
        return summed
