"""The losses with parameters a class beside the cosine classifier, and those taken from pytorch-metric-learning."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from simsearch.errors import MissingExtraError
from simsearch.training.losses import short_directions
from simsearch.training.mining import compared_with, relations

if TYPE_CHECKING:
    from types import ModuleType

    from simsearch.training.mining import Memory

NEAR_ONE = 1e-7
"""How far from 1 a cosine must be for the slope of its sine to count, which is infinite at 1."""


class ArcFace(nn.Module):
    """Cross-entropy over scaled cosines, with `degrees` added to the angle to the direction of the own class (Deng et
    al. 2019, equation 3).

    Where the sum would pass 180 degrees the cosine is lowered by m sin m instead, so that it keeps falling (as their
    code does).
    """

    def __init__(self, dim: int, classes: int, degrees: float = 28.6, scale: float = 16.0) -> None:
        super().__init__()
        self.directions = nn.Parameter(short_directions(classes, dim))
        self.margin = math.radians(degrees)
        self.scale = scale

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        cosines = embeddings @ F.normalize(self.directions, dim=1).T
        own = cosines.gather(1, labels[:, None])
        sine = (1.0 - own.clamp(NEAR_ONE - 1.0, 1.0 - NEAR_ONE).square()).sqrt()
        turned = own * math.cos(self.margin) - sine * math.sin(self.margin)
        lowered = torch.where(own > -math.cos(self.margin), turned, own - self.margin * math.sin(self.margin))
        return F.cross_entropy(self.scale * cosines.scatter(1, labels[:, None], lowered), labels)


class ProxyAnchor(nn.Module):
    """Each class has a learned proxy that draws the embeddings of its class and pushes the others, each the more the
    worse it lies (Kim et al. 2020, equation 4), by pytorch-metric-learning."""

    def __init__(self, dim: int, classes: int, margin: float = 0.1, scale: float = 32.0) -> None:
        super().__init__()
        self.loss = _library().ProxyAnchorLoss(classes, dim, margin=margin, alpha=scale)
        self.loss.proxies = nn.Parameter(short_directions(classes, dim))

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        loss: Tensor = self.loss(embeddings, labels)
        return loss


class MultiSimilarity(nn.Module):
    """The mean over the batch of log(1 + sum of exp(-2 (s - margin)) over mates) / 2 + log(1 + sum of
    exp(scale (s - margin)) over strangers) / scale (Wang et al. 2019, without their choice of pairs), by
    pytorch-metric-learning."""

    def __init__(self, margin: float = 0.5, scale: float = 50.0) -> None:
        super().__init__()
        self.loss = _library().MultiSimilarityLoss(alpha=2.0, beta=scale, base=margin)

    def forward(self, embeddings: Tensor, labels: Tensor, *, memory: Memory | None = None) -> Tensor:
        return _compared(self.loss, embeddings, labels, memory)


class Angular(nn.Module):
    """The mean over pairs of mates of log(1 + sum over strangers of exp(4 tan^2(angle) (a + p) n - 2 (1 + tan^2(angle))
    a p)) (Wang et al. 2017, section 3), by pytorch-metric-learning."""

    def __init__(self, degrees: float = 45.0) -> None:
        super().__init__()
        self.loss = _library().AngularLoss(alpha=degrees)

    def forward(self, embeddings: Tensor, labels: Tensor, *, memory: Memory | None = None) -> Tensor:
        return _compared(self.loss, embeddings, labels, memory)


def _library() -> ModuleType:
    try:
        from pytorch_metric_learning import losses
    except ImportError:
        raise MissingExtraError("This loss", "train") from None
    return losses  # type: ignore[no-any-return]


def _compared(loss: nn.Module, embeddings: Tensor, labels: Tensor, memory: Memory | None) -> Tensor:
    """Their loss over our pairs: theirs would take each item for its own mate once past batches are compared with."""
    others, names = compared_with(embeddings, labels, memory)
    positive, negative = relations(labels, names)
    pairs = (*positive.nonzero().unbind(dim=1), *negative.nonzero().unbind(dim=1))
    value: Tensor = loss(embeddings, labels, pairs, others, names)
    return value
