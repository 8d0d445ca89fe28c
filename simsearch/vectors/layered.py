"""A main part in files and, in memory, what came and went since: additions and removals need no rebuilding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from simsearch.vectors.arrays import checked_queries, joined
from simsearch.vectors.faiss_index import FaissFlatIndex, best_of

if TYPE_CHECKING:
    from simsearch.types import Ids, Scores, Vectors

# Fetched beyond k where rows of the main part are gone: mostly enough to have k that are not.
SPARE = 32


class MainPart(Protocol):
    """What is searched in the main part: all of it, or among given ids."""

    def __len__(self) -> int: ...
    @property
    def dim(self) -> int: ...
    @property
    def ids(self) -> Ids: ...
    @property
    def exact(self) -> FaissFlatIndex: ...
    def search(self, queries: Vectors, k: int, among: Ids | None = None) -> tuple[Ids, Scores]: ...
    def range_search(
        self, queries: Vectors, min_score: float, among: Ids | None = None
    ) -> list[tuple[Ids, Scores]]: ...


class LayeredIndex:
    """A VectorIndex of a main part, of rows that came after it, searched exactly, and of ids that went from it."""

    def __init__(self, main: MainPart, tail: FaissFlatIndex | None = None, removed: Ids | None = None) -> None:
        """`removed` are ascending ids of rows of `main`."""
        self.main = main
        self.tail = FaissFlatIndex(main.dim) if tail is None else tail
        self.removed: Ids = np.empty(0, dtype=np.int64) if removed is None else removed

    def __len__(self) -> int:
        return len(self.main) - len(self.removed) + len(self.tail)

    @property
    def dim(self) -> int:
        return self.main.dim

    @property
    def exact(self) -> LayeredIndex:
        """The same rows, each of which is compared."""
        return LayeredIndex(self.main.exact, self.tail, self.removed)

    @property
    def ids(self) -> Ids:
        return np.concatenate([_without(self.main.ids, self.removed), self.tail.ids])

    def search(self, queries: Vectors, k: int, among: Ids | None = None) -> tuple[Ids, Scores]:
        queries = checked_queries(queries, self.dim, k)
        answers = [self._search_main(queries, k, among)]
        if len(self.tail):
            answers.append(self.tail.search(queries, k, among))
        return best_of(answers, k) if len(answers) > 1 else answers[0]

    def _search_main(self, queries: Vectors, k: int, among: Ids | None) -> tuple[Ids, Scores]:
        """The best k of the main part, shape (q, m) with m at most k, without what is removed."""
        if among is not None:
            return self.main.search(queries, k, _without(among, self.removed))
        if not len(self.removed):
            return self.main.search(queries, k)
        left = min(k, len(self.main) - len(self.removed))
        found, scores = self.main.search(queries, k + min(len(self.removed), k + SPARE))
        ids, values = _dropped(found, scores, self.removed, left)
        short = np.flatnonzero(ids[:, -1] < 0) if left else np.empty(0, dtype=np.intp)
        if len(short):
            found, scores = self.main.search(queries[short], k + len(self.removed))
            ids[short], values[short] = _dropped(found, scores, self.removed, left)
        return ids, values

    def range_search(self, queries: Vectors, min_score: float, among: Ids | None = None) -> list[tuple[Ids, Scores]]:
        queries = checked_queries(queries, self.dim)
        if among is not None:
            main = self.main.range_search(queries, min_score, _without(among, self.removed))
        else:
            main = self.main.range_search(queries, min_score)
            if len(self.removed):
                stays = [~_held(ids, self.removed) for ids, _ in main]
                main = [(ids[kept], scores[kept]) for (ids, scores), kept in zip(main, stays, strict=True)]
        if not len(self.tail):
            return main
        return joined([main, self.tail.range_search(queries, min_score, among)], len(queries))


def _held(ids: Ids, sorted_ids: Ids) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Which of the ids, of any shape, are in `sorted_ids`."""
    if not len(sorted_ids):
        return np.zeros(ids.shape, dtype=np.bool_)
    places = np.minimum(np.searchsorted(sorted_ids, ids), len(sorted_ids) - 1)
    return np.asarray(sorted_ids[places] == ids)


def _without(ids: Ids, removed: Ids) -> Ids:
    return ids[~_held(ids, removed)] if len(removed) else ids


def _dropped(found: Ids, scores: Scores, removed: Ids, k: int) -> tuple[Ids, Scores]:
    """The first k of each row that are not removed, in their order; -1 where there are fewer."""
    gone = _held(found, removed)
    order = np.argsort(gone, axis=1, kind="stable")[:, :k]
    ids = np.where(np.take_along_axis(gone, order, axis=1), -1, np.take_along_axis(found, order, axis=1))
    return ids, np.take_along_axis(scores, order, axis=1)
