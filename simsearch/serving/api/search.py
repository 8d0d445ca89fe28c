"""Search: the nearest items to a picture, a text, a stored item or a vector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response
from pydantic import Field

from simsearch.collection.querying import score_kind
from simsearch.serving.answers import Json
from simsearch.serving.api.context import ContextOf, ServedOf
from simsearch.serving.api.documents import MATCHES, SEARCH_BODY, answers
from simsearch.serving.api.sources import NUMBER, Sources, read_inputs
from simsearch.serving.records import match_record

if TYPE_CHECKING:
    from simsearch.collection.facade import Collection
    from simsearch.collection.results import Matches

router = APIRouter(tags=["search"])


class SearchOptions(Sources):
    """A query and how it is answered."""

    k: int = Field(10, ge=1, le=10_000, description="How many matches.")
    threshold: NUMBER | None = Field(None, ge=-1, le=1, description="The least score of a match.")
    exclude_self: bool = Field(False, description="Leave a stored item out of its own matches.")


@dataclass(frozen=True, slots=True)
class Search:
    """Queries with these options are answered in one call."""

    k: int
    threshold: float | None
    exclude_self: bool

    def answers(self, collection: Collection, sources: Sequence[Any]) -> list[tuple[Matches, str]]:
        """The matches of each source, and what their scores compare."""
        found = collection.query_many(sources, self.k, min_score=self.threshold, exclude_self=self.exclude_self)
        return [(one, score_kind(collection, source)) for one, source in zip(found, sources, strict=True)]


@router.post(
    "/search",
    summary="Search",
    responses=answers(MATCHES),
    openapi_extra={"requestBody": SEARCH_BODY},
    operation_id="search",
)
async def search(request: Request, context: ContextOf, served: ServedOf) -> Response:
    """The items that are most similar to a picture, a text, a stored item or a vector, best first."""
    modality = served.modality()
    inputs = await read_inputs(request, SearchOptions, modality, context.settings.limits)
    name, source = inputs.one()
    asked = inputs.options
    wanted = Search(asked.k, asked.threshold, asked.exclude_self)
    found, kind = await context.batchers[served.name].ask(wanted, source)
    matches = [match_record(match, kind, served.name, modality) for match in found]
    return Json({"query": name, "score_kind": kind, "matches": matches, "cursor": None})
