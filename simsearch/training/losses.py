"""The losses: functions of unit embeddings, each the mean over its pairs, triplets or images."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SQUARED_FLOOR = 1e-12
"""Under the root of a squared distance, so that the gradient at identical points is finite."""


def squared_distances(scores: Tensor) -> Tensor:
    """Squared L2 distances of unit vectors with these cosines: 2 - 2 s, never negative."""
    return (2.0 - 2.0 * scores).clamp_min(0.0)


def contrastive(scores: Tensor, same: Tensor, margin: float = 1.0) -> Tensor:
    """Similar pairs are pulled together, others pushed `margin` apart (Hadsell et al. 2006, equation 4, without its
    factor 1/2).

    `scores` are the cosines of the pairs; `same` is 1 for similar pairs.
    """
    squared = squared_distances(scores)
    distance = (squared + SQUARED_FLOOR).sqrt()
    return (same * squared + (1.0 - same) * (margin - distance).clamp_min(0.0).square()).mean()


def dot_regression(scores: Tensor, same: Tensor) -> Tensor:
    """The squared error of the dot product of a pair as a prediction of same (1) or different (0)."""
    return (scores - same).square().mean()


def triplet(embeddings: Tensor, labels: Tensor, margin: float = 0.2) -> Tensor:
    """max(0, |a-p|^2 - |a-n|^2 + margin) over all triplets of the batch that still violate it (Schroff et al. 2015,
    equation 3; the mean over the violating ones, after Hermans et al. 2017, "batch all").

    Costs memory in n^3 for a batch of n.
    """
    distance = squared_distances(embeddings @ embeddings.T)
    same = labels[:, None] == labels[None, :]
    positive = same & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    violation = (distance[:, :, None] - distance[:, None, :] + margin).clamp_min(0.0)
    violation = violation * (positive[:, :, None] & ~same[:, None, :])
    return violation.sum() / (violation > 0).sum().clamp_min(1)


def supervised_contrastive(embeddings: Tensor, labels: Tensor, temperature: float = 0.1) -> Tensor:
    """Each image picks its class mates among all others of the batch (Khosla et al. 2020, equation 2).

    Anchors without a class mate do not count; a batch without any gives 0.
    """
    own = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    positive = (labels[:, None] == labels[None, :]) & ~own
    logits = (embeddings @ embeddings.T / temperature).masked_fill(own, float("-inf"))
    log_share = logits - logits.logsumexp(dim=1, keepdim=True)
    mates = positive.sum(dim=1)
    per_anchor = -log_share.masked_fill(~positive, 0.0).sum(dim=1) / mates.clamp_min(1)
    return per_anchor.sum() / (mates > 0).sum().clamp_min(1)


class CosineClassifier(nn.Module):
    """Cross-entropy over the cosines to one learned direction a class (Gidaris and Komodakis 2018; Wang et al. 2018).

    Used in training only: the embedding it leaves behind places unseen classes well.
    """

    def __init__(self, dim: int, classes: int, scale: float = 8.0) -> None:
        super().__init__()
        self.directions = nn.Parameter(torch.randn(classes, dim) / dim**0.5)
        self.scale = scale

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        logits = self.scale * embeddings @ F.normalize(self.directions, dim=1).T
        return F.cross_entropy(logits, labels)


def batch_pairs(labels: Tensor, positive_share: float, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """All pairs i < j of a batch as (left, right, same), thinned until at least `positive_share` are positive.

    Every positive pair is kept; negative ones are drawn at random.
    """
    left, right = torch.triu_indices(len(labels), len(labels), offset=1).unbind()
    same = labels[left] == labels[right]
    positives = int(same.sum())
    allowed = int(positives * (1.0 - positive_share) / positive_share) if positive_share > 0 else len(same)
    if positives and len(same) - positives > allowed:
        negatives = torch.nonzero(~same).flatten()
        chosen = negatives[torch.randperm(len(negatives), generator=generator)[: max(1, allowed)]]
        keep = torch.cat([torch.nonzero(same).flatten(), chosen])
        left, right, same = left[keep], right[keep], same[keep]
    return left, right, same.to(torch.float32)
