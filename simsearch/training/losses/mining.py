"""What a batch is compared with, and which of its triplets and pairs count.

A miner returns triplets as positions (anchor, positive, negative): anchors in the batch, the others among its
candidates. The randomness of the distance-weighted one comes from torch's global generator.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from simsearch.training.losses.table import Distance

SQUARED_FLOOR = 1e-12
"""Under the root of a squared distance, so that the gradient at identical points is finite."""

FAR = -1e9
"""In place of a cosine that must not count. Finite, so that a row without any other has a finite gradient."""

NEAREST, FARTHEST = 0.5, 1.4
"""Between these distances the distance-weighted miner draws (Wu et al. 2017, section 4): nearer negatives have
gradients of high variance, farther ones give no loss."""

Memory = tuple[Tensor, Tensor]
"""Embeddings of past batches, without gradient, and their labels."""

Triplets = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True, slots=True)
class Candidates:
    """Each of n anchors beside the m vectors that it is compared with: the batch itself, then past batches."""

    scores: Tensor
    """(n, m) cosines."""
    positive: Tensor
    """(n, m) the same label, the anchor itself left out."""
    negative: Tensor
    """(n, m) another label."""
    dim: int
    """Of the embeddings."""


def compared_with(embeddings: Tensor, labels: Tensor, memory: Memory | None) -> tuple[Tensor, Tensor]:
    """The vectors that a batch is compared with and their labels: the batch itself, then past batches."""
    if memory is None:
        return embeddings, labels
    return torch.cat([embeddings, memory[0].to(embeddings)]), torch.cat([labels, memory[1].to(labels)])


def relations(labels: Tensor, names: Tensor) -> tuple[Tensor, Tensor]:
    """Which of the `names`, of which the first are the labels themselves, are mates of each label, and which strangers.

    Nothing is its own mate; past items of an anchor's class are mates like those of the batch.
    """
    same = labels[:, None] == names[None, :]
    own = torch.eye(len(labels), len(names), dtype=torch.bool, device=labels.device)
    return same & ~own, ~same


def candidates(embeddings: Tensor, labels: Tensor, memory: Memory | None = None) -> Candidates:
    """All that the batch can be compared with."""
    others, names = compared_with(embeddings, labels, memory)
    return Candidates(embeddings @ others.T, *relations(labels, names), embeddings.shape[1])


def squared_distances(scores: Tensor) -> Tensor:
    """Squared L2 distances of unit vectors with these cosines: 2 - 2 s, never negative."""
    return (2.0 - 2.0 * scores).clamp_min(0.0)


def distances(scores: Tensor, kind: Distance) -> Tensor:
    """Distances of unit vectors with these cosines: L2, squared L2, or 1 - s."""
    if kind == "cosine":
        return 1.0 - scores
    squared = squared_distances(scores)
    return squared if kind == "squared" else (squared + SQUARED_FLOOR).sqrt()


def all_triplets(found: Candidates) -> Triplets:
    """Every triplet. Costs memory in their number, n^3 for a batch of n."""
    anchor, positive = found.positive.nonzero().unbind(dim=1)
    pair, negative = found.negative[anchor].nonzero().unbind(dim=1)
    return anchor[pair], positive[pair], negative


def hard(found: Candidates) -> Triplets:
    """For each anchor that has both its farthest positive and its nearest negative (Hermans et al. 2017)."""
    positive = found.scores.masked_fill(~found.positive, torch.inf).argmin(dim=1)
    negative = found.scores.masked_fill(~found.negative, -torch.inf).argmax(dim=1)
    anchor = (found.positive.any(dim=1) & found.negative.any(dim=1)).nonzero().flatten()
    return anchor, positive[anchor], negative[anchor]


def semi_hard(found: Candidates) -> Triplets:
    """For each anchor and positive the nearest of the negatives beyond the positive (Schroff et al. 2015, equation 4).

    One beyond the margin too gives no loss; a positive beyond which there is no negative gives no triplet.
    """
    anchor, positive = found.positive.nonzero().unbind(dim=1)
    beyond = found.negative[anchor] & (found.scores[anchor] < found.scores[anchor, positive][:, None])
    negative = found.scores[anchor].masked_fill(~beyond, -torch.inf).argmax(dim=1)
    some = beyond.any(dim=1)
    return anchor[some], positive[some], negative[some]


def distance_weights(found: Candidates) -> Tensor:
    """(n, m) probabilities with which an anchor draws each candidate: 1 / q(d), with q the density of the distances d
    between random points of the sphere, d^(dim-2) (1 - d^2 / 4)^((dim-3) / 2) (Wu et al. 2017, section 4).

    Zero throughout for an anchor without a negative nearer than FARTHEST.
    """
    apart = distances(found.scores.detach(), "l2")
    wanted = found.negative & (apart < FARTHEST)
    apart = apart.clamp(NEAREST, FARTHEST)
    inverse = (2.0 - found.dim) * apart.log() - 0.5 * (found.dim - 3) * (1.0 - 0.25 * apart.square()).log()
    return inverse.masked_fill(~wanted, FAR).softmax(dim=1) * wanted


def distance_weighted(found: Candidates) -> Triplets:
    """For each anchor and positive one negative, drawn by `distance_weights`."""
    weights = distance_weights(found)
    drawable = weights.sum(dim=1) > 0
    anchor, positive = (found.positive & drawable[:, None]).nonzero().unbind(dim=1)
    if not len(anchor):
        return anchor, positive, anchor
    return anchor, positive, torch.multinomial(weights[anchor], 1).flatten()


MINING: Mapping[str, Callable[[Candidates], Triplets]] = MappingProxyType(
    {"all": all_triplets, "hard": hard, "semi-hard": semi_hard, "distance-weighted": distance_weighted}
)
"""By the names of the table of miners."""
