"""FAISS, flat: compares with every row, as the exact index does, at the speed of compiled code."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import faiss
import numpy as np

from simsearch.vectors.arrays import best_first, checked_queries, joined, places_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.types import Ids, Scores, Vectors

# FAISS sums in float32: two of its scores of unit vectors are together off by less than this.
ROUGH = 1e-5
# Fetched beyond k, to see whether the k-th score is tied with the next.
MARGIN = 16
# Rows gathered at once to be scored precisely: 32 MiB in float64.
NUMBERS_AT_ONCE = 1 << 22
# Rows and queries of one block of a range search: 16 MiB of scores.
ROWS_AT_ONCE = 1 << 16
QUERIES_AT_ONCE = 64


class FaissFlatIndex:
    """A VectorIndex over rows in memory or in a mapped file.

    FAISS finds the candidates; their scores are then summed in float64, so that equal vectors have equal scores
    (within FAISS a score depends on the other queries of the same call) and ties are settled by id.
    """

    def __init__(self, dim: int) -> None:
        self._ids: Ids = np.empty(0, dtype=np.int64)
        self._rows: Vectors = np.empty((0, dim), dtype=np.float32)

    @classmethod
    def over(cls, ids: Ids, rows: Vectors) -> FaissFlatIndex:
        """An index over these arrays, which are not copied: of distinct ids and unit rows."""
        index = cls(rows.shape[1])
        index._ids, index._rows = ids, rows
        return index

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def dim(self) -> int:
        return int(self._rows.shape[1])

    @property
    def ids(self) -> Ids:
        return self._ids

    @property
    def exact(self) -> FaissFlatIndex:
        """The index that compares with every row: itself."""
        return self

    @property
    def rows(self) -> Vectors:
        """The vectors, in the order of the ids; not to be written to."""
        return self._rows

    def search(self, queries: Vectors, k: int, among: Ids | None = None) -> tuple[Ids, Scores]:
        queries = checked_queries(queries, self.dim, k)
        if among is not None:
            return self._search_among(queries, k, among)
        k = min(k, len(self))
        scores = np.empty((len(queries), k), dtype=np.float32)
        found = np.empty((len(queries), k), dtype=np.int64)
        if k == 0 or not len(queries):
            return found, scores
        fetched = min(len(self), k + MARGIN)
        rough, positions = faiss.knn(queries, self._rows, fetched, metric=faiss.METRIC_INNER_PRODUCT)
        if fetched < len(self):
            tied = np.flatnonzero(rough[:, -1] >= rough[:, k - 1] - ROUGH)
        else:
            tied = np.empty(0, dtype=np.int64)
        step = max(1, NUMBERS_AT_ONCE // (fetched * self.dim))
        for start in range(0, len(queries), step):
            part = slice(start, start + step)
            precise = self.precise(queries[part], positions[part])
            names = self._ids[positions[part]]
            order = best_first(precise, names)[:, :k]
            scores[part] = np.take_along_axis(precise, order, axis=1)
            found[part] = np.take_along_axis(names, order, axis=1)
        for number in tied.tolist():
            near = self._within(queries[number : number + 1], float(rough[number, k - 1]) - ROUGH)[0]
            found[number], scores[number] = near[0][:k], near[1][:k]
        return found, scores

    def _search_among(self, queries: Vectors, k: int, among: Ids) -> tuple[Ids, Scores]:
        """The best of the best of each part."""
        found: Ids = np.empty((len(queries), 0), dtype=np.int64)
        scores: Scores = np.empty((len(queries), 0), dtype=np.float32)
        for part in self._parts(among):
            ids, values = part.search(queries, k)
            found, scores = best_of([(found, scores), (ids, values)], k)
        return found, scores

    def _parts(self, among: Ids) -> Iterator[FaissFlatIndex]:
        """Indexes of the rows whose ids are `among`, each of so few that copying them needs little memory."""
        places = places_of(among, self._ids)
        step = max(1, NUMBERS_AT_ONCE // self.dim)
        for start in range(0, len(places), step):
            chosen = places[start : start + step]
            yield FaissFlatIndex.over(self._ids[chosen], self._rows[chosen])

    def range_search(self, queries: Vectors, min_score: float, among: Ids | None = None) -> list[tuple[Ids, Scores]]:
        queries = checked_queries(queries, self.dim)
        if among is not None:
            return joined([part.range_search(queries, min_score) for part in self._parts(among)], len(queries))
        answers = []
        for ids, scores in self._within(queries, min_score - ROUGH):
            # By descending score: those that reach the minimum come first.
            count = int((scores >= np.float32(min_score)).sum())
            answers.append((ids[:count], scores[:count]))
        return answers

    def _within(self, queries: Vectors, rough: float) -> list[tuple[Ids, Scores]]:
        """At least everything that scores above `rough` + ROUGH, precisely scored, best first."""
        answers = []
        for first in range(0, len(queries), QUERIES_AT_ONCE):
            part = queries[first : first + QUERIES_AT_ONCE]
            near: list[list[NDArray[np.intp]]] = [[np.empty(0, dtype=np.intp)] for _ in part]
            for start in range(0, len(self), ROWS_AT_ONCE):
                block = part @ self._rows[start : start + ROWS_AT_ONCE].T
                for places, scores in zip(near, block, strict=True):
                    places.append(np.flatnonzero(scores >= rough) + start)
            for query, some in zip(part, near, strict=True):
                found = np.concatenate(some)
                scores = self.precise(query[None, :], found[None, :])[0]
                order = best_first(scores, self._ids[found])
                answers.append((self._ids[found][order], scores[order]))
        return answers

    def precise(self, queries: Vectors, positions: NDArray[np.int64]) -> Scores:
        """The scores of the rows at `positions`, shape (q, m), each summed in float64."""
        step = max(1, NUMBERS_AT_ONCE // self.dim // max(1, len(queries)))
        scores = np.empty(positions.shape, dtype=np.float32)
        for start in range(0, positions.shape[1], step):
            part = slice(start, start + step)
            # take gathers twice as fast as indexing does.
            candidates = np.take(self._rows, positions[:, part], axis=0)
            exact = np.einsum("qmd,qd->qm", candidates, queries, dtype=np.float64)
            scores[:, part] = np.clip(exact, -1.0, 1.0)
        return scores


def best_of(answers: list[tuple[Ids, Scores]], k: int) -> tuple[Ids, Scores]:
    """The k best of several answers to the same queries, arrays of shape (q, m) each."""
    ids = np.concatenate([one for one, _ in answers], axis=1)
    scores = np.concatenate([one for _, one in answers], axis=1)
    order = best_first(scores, ids)[:, :k]
    return np.take_along_axis(ids, order, axis=1), np.take_along_axis(scores, order, axis=1)
