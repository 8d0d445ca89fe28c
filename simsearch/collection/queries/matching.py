"""From vectors to matches: the items of the nearest contents, ranked."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from simsearch.collection.queries.diversity import POOL, chosen
from simsearch.collection.queries.filtering import nearest, within
from simsearch.collection.queries.resolving import items_in
from simsearch.collection.results import Matches
from simsearch.errors import UsageError
from simsearch.types import Match

if TYPE_CHECKING:
    from simsearch.collection.queries.remembered import Filters
    from simsearch.collection.queries.request import Request
    from simsearch.mixes import Mix
    from simsearch.types import Ids, Item, Query, Scores, VectorIndex, Vectors

CONTENTS_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Searched:
    """What is searched: an index and the filters of the store that it is of."""

    index: VectorIndex
    filters: Filters

    def matches(self, queries: Sequence[Query | Mix], vectors: Vectors, request: Request) -> list[Matches]:
        """The matches of each query and its vector, best first; items of equal content count separately.

        Equal scores are in the order of content and item ids, so that pages fit together.
        """
        left_out = [items_in(query) if request.exclude_self else () for query in queries]
        if request.diversity:
            found = [self._diverse(vectors[row : row + 1], request, without) for row, without in enumerate(left_out)]
        elif request.beyond is None:
            found = [list(self.above(vectors[row : row + 1], request, without)) for row, without in enumerate(left_out)]
        else:
            found = self._best(vectors, request, request.beyond, left_out)
        return [Matches(some, query) for some, query in zip(found, queries, strict=True)]

    def _best(
        self, vectors: Vectors, request: Request, beyond: int, left_out: Sequence[Collection[int]]
    ) -> list[list[Match]]:
        more = max(map(len, left_out), default=0)
        ids, scores = nearest(self.filters, self.index, vectors, beyond + more, request.where)
        items = self.filters.store.items_of(np.unique(ids).tolist(), request.where)
        return [
            list(islice(_ranked(ids[row], scores[row], items, request.min_score, without), request.offset, beyond))
            for row, without in enumerate(left_out)
        ]

    def above(self, vector: Vectors, request: Request, left_out: Collection[int] = ()) -> Iterator[Match]:
        """The matches of one query, shape (1, dim), with the minimum score or more; items are read as they are asked
        for, so that memory does not grow with them."""
        assert request.min_score is not None
        ((ids, scores),) = within(self.filters, self.index, vector, request.min_score, request.where)
        return islice(self._streamed(ids, scores, request, left_out), request.offset, request.beyond)

    def _streamed(self, ids: Ids, scores: Scores, request: Request, left_out: Collection[int]) -> Iterator[Match]:
        rank = 0
        for start in range(0, len(ids), CONTENTS_AT_ONCE):
            part = slice(start, start + CONTENTS_AT_ONCE)
            items = self.filters.store.items_of(ids[part].tolist(), request.where)
            for match in _ranked(ids[part], scores[part], items, None, left_out):
                rank += 1
                yield replace(match, rank=rank)

    def _diverse(self, vector: Vectors, request: Request, left_out: Collection[int]) -> list[Match]:
        assert request.beyond is not None
        if request.beyond > POOL:
            raise UsageError(f"diverse results are chosen among the nearest {POOL}; {request.beyond:,} are asked for")
        ids, scores = nearest(self.filters, self.index, vector, POOL + len(left_out), request.where)
        items = self.filters.store.items_of(ids[0].tolist(), request.where)
        here = {one: [item for item in some if item.id not in left_out] for one, some in items.items()}
        # One item stands for each content, the others of it are copies.
        firsts = {one: some[:1] for one, some in here.items()}
        candidates = list(_ranked(ids[0], scores[0], firsts, request.min_score))
        contents = [match.item.content_id for match in candidates]
        values = np.array([match.score for match in candidates], dtype=np.float32)
        order = chosen(values, self.filters.store.vectors_of(contents), request.beyond, request.diversity)
        found = []
        for rank, (place, folded) in enumerate(order, 1):
            copies = sum(len(here[contents[one]]) for one in (place, *folded)) - 1
            found.append(replace(candidates[place], rank=rank, copies=copies))
        return found[request.offset :]


def _ranked(
    ids: Ids,
    scores: Scores,
    items: dict[int, list[Item]],
    min_score: float | None,
    left_out: Collection[int] = (),
) -> Iterator[Match]:
    rank = 0
    for content_id, score in zip(ids.tolist(), scores.tolist(), strict=True):
        if min_score is not None and score < min_score:
            return
        for item in items.get(content_id, ()):
            if item.id not in left_out:
                rank += 1
                yield Match(rank, score, item)
