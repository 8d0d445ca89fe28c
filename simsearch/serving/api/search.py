"""Search: the nearest items to a picture, a text, a stored item or a vector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response
from pydantic import Field

from simsearch.collection.querying import resolve, score_kind
from simsearch.serving.answers import Json
from simsearch.serving.api.context import ContextOf, ServedOf
from simsearch.serving.api.documents import MATCHES, SEARCH_BODY, answers
from simsearch.serving.api.sources import NUMBER, Sources, read_inputs
from simsearch.serving.records import match_record

if TYPE_CHECKING:
    from simsearch.collection.facade import Collection
    from simsearch.types import Match, Vectors

router = APIRouter(tags=["search"])


class SearchOptions(Sources):
    """A query and how it is answered."""

    k: int = Field(10, ge=1, le=10_000, description="How many matches.")
    threshold: NUMBER | None = Field(None, ge=-1, le=1, description="The least score of a match.")
    exclude_self: bool = Field(False, description="Leave a stored item out of its own matches.")
    cursor: str | None = Field(None, pattern=r"^\d{1,7}$", description="From the page before, with the same query.")
    include_vector: bool = Field(False, description="Give the vector of the query, as for asking again without it.")


@dataclass(frozen=True, slots=True)
class Search:
    """Queries with these options are answered in one call."""

    k: int
    threshold: float | None
    exclude_self: bool
    offset: int = 0
    include_vector: bool = False

    def answers(self, collection: Collection, sources: Sequence[Any]) -> list[tuple[list[Match], str, Vectors | None]]:
        """The matches of each source, what their scores compare, and its vector where that is wanted."""
        kinds = [score_kind(collection, source) for source in sources]
        vectors = resolve(collection, sources)[1] if self.include_vector else None
        asked = sources if vectors is None or self.exclude_self else list(vectors)
        found = collection.query_many(
            asked, self.k + self.offset, min_score=self.threshold, exclude_self=self.exclude_self
        )
        return [
            (one[self.offset :], kind, None if vectors is None else vectors[row])
            for row, (one, kind) in enumerate(zip(found, kinds, strict=True))
        ]


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
    offset = int(asked.cursor or 0)
    wanted = Search(asked.k, asked.threshold, asked.exclude_self, offset, asked.include_vector)
    found, kind, vector = await context.batchers[served.name].ask(wanted, source)
    matches = [match_record(match, kind, served.name, modality) for match in found]
    following = str(offset + asked.k) if len(matches) == asked.k else None
    more = {} if vector is None else {"vector": vector.tolist()}
    return Json({"query": name, "score_kind": kind, "matches": matches, "cursor": following} | more)
