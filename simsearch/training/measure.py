"""What an encoder reaches on a side of the split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from simsearch.evaluation.metrics import accuracy_at, best_threshold, confusion, roc_auc
from simsearch.evaluation.pairs import pair_scores, sample_pairs
from simsearch.evaluation.protocols import episodes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.evaluation.metrics import Confusion
    from simsearch.training.dataset import Side
    from simsearch.training.models import SiameseEncoder
    from simsearch.types import Scores, Vectors

BATCH = 256
MOST_PAIRS = 20_000
EPISODES = 400
HALF = 0.5
COSINE_AT_HALF = 0.875
"""The cosine of two unit vectors at L2 distance 0.5."""


def embed_rows(encoder: SiameseEncoder, pixels: NDArray[np.uint8], rows: NDArray[np.int64]) -> Vectors:
    """Embeddings of these rows of the pixels, in batches of 256. An all-zero output stays zero."""
    encoder.eval()
    parts = []
    with torch.inference_mode():
        for start in range(0, len(rows), BATCH):
            parts.append(encoder(torch.from_numpy(pixels[rows[start : start + BATCH]])).numpy())
    return np.concatenate(parts)


def scored_pairs(side: Side, vectors: Vectors, seed: int) -> tuple[NDArray[np.int64], Scores, NDArray[np.bool_]]:
    """The given pairs of a side, or all pairs of its pictures (at most 20,000 drawn ones), with scores and truth."""
    if side.labels is None:
        assert side.pairs is not None and side.same is not None
        scores = np.einsum("ij,ij->i", vectors[side.pairs[:, 0]], vectors[side.pairs[:, 1]])
        return side.pairs, scores, side.same
    count = len(vectors) * (len(vectors) - 1) // 2
    pairs = None
    if count > MOST_PAIRS:
        pairs = sample_pairs(side.labels, MOST_PAIRS, np.random.default_rng(seed), positive_fraction=0.5)
    else:
        pairs = np.stack(np.triu_indices(len(vectors), 1), axis=1)
    scores, same = pair_scores(vectors, side.labels, pairs=pairs)
    return pairs, scores, same


@dataclass(frozen=True, slots=True)
class OneShot:
    ways: int
    accuracy: float
    half_width: float


def one_shot(side: Side, vectors: Vectors, *, most_ways: int, seed: int) -> OneShot | None:
    """Recognition from one example among `most_ways` classes (fewer if there are fewer), or None without classes.

    Where classes come in groups, the classes of an episode are of one group.
    """
    if side.labels is None:
        return None
    classes, first = np.unique(side.labels, return_index=True)
    sizes = np.unique(side.labels, return_counts=True)[1]
    ways = min(most_ways, int((sizes >= 2).sum()))
    groups = None
    if side.groups is not None:
        per_group = np.unique(side.groups[first][sizes >= 2], return_counts=True)[1]
        groups = side.groups
        ways = min(most_ways, int(per_group.max(initial=0)))
    if ways < 2 or len(classes) < 2:
        return None
    result = episodes(vectors, side.labels, ways=ways, shots=1, queries=1, count=EPISODES, seed=seed, groups=groups)
    return OneShot(ways, result.accuracy, result.half_width)


@dataclass(frozen=True, slots=True)
class Verification:
    """Same or different, on the pairs of the test side. `threshold` was chosen on validation pairs."""

    threshold: float
    accuracy: float
    accuracy_at_half_distance: float
    accuracy_at_half_score: float
    auc: float
    confusion: Confusion
    pairs: NDArray[np.int64]
    scores: Scores
    same: NDArray[np.bool_]


def verify(side: Side, vectors: Vectors, *, threshold: float, seed: int) -> Verification:
    """The figures of the test pairs at a threshold from elsewhere, at distance 0.5 and at score 0.5."""
    pairs, scores, same = scored_pairs(side, vectors, seed)
    return Verification(
        threshold, accuracy_at(scores, same, threshold), accuracy_at(scores, same, COSINE_AT_HALF),
        accuracy_at(scores, same, HALF), roc_auc(scores, same), confusion(scores, same, threshold), pairs, scores, same,
    )  # fmt: skip


def chosen_threshold(side: Side, vectors: Vectors, seed: int) -> tuple[float, float]:
    """The score that separates the pairs of this side best, and the accuracy there."""
    _, scores, same = scored_pairs(side, vectors, seed)
    return best_threshold(scores, same)
