"""Losses with a learned proxy for each class: the cosine classifier, ArcFace and proxy anchor."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from simsearch.training.losses.library import pytorch_metric_learning_losses

NEAR_ONE = 1e-7
"""How far from 1 a cosine must be for the slope of its sine to count, which is infinite at 1."""
START = 0.1
"""The initial length of a proxy. Only its direction matters, and short ones rotate further in a step: the effect is a
100 times larger initial learning rate than at length 1, as Kim et al. 2020 give their proxies."""


def initial_proxies(classes: int, dim: int) -> Tensor:
    """Random proxies of length START."""
    return START * F.normalize(torch.randn(classes, dim), dim=1)


class CosineClassifier(nn.Module):
    """Cross-entropy over the cosines to class proxies (Gidaris and Komodakis 2018; Wang et al. 2018).

    Used in training only: the proxies are not exported.
    """

    def __init__(self, dim: int, classes: int, scale: float = 8.0) -> None:
        super().__init__()
        self.directions = nn.Parameter(initial_proxies(classes, dim))
        self.scale = scale

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        logits = self.scale * embeddings @ F.normalize(self.directions, dim=1).T
        return F.cross_entropy(logits, labels)


class ArcFace(nn.Module):
    """Cross-entropy over scaled cosines, with `degrees` added to the angle to the proxy of the own class (Deng et
    al. 2019, equation 3).

    Where the sum exceeds 180 degrees the cosine is reduced by m sin m instead, so that the loss stays monotonic (as in
    their code).
    """

    def __init__(self, dim: int, classes: int, degrees: float = 28.6, scale: float = 16.0) -> None:
        super().__init__()
        self.directions = nn.Parameter(initial_proxies(classes, dim))
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
    """The proxy anchor loss of pytorch-metric-learning: each proxy attracts the embeddings of its class and repels the
    others, hard ones more (Kim et al. 2020, equation 4)."""

    def __init__(self, dim: int, classes: int, margin: float = 0.1, scale: float = 32.0) -> None:
        super().__init__()
        self.loss = pytorch_metric_learning_losses().ProxyAnchorLoss(classes, dim, margin=margin, alpha=scale)
        self.loss.proxies = nn.Parameter(initial_proxies(classes, dim))

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        loss: Tensor = self.loss(embeddings, labels)
        return loss
