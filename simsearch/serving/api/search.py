"""Search: the nearest items to a picture, a text, a stored item or a vector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response
from pydantic import Field

from simsearch.collection.queries.resolving import resolved
from simsearch.collection.querying import score_kind
from simsearch.errors import UsageError
from simsearch.mixes import Mix
from simsearch.serving.answers import Json
from simsearch.serving.api.context import ContextOf, ServedOf
from simsearch.serving.api.documents import MATCHES, SEARCH_BODY, answers
from simsearch.serving.api.sources import ITEM_ID, MANY, NUMBER, Sources, read_inputs
from simsearch.serving.records import match_record

if TYPE_CHECKING:
    from simsearch.collection.facade import Collection
    from simsearch.collection.results import Matches
    from simsearch.types import Item, Vectors

router = APIRouter(tags=["search"])


class SearchOptions(Sources):
    """A query and how it is answered."""

    k: int = Field(10, ge=1, le=10_000, description="How many matches.")
    threshold: NUMBER | None = Field(None, ge=-1, le=1, description="The least score of a match.")
    exclude_self: bool = Field(False, description="Leave stored items out of the matches of a query with them.")
    where: str | None = Field(None, max_length=100_000, description="A filter, as \"label = 'cat' and size > 1000\".")
    like: list[ITEM_ID] = Field(default=[], max_length=MANY, description="Ids of items: more like these.")
    unlike: list[ITEM_ID] = Field(default=[], max_length=MANY, description="Ids of items: not like these.")
    cursor: str | None = Field(None, pattern=r"^\d{1,7}$", description="From the page before, with the same query.")
    include_vector: bool = Field(False, description="Give the vector of the query, as for asking again without it.")


@dataclass(frozen=True, slots=True)
class Search:
    """Queries with these options are answered in one call."""

    k: int
    threshold: float | None
    exclude_self: bool
    where: str | None = None
    like: tuple[int, ...] = ()
    unlike: tuple[int, ...] = ()
    offset: int = 0
    include_vector: bool = False

    @classmethod
    def of(cls, asked: SearchOptions) -> Search:
        examples = tuple(asked.like), tuple(asked.unlike)
        offset = int(asked.cursor or 0)
        return cls(asked.k, asked.threshold, asked.exclude_self, asked.where, *examples, offset, asked.include_vector)

    def answers(self, collection: Collection, sources: Sequence[Any]) -> list[tuple[Matches, str, Vectors | None]]:
        """The matches of each source, what their scores compare, and its vector where that is wanted."""
        kinds = [score_kind(collection, source) for source in sources]
        like, unlike = (self._items(collection, ids) for ids in (self.like, self.unlike))
        if like or unlike:
            sources = [Mix.of_examples(like, unlike, source) for source in sources]
        vectors = resolved(collection, sources, None)[1] if self.include_vector else None
        found = collection.query_many(
            sources if vectors is None or self.exclude_self else list(vectors),
            self.k,
            min_score=self.threshold,
            where=self.where,
            offset=self.offset,
            exclude_self=self.exclude_self,
        )
        rows = [None] * len(sources) if vectors is None else list(vectors)
        return list(zip(found, kinds, rows, strict=True))

    @staticmethod
    def _items(collection: Collection, ids: Sequence[int]) -> list[Item]:
        found = collection.items_with(sorted(set(ids)))
        missing = set(ids) - {item.id for item in found}
        if missing:
            raise UsageError(f"there is no item {min(missing)} (any more); leave it out of the query")
        return found


@router.post(
    "/search",
    summary="Search",
    responses=answers(MATCHES),
    openapi_extra={"requestBody": SEARCH_BODY},
    operation_id="search",
)
async def search(request: Request, context: ContextOf, served: ServedOf) -> Response:
    """The items that are most similar to a picture, a text, a stored item or a vector, best first.

    `cursor` leads to the next `k` of them; it is null on the last page.
    """
    modality = served.modality()
    inputs = await read_inputs(request, SearchOptions, modality, context.settings.limits)
    name, source = inputs.one()
    asked = inputs.options
    wanted = Search.of(asked)
    found, kind, vector = await context.batchers[served.name].ask(wanted, source)
    matches = [match_record(match, kind, served.name, modality) for match in found]
    following = str(wanted.offset + asked.k) if len(matches) == asked.k else None
    more = {} if vector is None else {"vector": vector.tolist()}
    return Json({"query": name, "score_kind": kind, "matches": matches, "cursor": following} | more)
