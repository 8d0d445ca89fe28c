"""Wrappers of library models as networks with one input, pixels or token ids, and normalized embeddings as output."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

if TYPE_CHECKING:
    from simsearch.encoders.converting.loading import VisionTower
    from simsearch.encoders.converting.processors import Pixels

NORM_FLOOR = 1e-6
"""Lower bound of the norm that outputs are divided by, so that an all-zero output stays zero instead of NaN."""


class Unit(nn.Module):
    """Normalized embeddings of the inputs of `trunk`."""

    def __init__(self, trunk: nn.Module) -> None:
        super().__init__()
        self.trunk = trunk

    def forward(self, inputs: Tensor) -> Tensor:
        return F.normalize(self.trunk(inputs), dim=1, eps=NORM_FLOOR)


class Pictures(nn.Module):
    """Features (n, dim) of uint8 pixels (n, height, width, 3)."""

    def __init__(self, tower: VisionTower, pixels: Pixels) -> None:
        super().__init__()
        self.tower = tower
        self.pixels = pixels

    def forward(self, pixels: Tensor) -> Tensor:
        features: Tensor = self.tower(self.pixels.normalized(pixels))
        return features


class Words(nn.Module):
    """Features (n, dim), in the space of the images, of token ids (n, length) padded with `padding`.

    In the model's input, padding is replaced by `filler`, with an attention mask if it is `masked`.
    """

    def __init__(self, model: nn.Module, *, padding: int, filler: int, masked: bool) -> None:
        super().__init__()
        self.model = model
        self.padding, self.filler, self.masked = padding, filler, masked

    def forward(self, ids: Tensor) -> Tensor:
        given = {"attention_mask": (ids != self.padding).to(torch.int64)} if self.masked else {}
        filled = torch.where(ids == self.padding, self.filler, ids)
        features: Tensor = self.model.get_text_features(input_ids=filled, **given).pooler_output  # type: ignore[operator]
        return features


class SentenceTrunk(nn.Module):
    """Features (n, dim) of token ids (n, length) int64 padded with `padding`, which is replaced by `filler` in the
    model's input."""

    def __init__(self, reader: nn.Module, modules: list[nn.Module], *, padding: int, filler: int) -> None:
        super().__init__()
        self.reader = reader
        # Pooling returns a dictionary, which the table of layers cannot show: kept out of the children.
        self.after = tuple(modules)
        self.learned = nn.ModuleList(module for module in modules if any(True for _ in module.parameters()))
        self.padding, self.filler = padding, filler

    def forward(self, ids: Tensor) -> Tensor:
        mask = (ids != self.padding).to(torch.int64)
        found = self.reader(input_ids=torch.where(ids == self.padding, self.filler, ids), attention_mask=mask)
        features = {"token_embeddings": found.last_hidden_state, "attention_mask": mask}
        for module in self.after:
            features = module(features)
        embedding: Tensor = features["sentence_embedding"]
        return embedding


class StaticTrunk(nn.Module):
    """Features (n, dim): the sum of the token embeddings; `padding` is the row after the last."""

    def __init__(self, table: Tensor, modules: list[nn.Module]) -> None:
        super().__init__()
        self.table = nn.Embedding(len(table) + 1, table.shape[1])
        self.table.weight.data.copy_(torch.cat([table, torch.zeros_like(table[:1])]))
        self.after = tuple(modules)
        self.learned = nn.ModuleList(module for module in modules if any(True for _ in module.parameters()))

    def forward(self, ids: Tensor) -> Tensor:
        count = (ids != self.table.num_embeddings - 1).sum(dim=1, keepdim=True)
        features = {"sentence_embedding": self.table(ids).sum(dim=1) / count}
        for module in self.after:
            features = module(features)
        embedding: Tensor = features["sentence_embedding"]
        return embedding
