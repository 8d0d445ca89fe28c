"""Exact search in plain numpy: slow, obvious, and what every other index is measured against."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simsearch.vectors.arrays import best_first, checked_queries, cosines, places_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simsearch.types import Ids, Scores, Vectors

QUERIES_AT_ONCE = 64
ROWS_AT_ONCE = 16_384


class ExactIndex:
    """A VectorIndex that compares every query with every row. Memory beside the rows does not grow with them."""

    def __init__(self, dim: int) -> None:
        self._ids: Ids = np.empty(0, dtype=np.int64)
        self._rows: Vectors = np.empty((0, dim), dtype=np.float32)

    @classmethod
    def over(cls, ids: Ids, rows: Vectors) -> ExactIndex:
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
        return self._ids.copy()

    def search(self, queries: Vectors, k: int, among: Ids | None = None) -> tuple[Ids, Scores]:
        if among is not None:
            return self._only(among).search(queries, k)
        queries = checked_queries(queries, self.dim, k)
        k = min(k, len(self))
        scores = np.empty((len(queries), k), dtype=np.float32)
        ids = np.empty((len(queries), k), dtype=np.int64)
        if k == 0:
            return ids, scores
        for start in range(0, len(queries), QUERIES_AT_ONCE):
            best = [_TopK(k) for _ in queries[start : start + QUERIES_AT_ONCE]]
            for block_ids, block_scores in self._blocks(queries[start : start + QUERIES_AT_ONCE]):
                for one, row in zip(best, block_scores, strict=True):
                    one.take(block_ids, row)
            for number, one in enumerate(best, start):
                scores[number], ids[number] = one.scores, one.ids
        return ids, scores

    def range_search(self, queries: Vectors, min_score: float, among: Ids | None = None) -> list[tuple[Ids, Scores]]:
        if among is not None:
            return self._only(among).range_search(queries, min_score)
        queries = checked_queries(queries, self.dim)
        found: list[tuple[Ids, Scores]] = []
        for start in range(0, len(queries), QUERIES_AT_ONCE):
            part = queries[start : start + QUERIES_AT_ONCE]
            scores: list[list[Scores]] = [[np.empty(0, dtype=np.float32)] for _ in part]
            ids: list[list[Ids]] = [[np.empty(0, dtype=np.int64)] for _ in part]
            for block_ids, block_scores in self._blocks(part):
                for number, row in enumerate(block_scores):
                    near = row >= np.float32(min_score)
                    scores[number].append(row[near])
                    ids[number].append(block_ids[near])
            for some_scores, some_ids in zip(map(np.concatenate, scores), map(np.concatenate, ids), strict=True):
                order = best_first(some_scores, some_ids)
                found.append((some_ids[order], some_scores[order]))
        return found

    def _only(self, among: Ids) -> ExactIndex:
        """An index of those rows whose ids are `among`; copies them."""
        places = places_of(among, self._ids)
        chosen = ExactIndex(self.dim)
        chosen._ids, chosen._rows = self._ids[places], self._rows[places]
        return chosen

    def _blocks(self, queries: Vectors) -> Iterator[tuple[Ids, Scores]]:
        """The ids of the rows of a block, and their scores of shape (q, rows of the block)."""
        precise = queries.astype(np.float64)
        for start in range(0, len(self), ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            yield self._ids[part], cosines(precise, self._rows[part].astype(np.float64))


class _TopK:
    """The best k of what was taken so far, best first."""

    def __init__(self, k: int) -> None:
        self._k = k
        self.scores: Scores = np.empty(0, dtype=np.float32)
        self.ids: Ids = np.empty(0, dtype=np.int64)

    def take(self, ids: Ids, scores: Scores) -> None:
        if len(scores) > self._k:
            # All that reach the k-th score stay, so that a tie at the cut is settled by id and not by place.
            near = scores >= np.partition(scores, -self._k)[-self._k]
            scores, ids = scores[near], ids[near]
        scores, ids = np.concatenate([self.scores, scores]), np.concatenate([self.ids, ids])
        order = best_first(scores, ids)[: self._k]
        self.scores, self.ids = scores[order], ids[order]
