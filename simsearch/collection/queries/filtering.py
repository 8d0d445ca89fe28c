"""Searches among what a filter matches: by looking for the matching contents first, or for the nearest ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from simsearch.errors import UsageError
from simsearch.media.arguments import COUNT, require

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.collection.queries.remembered import Filters
    from simsearch.types import Ids, Scores, VectorIndex, Vectors
    from simsearch.where.tree import Condition

    Matching = Callable[[Ids], NDArray[np.bool_]]

FEW = 20_000
"""So many matching contents are compared one by one: exact, and quicker than finding them among their neighbors."""
MANY = 0.02
"""Of filters for such a share of the items the nearest contents are looked up first."""
SURE = 2.5
"""So many standard deviations more than on average are fetched: one time in a hundred they are not enough."""
LOOK_UP = 8
"""Looking up a content costs as much as looking at so many of all items in order, a search for contents to look up
as `SEARCH` items."""
SEARCH = 1_000
PATIENCE = 10
"""When so many times what was done without knowing all matching contents would pay for it, they are looked for."""
TRIES = 4
"""When so many times what should be enough is not, the filter goes with the vectors: what is near does not match."""
WIDER = 4
"""Then an index that does not compare with all is asked for so many times more, to find the best as surely."""


def nearest(
    filters: Filters, index: VectorIndex, vectors: Vectors, k: int, where: Condition | None
) -> tuple[Ids, Scores]:
    """The k best contents for each vector that have an item for which the filter holds, and their scores.

    The shape is (q, min(k, how many there are)). Equal scores come by ascending id.
    """
    if where is None:
        return index.search(vectors, k)
    require(COUNT, k=k)
    if k < 1:
        raise UsageError(f"k must be at least 1, not {k}")
    found = _Found(len(vectors), k)
    about = filters.about(where)
    if about.ids is None and about.share >= MANY:
        _look_up_nearest(filters, index, vectors, found, where)
    if found.missing.size:
        allowed = filters.ids(where)
        many = len(allowed) > min(FEW, len(index) // 4)
        if many:
            fetched = _enough(k, len(allowed) / len(index))
            found.search(index, vectors, fetched, lambda _: TRIES * fetched, lambda ids: _in(ids, allowed))
        found.add_among(index, vectors, allowed, WIDER if many else 1)
    return found.ids, found.scores


def _enough(k: int, share: float) -> int:
    """How many of the nearest hold k matching ones almost surely, if that share of all match, wherever they are."""
    share = min(1.0, share)
    return math.ceil((k + SURE * math.sqrt(k * (1 - share)) + 1) / share)


def _look_up_nearest(filters: Filters, index: VectorIndex, vectors: Vectors, found: _Found, where: Condition) -> None:
    """Looks up which of the nearest match: of a filter for many items that is enough, and far less work."""
    about = filters.about(where)

    def matching(ids: Ids) -> NDArray[np.bool_]:
        about.spent += ids.size * LOOK_UP + SEARCH
        return _in(ids, filters.store.contents_among(np.unique(ids).tolist(), where))

    fetched = _enough(found.k, about.share)

    def most(queries: int) -> int:
        """So many for each query that it costs less than looking at all items would."""
        return min(TRIES * fetched, int(len(index) - PATIENCE * about.spent) // (LOOK_UP * queries))

    found.search(index, vectors, fetched, most, matching)


def within(
    filters: Filters, index: VectorIndex, vectors: Vectors, min_score: float, where: Condition | None
) -> list[tuple[Ids, Scores]]:
    """All contents with `min_score` or more for each vector that have an item for which the filter holds."""
    if where is None:
        return index.range_search(vectors, min_score)
    allowed = filters.about(where).ids
    if allowed is not None and len(allowed) <= FEW:
        return index.range_search(vectors, min_score, allowed)
    near = index.range_search(vectors, min_score)
    if allowed is None:
        ids = np.unique(np.concatenate([np.empty(0, dtype=np.int64), *(ids for ids, _ in near)]))
        few = len(ids) * LOOK_UP <= len(index)
        allowed = filters.store.contents_among(ids.tolist(), where) if few else filters.ids(where)
    matches = [_in(ids, allowed) for ids, _ in near]
    return [(ids[chosen], scores[chosen]) for (ids, scores), chosen in zip(near, matches, strict=True)]


def _in(ids: Ids, ascending: Ids) -> NDArray[np.bool_]:
    """For each id whether it is one of the ascending ones; the cost hardly grows with these."""
    if not len(ascending):
        return np.zeros(ids.shape, dtype=np.bool_)
    places = np.minimum(np.searchsorted(ascending, ids), len(ascending) - 1)
    return np.asarray(ascending[places] == ids)


class _Found:
    """The answers so far: for each query the k best that match, or nothing yet."""

    def __init__(self, queries: int, k: int) -> None:
        self.k = k
        self.ids: Ids = np.zeros((queries, k), dtype=np.int64)
        self.scores: Scores = np.zeros((queries, k), dtype=np.float32)
        self.missing: NDArray[np.intp] = np.arange(queries)

    def search(
        self, index: VectorIndex, vectors: Vectors, fetched: int, most: Callable[[int], int], matching: Matching
    ) -> None:
        """Takes the matching ones of the nearest, of more and more of them, but never of over `most(queries)`."""
        while self.missing.size and fetched <= most(len(self.missing)):
            ids, scores = index.search(vectors[self.missing], fetched)
            matches = matching(ids)
            hits = int(matches.sum())
            self._take(ids, scores, matches)
            if not hits:
                return
            # As many as would be enough at this rate, and some more.
            fetched = max(4 * fetched, int(1.5 * self.k * matches.size / hits))

    def _take(self, ids: Ids, scores: Scores, matches: NDArray[np.bool_]) -> None:
        place = matches.cumsum(axis=1)
        enough = place[:, -1] >= self.k if place.shape[1] else np.zeros(len(place), dtype=np.bool_)
        chosen = matches[enough] & (place[enough] <= self.k)
        rows = self.missing[enough]
        self.ids[rows] = ids[enough][chosen].reshape(-1, self.k)
        self.scores[rows] = scores[enough][chosen].reshape(-1, self.k)
        self.missing = self.missing[~enough]

    def add_among(self, index: VectorIndex, vectors: Vectors, allowed: Ids, wider: int) -> None:
        """Answers the rest by searching among all that match for so many times more."""
        if not self.missing.size:
            return
        ids, scores = index.search(vectors[self.missing], self.k * wider, allowed)
        if ids.shape[1] < self.k and len(self.missing) < len(self.ids):
            # Others have changed the collection since the first queries were answered.
            self.missing = np.arange(len(self.ids))
            ids, scores = index.search(vectors, self.k * wider, allowed)
        width = min(self.k, ids.shape[1])
        self.ids, self.scores = self.ids[:, :width], self.scores[:, :width]
        self.ids[self.missing], self.scores[self.missing] = ids[:, :width], scores[:, :width]
        self.missing = self.missing[:0]
