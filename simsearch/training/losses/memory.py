"""Cross-batch memory (Wang et al. 2020): embeddings change slowly, so those of recent batches are further positives and
negatives, without the cost of encoding them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from simsearch.errors import UsageError

if TYPE_CHECKING:
    from simsearch.training.losses.mining import Memory

NOTHING = -1
"""The label of an empty slot."""


class CrossBatchMemory(nn.Module):
    """The last `size` embeddings with their labels, without gradient: a ring buffer.

    It is stored in checkpoints. Labels must be consistent between batches: for data without labels they are the numbers
    of the items, not positions in the batch.
    """

    vectors: Tensor
    labels: Tensor
    seen: Tensor

    def __init__(self, size: int, dim: int) -> None:
        super().__init__()
        if size < 1:
            raise UsageError(f"memory must be at least 1, not {size}")
        self.register_buffer("vectors", torch.zeros(size, dim))
        self.register_buffer("labels", torch.full((size,), NOTHING, dtype=torch.int64))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def recall(self) -> Memory | None:
        """The stored embeddings and labels, in no particular order; None if empty."""
        if not int(self.seen):
            return None
        filled = self.labels != NOTHING
        return self.vectors[filled], self.labels[filled]

    @torch.no_grad()
    def remember(self, embeddings: Tensor, labels: Tensor) -> None:
        """Replaces the oldest entries by a batch; of a batch larger than the memory the last part is stored."""
        size = len(self.labels)
        begin = int(self.seen)
        kept = torch.arange(max(0, len(labels) - size), len(labels), device=labels.device)
        places = (begin + kept) % size
        self.vectors[places] = embeddings[kept].to(self.vectors)
        self.labels[places] = labels[kept]
        self.seen += len(labels)
