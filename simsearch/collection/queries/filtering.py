"""Searches among what a filter matches: by looking for the matching contents first, or for the nearest ones."""

from __future__ import annotations

import difflib
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from simsearch.errors import UsageError
from simsearch.media.arguments import COUNT, require
from simsearch.where.tree import FIELDS, Key, columns_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.store import Store
    from simsearch.types import Ids, Scores, VectorIndex, Vectors
    from simsearch.where.tree import Condition

    Matching = Callable[[Ids], NDArray[np.bool_]]

FEW = 20_000
"""So many matching contents are compared one by one: exact, and quicker than finding them among their neighbors."""
PROBED = 64
"""Nearest contents that are looked up first."""
LOOK_UP = 8
"""Looking up a content in the database costs as much as looking at so many of all items in order."""
SHARE = 8
"""A search for more than one in so many contents costs more than comparing all that match."""
KEPT = 16
IDS_KEPT = 8_000_000
"""Bounds of what is remembered: filters, and contents of all of them, 64 MB."""


class Filters:
    """What filters match in a store, remembered until the database changes."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._turn = threading.Lock()
        self._remembered: OrderedDict[Condition, tuple[tuple[int, int], Ids]] = OrderedDict()
        self._keys: set[Key] = set()

    def known(self, where: Condition) -> Ids | None:
        """The contents that have an item for which the filter holds, ascending; None if they must be looked for."""
        state = self.store.state()
        with self._turn:
            before, ids = self._remembered.get(where, (None, None))
            if before != state:
                return None
            self._remembered.move_to_end(where)
            return ids

    def ids(self, where: Condition) -> Ids:
        """The same; looks at all items where they are not known."""
        found = self.known(where)
        if found is None:
            # The state before: what changes while all are looked at makes them unknown again.
            state, found = self.store.state(), self.store.contents_where(where)
            with self._turn:
                self._remembered.pop(where, None)
                self._remembered[where] = (state, found)
                while len(self._remembered) > 1 and self._are_many():
                    self._remembered.popitem(last=False)
        return found

    def _are_many(self) -> bool:
        total = sum(len(ids) for _, ids in self._remembered.values())
        return len(self._remembered) > KEPT or total > IDS_KEPT

    def require_keys(self, where: Condition) -> None:
        """Raises UsageError for a metadata key that no item has, with what may be meant: it may be a typing error."""
        for key in dict.fromkeys(column for column in columns_of(where) if isinstance(column, Key)):
            if key in self._keys:
                continue
            if not self.store.has_key(key) and self.store.last_item_id():
                raise self._unknown(key)
            self._keys.add(key)

    def _unknown(self, key: Key) -> UsageError:
        names = self.store.metadata_keys()
        close = difflib.get_close_matches(str(key), [*FIELDS, *names], n=1)
        meant = f"; did you mean {close[0]}?" if close else "."
        listed = f" Metadata keys are {', '.join(names)}." if names else " No item has metadata."
        return UsageError(f"where: no item has the metadata key {key}{meant} Fields are {', '.join(FIELDS)}.{listed}")

    # -- searches ----------------------------------------------------------------------------------------------

    def nearest(self, index: VectorIndex, vectors: Vectors, k: int, where: Condition | None) -> tuple[Ids, Scores]:
        """The k best contents for each vector that have an item for which the filter holds, and their scores.

        The shape is (q, min(k, how many there are)). Equal scores come by ascending id.
        """
        if where is None:
            return index.search(vectors, k)
        require(COUNT, k=k)
        if k < 1:
            raise UsageError(f"k must be at least 1, not {k}")
        found = _Found(len(vectors), k)
        if self.known(where) is None:
            self._probe(index, vectors, found, where)
        if found.missing.size:
            allowed = self.ids(where)
            if len(allowed) > min(FEW, len(index) // 4):
                expected = int(1.5 * k * len(index) / len(allowed)) + PROBED
                found.search(index, vectors, expected, lambda _: len(index) // SHARE, lambda ids: _in(ids, allowed))
            found.add_among(index, vectors, allowed)
        return found.ids, found.scores

    def _probe(self, index: VectorIndex, vectors: Vectors, found: _Found, where: Condition) -> None:
        """Looks up which of the nearest match: of a filter for many items that is enough, and far less work."""

        def matching(ids: Ids) -> NDArray[np.bool_]:
            return _in(ids, self.store.contents_among(np.unique(ids).tolist(), where))

        found.search(index, vectors, max(PROBED, 4 * found.k), lambda rows: len(index) // (LOOK_UP * rows), matching)

    def within(
        self, index: VectorIndex, vectors: Vectors, min_score: float, where: Condition | None
    ) -> list[tuple[Ids, Scores]]:
        """All contents with `min_score` or more for each vector that have an item for which the filter holds."""
        if where is None:
            return index.range_search(vectors, min_score)
        allowed = self.known(where)
        if allowed is not None and len(allowed) <= FEW:
            return index.range_search(vectors, min_score, allowed)
        near = index.range_search(vectors, min_score)
        if allowed is None:
            ids = np.unique(np.concatenate([np.empty(0, dtype=np.int64), *(ids for ids, _ in near)]))
            few = len(ids) * LOOK_UP <= len(index)
            allowed = self.store.contents_among(ids.tolist(), where) if few else self.ids(where)
        return [(ids[_in(ids, allowed)], scores[_in(ids, allowed)]) for ids, scores in near]


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

    def add_among(self, index: VectorIndex, vectors: Vectors, allowed: Ids) -> None:
        """Answers the rest by comparing with all that match."""
        if not self.missing.size:
            return
        ids, scores = index.search(vectors[self.missing], self.k, allowed)
        if ids.shape[1] < self.k and len(self.missing) < len(self.ids):
            # Others have changed the collection since the first queries were answered.
            self.missing = np.arange(len(self.ids))
            ids, scores = index.search(vectors, self.k, allowed)
        width = ids.shape[1]
        self.ids, self.scores = self.ids[:, :width], self.scores[:, :width]
        self.ids[self.missing], self.scores[self.missing] = ids, scores
        self.missing = self.missing[:0]
