"""A loss as a module, for each kind of data that it takes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from simsearch.training.losses.functional import batch_pairs
from simsearch.training.losses.mining import MINING, Memory, candidates
from simsearch.training.losses.table import LossEntry, require_kind, require_memory


class Loss(nn.Module):
    """A loss with its settings. For a kind of data that it does not take it raises UsageError naming those that do.

    It computes in at least 32 bits, also under mixed precision, and depends only on its arguments, its parameters and
    torch's global generator.
    """

    def __init__(
        self,
        entry: LossEntry,
        *,
        of_labels: Callable[..., Tensor] | None = None,
        of_scores: Callable[[Tensor, Tensor], Tensor] | None = None,
        of_triplets: Callable[[Tensor, Tensor, Tensor], Tensor] | None = None,
        miner: str | None = None,
        positive_share: float = 0.0,
    ) -> None:
        super().__init__()
        self.entry = entry
        self.label_formula = of_labels
        self.score_formula = of_scores
        self.triplet_formula = of_triplets
        self.miner = miner
        self.positive_share = positive_share

    def of_labels(self, embeddings: Tensor, labels: Tensor, memory: Memory | None = None) -> Tensor:
        """The loss of a batch of classes, or of data without labels: there the views of one item share a label.

        `memory` holds embeddings of past batches and their labels (`memory.CrossBatchMemory.recall`).
        """
        require_kind(self.entry.name, "classes")
        if memory is not None:
            require_memory(self.entry.name)
        with _exact(embeddings):
            if self.label_formula is None:
                return self._of_batch_pairs(_wide(embeddings), labels, memory)
            if memory is None:
                return self.label_formula(_wide(embeddings), labels)
            return self.label_formula(_wide(embeddings), labels, memory=memory)

    def of_pairs(self, scores: Tensor, same: Tensor) -> Tensor:
        """The loss of pairs with these cosines, `same` 1 for similar ones and 0 for others."""
        require_kind(self.entry.name, "pairs")
        return self._of_scores(scores, same)

    def of_graded(self, scores: Tensor, grades: Tensor) -> Tensor:
        """The loss of pairs with these cosines and grades of 0 to 1."""
        require_kind(self.entry.name, "graded")
        return self._of_scores(scores, grades)

    def of_triplets(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """The loss of the triplets whose embeddings are the rows of the three."""
        require_kind(self.entry.name, "triplets")
        assert self.triplet_formula is not None
        with _exact(anchor):
            return self.triplet_formula(_wide(anchor), _wide(positive), _wide(negative))

    def _of_scores(self, scores: Tensor, truth: Tensor) -> Tensor:
        assert self.score_formula is not None
        with _exact(scores):
            return self.score_formula(_wide(scores), truth.to(_wide(scores)))

    def _of_batch_pairs(self, embeddings: Tensor, labels: Tensor, memory: Memory | None) -> Tensor:
        """The loss of the pairs in the batch, all of them or those of the mined triplets."""
        found = candidates(embeddings, labels, memory)
        if self.miner is not None:
            anchor, positive, negative = MINING[self.miner](found)
            near, far = found.scores[anchor, positive], found.scores[anchor, negative]
            return self._of_scores(torch.cat([near, far]), torch.cat([torch.ones_like(near), torch.zeros_like(far)]))
        generator = torch.Generator().manual_seed(int(torch.randint(2**31, ())))
        past = None if memory is None else memory[1]
        left, right, same = batch_pairs(labels, self.positive_share, generator, past)
        return self._of_scores(found.scores[left, right], same)


def _exact(embeddings: Tensor) -> torch.autocast:
    """A context without mixed precision: the error of a 16-bit cosine, 0.004, is 0.08 at a temperature of 0.05."""
    return torch.autocast(embeddings.device.type, enabled=False)


def _wide(values: Tensor) -> Tensor:
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values
