"""The losses: functions of unit embeddings, each the mean over its pairs, triplets or anchors.

Pair losses are functions of cosines; losses of labels compare a batch with itself and with a memory of past batches,
if given. A batch without pairs, positives or negatives that a loss needs has loss 0 and gradient 0.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from simsearch.training.losses.mining import (
    FAR,
    MINING,
    SQUARED_FLOOR,
    Candidates,
    Memory,
    candidates,
    distances,
    squared_distances,
)
from simsearch.training.losses.table import Distance

# -- pairs and grades ----------------------------------------------------------------------------------------------


def contrastive(scores: Tensor, same: Tensor, margin: float = 1.0) -> Tensor:
    """The contrastive loss: positive pairs are pulled together, negative ones pushed `margin` apart (Hadsell et al.
    2006, equation 4, without its factor 1/2).

    `scores` are the cosines of the pairs; `same` is 1 for similar pairs.
    """
    squared = squared_distances(scores)
    distance = (squared + SQUARED_FLOOR).sqrt()
    return _mean(same * squared + (1.0 - same) * (margin - distance).clamp_min(0.0).square())


def dot_regression(scores: Tensor, same: Tensor) -> Tensor:
    """The squared error of the dot product of a pair as a prediction of its label (1 or 0) or grade."""
    return _mean((scores - same).square())


class ScoreCrossEntropy(nn.Module):
    """Binary cross-entropy of sigmoid(scale (s - centre)) as the probability of being the same (Koch et al. 2015, on
    the cosine in place of their weighted L1 distance).

    `same` may be a grade between 0 and 1. Scale and centre are learned as a factor exp(growth) and a shift, initially
    0: the scale stays positive, and weight decay acts towards the initial values. With `learned` False they are fixed.
    """

    def __init__(self, scale: float = 8.0, centre: float = 0.5, learned: bool = True) -> None:
        super().__init__()
        self.scale, self.centre = scale, centre
        self.growth = nn.Parameter(torch.zeros(()), requires_grad=learned)
        self.shift = nn.Parameter(torch.zeros(()), requires_grad=learned)

    def forward(self, scores: Tensor, same: Tensor) -> Tensor:
        logits = self.scale * self.growth.exp() * (scores - self.centre - self.shift)
        return _mean(F.binary_cross_entropy_with_logits(logits, same.to(logits), reduction="none"))


def cosent(scores: Tensor, grades: Tensor, scale: float = 20.0) -> Tensor:
    """The CoSENT loss: log(1 + sum of exp(scale (s_i - s_j)) over all i, j of which j has the higher grade) (Su 2022).

    Grows with the logarithm of the number of pairs in the batch, as published.
    """
    excess = scale * (scores[:, None] - scores[None, :])
    excess = excess.masked_fill(grades[:, None] >= grades[None, :], FAR)
    return F.pad(excess.flatten(), (1, 0)).logsumexp(dim=0)


# -- labels --------------------------------------------------------------------------------------------------------


def triplet(
    embeddings: Tensor,
    labels: Tensor,
    margin: float | None = 0.2,
    *,
    distance: Distance = "squared",
    miner: str = "all",
    memory: Memory | None = None,
) -> Tensor:
    """max(0, d(a,p) - d(a,n) + margin) over the mined triplets that violate the margin (Schroff et al. 2015,
    equation 3; the mean over the violating ones, after Hermans et al. 2017, "batch all").

    Without a margin the mean of log(1 + exp(d(a,p) - d(a,n))) over all of them.
    """
    found = candidates(embeddings, labels, memory)
    apart = distances(found.scores, distance)
    if miner == "all":
        # (positive pairs, candidates) instead of the positions of all triplets, which are many with a memory.
        anchor, positive = found.positive.nonzero().unbind(dim=1)
        return hinge(apart[anchor, positive][:, None] - apart[anchor], margin, found.negative[anchor])
    anchor, positive, negative = MINING[miner](found)
    return hinge(apart[anchor, positive] - apart[anchor, negative], margin)


def triplet_of_triplets(
    anchor: Tensor, positive: Tensor, negative: Tensor, margin: float | None = 0.2, distance: Distance = "squared"
) -> Tensor:
    """The triplet loss of given triplets."""
    near, far = (distances((anchor * other).sum(dim=1), distance) for other in (positive, negative))
    return hinge(near - far, margin)


def hinge(excess: Tensor, margin: float | None, wanted: Tensor | None = None) -> Tensor:
    """The mean of max(0, excess + margin) where that is above 0, or of log(1 + exp(excess)) without a margin.

    `wanted` masks the values that count.
    """
    wanted = torch.ones_like(excess, dtype=torch.bool) if wanted is None else wanted
    if margin is None:
        return _mean(F.softplus(excess), wanted)
    violation = (excess + margin).clamp_min(0.0)
    return _mean(violation, wanted & (violation > 0))


def supervised_contrastive(
    embeddings: Tensor, labels: Tensor, temperature: float = 0.1, *, memory: Memory | None = None
) -> Tensor:
    """The supervised contrastive loss (Khosla et al. 2020, equation 2).

    Anchors without a positive do not count.
    """
    found = candidates(embeddings, labels, memory)
    logits = found.scores / temperature
    others = logits.masked_fill(~(found.positive | found.negative), FAR)
    share = others.logsumexp(dim=1, keepdim=True) - logits
    positives = found.positive.sum(dim=1)
    per_anchor = (share * found.positive).sum(dim=1) / positives.clamp_min(1)
    return _mean(per_anchor, positives > 0)


def infonce(embeddings: Tensor, labels: Tensor, temperature: float = 0.1, *, memory: Memory | None = None) -> Tensor:
    """InfoNCE: cross-entropy of each positive against the negatives of its anchor, over all ordered positive pairs.

    van den Oord et al. 2018, equation 4; with two items of each class the N-pair loss of Sohn 2016 on unit vectors, in
    both directions (Chen et al. 2020, equation 1). Other positives of the anchor are not in the denominator.
    """
    found = candidates(embeddings, labels, memory)
    logits = found.scores / temperature
    return _mean(-F.logsigmoid(logits - _over_negatives(logits, found)), found.positive)


def infonce_of_triplets(anchor: Tensor, positive: Tensor, negative: Tensor, temperature: float = 0.1) -> Tensor:
    """Cross-entropy of the positive of each anchor against all positives and negatives of the batch (Henderson et al.
    2017).

    Positives of other anchors are negatives: an item should be the positive of one anchor in a batch.
    """
    logits = anchor @ torch.cat([positive, negative]).T / temperature
    return F.cross_entropy(logits, torch.arange(len(anchor), device=anchor.device))


def lifted_structure(
    embeddings: Tensor, labels: Tensor, margin: float = 1.0, *, memory: Memory | None = None
) -> Tensor:
    """The lifted structure loss: half the mean of max(0, J)^2 over the positive pairs (i, j), with J = d(i,j) + log of
    the sum of exp(margin - d) over all negatives of i and of j (Oh Song et al. 2016, equation 4).

    If j is in the memory its negatives are not known, and only those of i count.
    """
    found = candidates(embeddings, labels, memory)
    apart = distances(found.scores, "l2")
    negatives = _over_negatives(margin - apart, found)
    theirs = F.pad(negatives.flatten(), (0, apart.shape[1] - len(apart)), value=FAR)
    both = torch.logaddexp(negatives, theirs[None, :]) + apart
    return 0.5 * _mean(both.clamp_min(0.0).square(), found.positive)


def angular_of_triplets(anchor: Tensor, positive: Tensor, negative: Tensor, degrees: float = 45.0) -> Tensor:
    """The angular loss: log(1 + exp(4 tan^2(angle) (a + p) n - 2 (1 + tan^2(angle)) a p)) (Wang et al. 2017)."""
    square = torch.deg2rad(torch.tensor(degrees, dtype=anchor.dtype)).tan().square()
    near, far = (anchor * positive).sum(dim=1), ((anchor + positive) * negative).sum(dim=1)
    return _mean(F.softplus(4.0 * square * far - 2.0 * (1.0 + square) * near))


def _over_negatives(values: Tensor, found: Candidates) -> Tensor:
    """(n, 1) log of the sum of exp(value) over the negatives of each anchor."""
    return values.masked_fill(~found.negative, FAR).logsumexp(dim=1, keepdim=True)


def _mean(values: Tensor, wanted: Tensor | None = None) -> Tensor:
    """The mean of the wanted values, all by default; 0 of none."""
    if wanted is None:
        return values.sum() / max(1, values.numel())
    return (values * wanted).sum() / wanted.sum().clamp_min(1)


# -- the pairs of a batch ------------------------------------------------------------------------------------------


def batch_pairs(
    labels: Tensor, positive_share: float, generator: torch.Generator, past: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """All pairs i < j of a batch as (left, right, same), with at least `positive_share` positive ones.

    With the labels of a memory each item of the batch is also paired with those of the memory, numbered from the length
    of the batch on. All positive pairs are kept; negative ones are subsampled at random.
    """
    names = labels if past is None else torch.cat([labels, past.to(labels)])
    left, right = torch.triu_indices(len(labels), len(names), offset=1, device=labels.device).unbind()
    same = labels[left] == names[right]
    positives = int(same.sum())
    allowed = int(positives * (1.0 - positive_share) / positive_share) if positive_share > 0 else len(same)
    if positives and len(same) - positives > allowed:
        negatives = torch.nonzero(~same).flatten()
        chosen = torch.randperm(len(negatives), generator=generator)[: max(1, allowed)].to(labels.device)
        keep = torch.cat([torch.nonzero(same).flatten(), negatives[chosen]])
        left, right, same = left[keep], right[keep], same[keep]
    return left, right, same.to(torch.float32)
