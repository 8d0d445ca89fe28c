"""How well the nearest neighbours of each vector share its label."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from simsearch.errors import UsageError, VectorError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.types import Vectors

CELLS = 4_194_304
"""Scores held at once, at 20 bytes each."""


def recall_at(ranked_hits: NDArray[np.bool_], k: int) -> float:
    """The share of rows with a hit among their first `k`; rows are ranked best first, shape (q, ranks)."""
    if k < 1 or ranked_hits.ndim != 2 or not len(ranked_hits):
        raise VectorError(f"recall@{k} of hits of shape {ranked_hits.shape}: give k >= 1 and at least one row")
    return float(ranked_hits[:, :k].any(axis=1).mean())


def retrieval(
    vectors: Vectors, labels: NDArray[Any], ks: Sequence[int] = (1, 5, 10), block: int = 1024
) -> dict[str, float]:
    """`recall@k` for each k, `map@r` and `r_precision`, each vector being asked for the others of its class.

    R is the number of others of the class; MAP@R as Musgrave et al. 2020, section 3.2. Vectors that are alone in
    their class are searched but not asked. Equal scores rank by rising row. At most `block` rows are asked at once,
    fewer when there are many vectors, so that memory stays bounded. Raises VectorError when no class has two vectors.
    """
    labels = np.asarray(labels)
    if labels.shape != (len(vectors),):
        raise VectorError(f"{len(vectors)} vectors but labels of shape {labels.shape}; give one label for each vector")
    if block < 1 or not ks or min(ks) < 1:
        raise UsageError(f"ks {tuple(ks)} and block {block}: all must be at least 1")
    _, inverse, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    asked = np.flatnonzero(sizes[inverse] > 1)
    if not len(asked):
        raise VectorError(f"none of {len(sizes)} classes has two vectors, so there is nothing to find")
    relevant = sizes[inverse] - 1
    ranks = min(len(vectors) - 1, max(*ks, int(relevant.max())))
    block = min(block, max(1, CELLS // len(vectors)))
    found = dict.fromkeys([*(f"recall@{k}" for k in ks), "map@r", "r_precision"], 0.0)
    for rows, nearest in _neighbours(vectors, asked, ranks, block):
        hits = inverse[nearest] == inverse[rows, None]
        for k in ks:
            found[f"recall@{k}"] += recall_at(hits, k) * len(rows)
        precise, mean_precise = _within_r(hits, relevant[rows])
        found["r_precision"] += float(precise.sum())
        found["map@r"] += float(mean_precise.sum())
    return {name: total / len(asked) for name, total in found.items()}


def _within_r(hits: NDArray[np.bool_], relevant: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """R-precision and MAP@R of each row of ranked hits."""
    hits = hits[:, : int(relevant.max())]
    rank = np.arange(1, hits.shape[1] + 1)
    hits = hits & (rank <= relevant[:, None])
    so_far = np.cumsum(hits, axis=1, dtype=np.int32)
    average = np.where(hits, so_far / rank, 0.0).sum(axis=1)
    return so_far[:, -1] / relevant, average / relevant


def _neighbours(
    vectors: Vectors, asked: NDArray[np.int64], ranks: int, block: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Blocks of asked rows with their `ranks` nearest other rows, best first, equal scores by rising row."""
    columns = np.arange(len(vectors), dtype=np.uint64)
    for begin in range(0, len(asked), block):
        rows = asked[begin : begin + block]
        scores = vectors[rows] @ vectors.T
        scores[np.arange(len(rows)), rows] = -np.inf
        # One integer holds the score, falling, above the row: a partial sort of it settles ties too.
        key = (_falling(scores).astype(np.uint64) << np.uint64(32)) | columns
        key = np.partition(key, ranks - 1, axis=1)[:, :ranks]
        key.sort(axis=1)
        yield rows, (key & np.uint64(0xFFFFFFFF)).astype(np.int64)


def _falling(scores: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Integers that order as the scores do, turned round. IEEE 754 orders as its bits but for the sign."""
    bits = np.asarray(0 - scores, dtype=np.float32).view(np.uint32)
    negative = bits >> np.uint32(31) == 1
    return np.where(negative, ~bits, bits | np.uint32(0x80000000))
