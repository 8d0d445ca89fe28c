"""Pairs of rows: all of them, a drawn sample, and their scores."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from simsearch.errors import UsageError, VectorError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.types import Scores, Vectors

BLOCK = 65_536
"""Number of pairs that are scored at once."""


def all_pairs(n: int) -> NDArray[np.int64]:
    """All pairs i < j of `n` rows, shape (n (n - 1) / 2, 2), in order of i and then j."""
    first = np.arange(n, dtype=np.int64)
    partners = n - 1 - first
    left = np.repeat(first, partners)
    before = np.cumsum(partners) - partners
    right = np.arange(len(left), dtype=np.int64) - before[left] + left + 1
    return np.stack([left, right], axis=1)


def sample_pairs(
    labels: NDArray[Any], count: int, rng: np.random.Generator, *, positive_fraction: float = 0.5
) -> NDArray[np.int64]:
    """`count` pairs i < j, shape (count, 2), ceil(count * positive_fraction) of one class and the rest of two.

    Every pair of a kind is equally likely; a pair can be drawn twice. Positive pairs come first. Memory grows with
    `count` and the number of labels only. Raises VectorError when the labels have no pair of a wanted kind.
    """
    if count < 0 or not 0 <= positive_fraction <= 1:
        raise UsageError(f"{count} pairs with {positive_fraction} positive: give a count >= 0 and a share from 0 to 1")
    _, inverse, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    order = np.argsort(inverse, kind="stable")
    size = np.repeat(sizes, sizes)
    start = np.repeat(np.cumsum(sizes) - sizes, sizes)
    place = np.arange(len(order))

    positives = math.ceil(count * positive_fraction)
    left = _draw(rng, size - 1, positives, "no class has two examples, so there is no pair of equal labels")
    right = start[left] + rng.integers(0, size[left] - 1)
    right += right >= left
    wanted = count - positives
    other = _draw(rng, len(place) - size, wanted, "all labels are equal, so there is no pair of different ones")
    partner = rng.integers(0, len(place) - size[other])
    partner += np.where(partner >= start[other], size[other], 0)
    pairs = np.stack([np.concatenate([left, other]), np.concatenate([right, partner])], axis=1)
    return np.sort(order[pairs], axis=1).astype(np.int64, copy=False)


def _draw(rng: np.random.Generator, weights: NDArray[np.int64], count: int, otherwise: str) -> NDArray[np.int64]:
    """`count` positions, drawn with probabilities proportional to their integer weights."""
    reached = np.cumsum(weights)
    total = int(reached[-1]) if len(reached) else 0
    if count and not total:
        raise VectorError(otherwise)
    ticket = rng.integers(0, max(total, 1), size=count)
    return np.searchsorted(reached, ticket, side="right").astype(np.int64, copy=False)


def pair_scores(
    vectors: Vectors, labels: NDArray[Any], *, pairs: NDArray[np.int64] | None = None
) -> tuple[Scores, NDArray[np.bool_]]:
    """The cosine of each pair, and whether its labels are equal; with None, of all pairs as `all_pairs` orders them."""
    labels = np.asarray(labels)
    if len(labels) != len(vectors):
        raise VectorError(f"{len(vectors)} vectors but {len(labels)} labels; give one label for each vector")
    if pairs is None:
        pairs = all_pairs(len(vectors))
    return cosines(vectors, pairs), labels[pairs[:, 0]] == labels[pairs[:, 1]]


def cosines(vectors: Vectors, pairs: NDArray[np.int64]) -> Scores:
    """The cosine of each pair of rows; few rows are gathered at once."""
    scores = np.empty(len(pairs), dtype=np.float32)
    for begin in range(0, len(pairs), BLOCK):
        left, right = pairs[begin : begin + BLOCK].T
        scores[begin : begin + BLOCK] = np.einsum("ij,ij->i", vectors[left], vectors[right])
    return scores
