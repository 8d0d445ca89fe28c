"""A memory of past batches (Wang et al. 2020, cross-batch memory): embeddings change slowly, so those of recent batches
still serve to compare with, at no cost of encoding."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from simsearch.errors import UsageError

if TYPE_CHECKING:
    from simsearch.training.losses.mining import Memory

NOTHING = -1
"""The label of a place that has not been filled."""


class CrossBatchMemory(nn.Module):
    """The last `size` embeddings with their labels, without gradient; the oldest go first.

    All of it is in buffers, so a checkpoint keeps it. Labels must mean the same in every batch: for data without
    labels they are the numbers of the items, not places in the batch.
    """

    vectors: Tensor
    labels: Tensor
    seen: Tensor

    def __init__(self, size: int, dim: int) -> None:
        super().__init__()
        if size < 1:
            raise UsageError(f"A memory of past batches needs a size of at least 1, not {size}")
        self.register_buffer("vectors", torch.zeros(size, dim))
        self.register_buffer("labels", torch.full((size,), NOTHING, dtype=torch.int64))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def recall(self) -> Memory | None:
        """What is remembered, the newest not in any order; None when there is nothing yet."""
        if not int(self.seen):
            return None
        filled = self.labels != NOTHING
        return self.vectors[filled], self.labels[filled]

    @torch.no_grad()
    def remember(self, embeddings: Tensor, labels: Tensor) -> None:
        """Puts a batch in the place of the oldest; of one larger than the memory the last part stays."""
        size = len(self.labels)
        begin = int(self.seen)
        kept = torch.arange(max(0, len(labels) - size), len(labels), device=labels.device)
        places = (begin + kept) % size
        self.vectors[places] = embeddings[kept].to(self.vectors)
        self.labels[places] = labels[kept]
        self.seen += len(labels)
