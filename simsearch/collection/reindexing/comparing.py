"""How the neighbors of items change from one state of a collection to another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simsearch.collection.results import Matches
from simsearch.evaluation.statistics.intervals import Figure, mean_figures
from simsearch.types import Match

if TYPE_CHECKING:
    from simsearch.collection.opened import OpenCollection
    from simsearch.types import Ids, Item, Scores

K = 10
SAMPLE = 500
SHOWN = 12
"""The items whose neighbors change most, shown in pictures."""


@dataclass(frozen=True, slots=True)
class NeighborChange:
    """The share of the k nearest contents that two encoders have in common: the mean over sampled contents with its
    95 % bootstrap interval, and the contents for which it is least, as matches before and after."""

    overlap: Figure
    k: int
    sampled: int
    examples: tuple[tuple[Matches, Matches], ...] = ()


def compare(old: OpenCollection, new: OpenCollection, *, seed: int = 0) -> NeighborChange | None:
    """The change for contents drawn from those that both states hold; None where there are fewer than two.

    A content is not its own neighbor.
    """
    drawn = _drawn(old, new, seed)
    if len(drawn) < 2:
        return None
    digests = list(drawn)
    before = _Neighbors(old, np.array([drawn[digest][0] for digest in digests], dtype=np.int64))
    after = _Neighbors(new, np.array([drawn[digest][1] for digest in digests], dtype=np.int64))
    k = max(1, min(K, before.most, after.most))
    shares = np.array([len(before.near(row, k) & after.near(row, k)) / k for row in range(len(digests))])
    least = np.argsort(shares, kind="stable")[:SHOWN].tolist()
    (overlap,) = mean_figures(shares[:, None], seed=seed)
    return NeighborChange(overlap, k, len(digests), tuple((before.matches(r, k), after.matches(r, k)) for r in least))


def _drawn(old: OpenCollection, new: OpenCollection, seed: int) -> dict[bytes, tuple[int, int]]:
    """The ids of sampled contents in both states, by sha256."""
    ids = np.sort(old.index.ids)
    chosen = np.random.default_rng(seed).permutation(ids)[: 2 * SAMPLE].tolist()
    mine = old.store.digests(chosen)
    theirs = new.store.content_ids([mine[one] for one in chosen if one in mine])
    both = [(mine[one], (one, theirs[mine[one]])) for one in chosen if one in mine and mine[one] in theirs]
    return dict(both[:SAMPLE])


class _Neighbors:
    """The nearest contents of some contents of one state, best first, without the contents themselves."""

    def __init__(self, collection: OpenCollection, ids: Ids) -> None:
        self._store = collection.store
        found, scores = collection.index.search(self._store.vectors_of(ids.tolist()), K + 1)
        self._ids = ids
        self._rows = [self._others(*row) for row in zip(ids.tolist(), found, scores, strict=True)]
        self._digests = self._store.digests(sorted({one for row, _ in self._rows for one in row.tolist()}))

    @staticmethod
    def _others(content_id: int, found: Ids, scores: Scores) -> tuple[Ids, Scores]:
        others = (found != content_id) & (found >= 0)
        return found[others][:K], scores[others][:K]

    @property
    def most(self) -> int:
        """The least number of neighbors that any of them has."""
        return min(len(row) for row, _ in self._rows)

    def near(self, row: int, k: int) -> set[bytes]:
        return {self._digests[one] for one in self._rows[row][0][:k].tolist() if one in self._digests}

    def matches(self, row: int, k: int) -> Matches:
        """The first item of each neighbor, with the item of the content itself as the query."""
        near, scores = self._rows[row]
        items = self._store.items_of([int(self._ids[row]), *near[:k].tolist()])
        found: list[tuple[float, Item]] = [
            (score, items[one][0])
            for one, score in zip(near[:k].tolist(), scores.tolist(), strict=False)
            if one in items
        ]
        query = items[int(self._ids[row])][0] if int(self._ids[row]) in items else None
        return Matches([Match(rank, score, item) for rank, (score, item) in enumerate(found, 1)], query)
