"""The candidates that a batch is compared with, and the miners that select its triplets and pairs.

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
"""Added to a squared distance before the root, so that the gradient at identical points is finite."""

FAR = -1e9
"""The value of a masked cosine. Finite, so that a row of masked values has a finite gradient."""

NEAREST, FARTHEST = 0.5, 1.4
"""The range of distances of the distance-weighted miner (Wu et al. 2017, section 4): nearer negatives have gradients
of high variance, farther ones give no loss."""

Memory = tuple[Tensor, Tensor]
"""Embeddings of past batches, without gradient, and their labels."""

Triplets = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True, slots=True)
class Candidates:
    """The n anchors of a batch and the m candidates: the batch itself, then past batches."""

    scores: Tensor
    """(n, m) cosines."""
    positive: Tensor
    """(n, m) the same label, the anchor itself left out."""
    negative: Tensor
    """(n, m) another label."""
    dim: int
    """Of the embeddings."""


def compared_with(embeddings: Tensor, labels: Tensor, memory: Memory | None) -> tuple[Tensor, Tensor]:
    """The candidates and their labels: the batch itself, then past batches."""
    if memory is None:
        return embeddings, labels
    return torch.cat([embeddings, memory[0].to(embeddings)]), torch.cat([labels, memory[1].to(labels)])


def relations(labels: Tensor, names: Tensor) -> tuple[Tensor, Tensor]:
    """The masks (n, m) of the positives and of the negatives of each anchor, among candidates with labels `names`.

    The first candidates are the anchors themselves; no anchor is its own positive.
    """
    same = labels[:, None] == names[None, :]
    own = torch.eye(len(labels), len(names), dtype=torch.bool, device=labels.device)
    return same & ~own, ~same


def candidates(embeddings: Tensor, labels: Tensor, memory: Memory | None = None) -> Candidates:
    """The candidates of a batch."""
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
    """The hardest positive and the hardest negative of each anchor that has both (Hermans et al. 2017)."""
    positive = found.scores.masked_fill(~found.positive, torch.inf).argmin(dim=1)
    negative = found.scores.masked_fill(~found.negative, -torch.inf).argmax(dim=1)
    anchor = (found.positive.any(dim=1) & found.negative.any(dim=1)).nonzero().flatten()
    return anchor, positive[anchor], negative[anchor]


def semi_hard(found: Candidates) -> Triplets:
    """The hardest negative farther than the positive, for each positive pair (Schroff et al. 2015, equation 4).

    Positive pairs without such a negative give no triplet.
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
    """One negative for each positive pair, sampled with `distance_weights`."""
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
