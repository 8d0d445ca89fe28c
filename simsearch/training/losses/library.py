"""Losses of pytorch-metric-learning, over the pairs that are formed here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from simsearch.errors import MissingExtraError
from simsearch.training.losses.mining import compared_with, relations

if TYPE_CHECKING:
    from types import ModuleType

    from simsearch.training.losses.mining import Memory


class MultiSimilarity(nn.Module):
    """Multi-similarity loss of pytorch-metric-learning: the mean over anchors of log(1 + sum of exp(-2 (s - margin))
    over positives) / 2 + log(1 + sum of exp(scale (s - margin)) over negatives) / scale (Wang et al. 2019, without
    their pair mining)."""

    def __init__(self, margin: float = 0.5, scale: float = 50.0) -> None:
        super().__init__()
        self.loss = pytorch_metric_learning_losses().MultiSimilarityLoss(alpha=2.0, beta=scale, base=margin)

    def forward(self, embeddings: Tensor, labels: Tensor, *, memory: Memory | None = None) -> Tensor:
        return _compared(self.loss, embeddings, labels, memory)


class Angular(nn.Module):
    """The angular loss of pytorch-metric-learning: the mean over positive pairs of log(1 + sum over negatives of exp(4
    tan^2(angle) (a + p) n - 2 (1 + tan^2(angle)) a p)) (Wang et al. 2017, section 3)."""

    def __init__(self, degrees: float = 45.0) -> None:
        super().__init__()
        self.loss = pytorch_metric_learning_losses().AngularLoss(alpha=degrees)

    def forward(self, embeddings: Tensor, labels: Tensor, *, memory: Memory | None = None) -> Tensor:
        return _compared(self.loss, embeddings, labels, memory)


def pytorch_metric_learning_losses() -> ModuleType:
    """The losses of that library. Raises MissingExtraError."""
    try:
        from pytorch_metric_learning import losses
    except ImportError:
        raise MissingExtraError("This loss", "train") from None
    return losses  # type: ignore[no-any-return]


def _compared(loss: nn.Module, embeddings: Tensor, labels: Tensor, memory: Memory | None) -> Tensor:
    """The loss of the library over the pairs formed here: with a memory, the library pairs items with themselves."""
    others, names = compared_with(embeddings, labels, memory)
    positive, negative = relations(labels, names)
    pairs = (*positive.nonzero().unbind(dim=1), *negative.nonzero().unbind(dim=1))
    value: Tensor = loss(embeddings, labels, pairs, others, names)
    return value
