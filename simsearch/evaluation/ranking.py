"""Retrieval metrics: ranking of the nearest neighbors of each vector by label."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from simsearch.errors import UsageError, VectorError
from simsearch.progress import Progress, Silent, Working

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.types import Scores, Vectors

CELLS = 4_194_304
"""Maximum number of scores in memory at once, at up to 13 bytes each."""
STRIDE = 16
"""One in this many scores is sampled to estimate a lower bound of the best."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """The metrics of each query. `rows` are the queries, `best` the first result of each."""

    rows: NDArray[np.int64]
    best: NDArray[np.int64]
    names: tuple[str, ...]
    values: NDArray[np.float64]
    """(queries, figures), in the order of `names`."""

    def means(self) -> dict[str, float]:
        """The mean of each metric over all queries."""
        return dict(zip(self.names, self.values.mean(axis=0).tolist(), strict=True))


def retrieval(
    vectors: Vectors, labels: NDArray[Any], ks: Sequence[int] = (1, 5, 10), block: int = 1024
) -> dict[str, float]:
    """The means over all queries of the metrics of `rank_queries`."""
    return rank_queries(vectors, labels, ks, block).means()


def rank_queries(
    vectors: Vectors,
    labels: NDArray[Any],
    ks: Sequence[int] = (1, 5, 10),
    block: int = 1024,
    progress: Progress | None = None,
) -> Ranked:
    """`recall@k` for each k, `map@r`, `r_precision`, `mrr` and `ndcg@k`, each vector a query for others of its class.

    R is the number of others of the class; MAP@R as Musgrave et al. 2020, section 3.2. `mrr` is the reciprocal rank of
    the first hit, wherever it is. `ndcg@k`, for the largest k, is that of Järvelin and Kekäläinen 2002 with gain 1 for
    a hit. Vectors that are alone in their class are in the gallery but no queries. Ties rank by increasing row. At most
    `block` queries are ranked at once, fewer when there are many vectors, so that memory stays bounded: only the best
    results of each query are kept. Raises VectorError when no class has two vectors.
    """
    inverse, sizes = _checked(vectors, labels)
    if block < 1 or not ks or min(ks) < 1:
        raise UsageError(f"ks {tuple(ks)} and block {block}: all must be at least 1")
    asked = np.flatnonzero(sizes[inverse] > 1)
    if not len(asked):
        raise VectorError(f"none of {len(sizes)} classes has two vectors, so there is nothing to find")
    relevant = sizes[inverse] - 1
    ranks = min(len(vectors) - 1, max(*ks, int(relevant.max())))
    names = (*(f"recall@{k}" for k in ks), "map@r", "r_precision", "mrr", f"ndcg@{max(ks)}")
    values, best = np.empty((len(asked), len(names))), np.empty(len(asked), dtype=np.int64)
    done = 0
    with Working(progress or Silent(), len(asked), "queries", "ranking") as working:
        for rows, scores, nearest in _blocks(vectors, asked, ranks, block):
            hits = inverse[nearest] == inverse[rows, None]
            first = _first_hits(hits, scores, rows, inverse)
            place = slice(done, done + len(rows))
            values[place] = np.stack(_figures(hits, relevant[rows], first, ks), axis=1)
            best[place] = nearest[:, 0]
            done += len(rows)
            working.progress.advance(len(rows))
    return Ranked(asked, best, names, values)


def neighbors(vectors: Vectors, rows: NDArray[np.int64], ranks: int) -> NDArray[np.int64]:
    """The `ranks` nearest other rows of each of these rows, best first, ties by increasing row."""
    ranks = min(ranks, len(vectors) - 1)
    return np.concatenate([nearest for *_, nearest in _blocks(vectors, rows, ranks, len(rows))])


def _checked(vectors: Vectors, labels: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The number of each vector's class, and the size of each class."""
    labels = np.asarray(labels)
    if labels.shape != (len(vectors),):
        raise VectorError(f"{len(vectors)} vectors but labels of shape {labels.shape}; give one label for each vector")
    if not np.isfinite(vectors).all():
        raise VectorError("a vector is not finite; check the encoder that it comes from")
    _, inverse, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    return inverse.astype(np.int64), sizes.astype(np.int64)


def _figures(
    hits: NDArray[np.bool_], relevant: NDArray[np.int64], first: NDArray[np.int64], ks: Sequence[int]
) -> list[NDArray[Any]]:
    precise, mean_precise = _within_r(hits, relevant)
    recalls: list[NDArray[Any]] = [hits[:, :k].max(axis=1) for k in ks]
    return [*recalls, mean_precise, precise, 1 / first, _ndcg(hits[:, : max(ks)], relevant)]


def _within_r(hits: NDArray[np.bool_], relevant: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """R-precision and MAP@R of each row of ranked hits."""
    hits = hits[:, : int(relevant.max())]
    rank = np.arange(1, hits.shape[1] + 1)
    hits = hits & (rank <= relevant[:, None])
    so_far = np.cumsum(hits, axis=1, dtype=np.int32)
    average = np.where(hits, so_far / rank, 0.0).sum(axis=1)
    return so_far[:, -1] / relevant, average / relevant


def _ndcg(hits: NDArray[np.bool_], relevant: NDArray[np.int64]) -> NDArray[np.float64]:
    discount = 1 / np.log2(np.arange(2, hits.shape[1] + 2))
    ideal = np.cumsum(discount)[np.minimum(relevant, len(discount)) - 1]
    shares: NDArray[np.float64] = (hits @ discount) / ideal
    return shares


def _first_hits(
    hits: NDArray[np.bool_], scores: Scores, rows: NDArray[np.int64], inverse: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The rank of the first hit of each row, from 1, also beyond the results that are kept."""
    first: NDArray[np.int64] = hits.argmax(axis=1) + 1
    for place in np.flatnonzero(~hits.any(axis=1)):
        others = np.flatnonzero(inverse == inverse[rows[place]])
        found = others[scores[place, others].argmax()]
        score = scores[place, found]
        before = np.count_nonzero(scores[place] > score) + np.count_nonzero(scores[place, :found] == score)
        first[place] = before + 1
    return first


def _blocks(
    vectors: Vectors, asked: NDArray[np.int64], ranks: int, block: int
) -> Iterator[tuple[NDArray[np.int64], Scores, NDArray[np.int64]]]:
    """Blocks of queries with their scores, that of a query with itself being lowest, and their `ranks` nearest."""
    block = min(block, max(1, CELLS // len(vectors)))
    for begin in range(0, len(asked), block):
        rows = asked[begin : begin + block]
        scores = vectors[rows] @ vectors.T
        scores[np.arange(len(rows)), rows] = -np.inf
        yield rows, scores, _best(scores, ranks)


def _best(scores: Scores, ranks: int) -> NDArray[np.int64]:
    """The columns of the `ranks` largest scores of each row, best first, ties by increasing column.

    A sample of the columns gives a bound that about twice as many scores reach, so that few are sorted. For rows in
    which too few or too many do, the bound is found by a partial sort of all scores.
    """
    sample = scores[:, ::STRIDE]
    wanted = 2 * ranks // STRIDE + 8
    if wanted >= sample.shape[1]:
        return np.argsort(-scores, axis=1, kind="stable")[:, :ranks]
    cut = -np.partition(-sample, wanted, axis=1)[:, wanted]
    row, column = np.divmod(np.flatnonzero(scores >= cut[:, None]), scores.shape[1])
    reached = np.bincount(row, minlength=len(scores))
    good = (reached >= ranks) & (reached <= 8 * ranks + 8 * STRIDE)
    nearest = np.empty((len(scores), ranks), dtype=np.int64)
    kept = good[row]
    row, column = row[kept], column[kept]
    # Candidates come by rising column within a row, and the sort is stable.
    order = np.lexsort((-scores[row, column], row))
    start = (np.cumsum(reached[good]) - reached[good])[:, None]
    nearest[good] = column[order][start + np.arange(ranks)]
    for place in np.flatnonzero(~good):
        nearest[place] = _best_of_row(scores[place], ranks)
    return nearest


def _best_of_row(scores: Scores, ranks: int) -> NDArray[np.int64]:
    least = -np.partition(-scores, ranks - 1)[ranks - 1]
    above = np.flatnonzero(scores > least)
    level = np.flatnonzero(scores == least)[: ranks - len(above)]
    return np.concatenate([above[np.argsort(-scores[above], kind="stable")], level])
