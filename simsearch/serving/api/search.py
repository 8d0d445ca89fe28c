"""Search: the nearest items to a picture, a text, a stored item or a vector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from simsearch.collection.queries.resolving import resolved
from simsearch.collection.querying import remarks, score_kind, unknown_words
from simsearch.mixes import Mix
from simsearch.serving.answers import ApiError, Json
from simsearch.serving.api.context import ContextOf, ServedOf
from simsearch.serving.api.documents import answers, one, source_body
from simsearch.serving.api.items import check_filter
from simsearch.serving.api.sources import ITEM_ID, MANY, NUMBER, Inputs, Sources, read_inputs
from simsearch.serving.batching import Examples, Given
from simsearch.serving.records import match_record
from simsearch.types import Text

if TYPE_CHECKING:
    from simsearch.collection.facade import Collection
    from simsearch.collection.results import Matches
    from simsearch.types import Vectors

router = APIRouter(tags=["search"])


class SearchOptions(Sources):
    """A query and how it is answered."""

    like: list[ITEM_ID] = Field([], max_length=MANY, description="Items that the matches shall be like.")
    unlike: list[ITEM_ID] = Field([], max_length=MANY, description="Items that they shall not be like.")
    k: int = Field(10, ge=1, le=10_000, description="How many matches.")
    threshold: NUMBER | None = Field(None, ge=-1, le=1, description="The least score of a match.")
    where: str | None = Field(None, max_length=100_000, description="A filter, as \"label = 'cat' and size > 1000\".")
    exclude_self: bool = Field(False, description="Leave stored items out of their own matches.")
    diverse: NUMBER = Field(0, ge=0, le=1, description="How much matches shall differ from one another.")
    cursor: str | None = Field(None, pattern=r"^\d{1,7}$", description="From the page before, with the same query.")
    include_vector: bool = Field(False, description="Give the vector of the query, as for asking again without it.")


@dataclass(frozen=True, slots=True)
class Search:
    """Queries with these options are answered in one call."""

    k: int = 10
    threshold: float | None = None
    where: str | None = None
    offset: int = 0
    exclude_self: bool = False
    diverse: float = 0.0
    include_vector: bool = False

    def answers(self, collection: Collection, sources: Sequence[Any]) -> list[Found]:
        """The matches of each source, and its vector where that is wanted."""
        modality = collection.store.setting("modality") or ""
        vectors = resolved(collection, sources, None)[1] if self.include_vector else None
        # What has been encoded is not encoded again, but a vector does not know which item it is.
        asked = sources if vectors is None or self.exclude_self else list(vectors)
        found = collection.query_many(
            asked,
            self.k,
            min_score=self.threshold,
            where=self.where,
            offset=self.offset,
            exclude_self=self.exclude_self,
            diverse=self.diverse,
        )
        kinds = _kinds(collection, sources)
        return [
            Found(
                matches,
                kinds[type(source)],
                modality,
                None if vectors is None else vectors[row],
                _remarks(collection, source) if isinstance(source, Text) else (),
            )
            for row, (matches, source) in enumerate(zip(found, sources, strict=True))
        ]


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The matches of a query, what their scores compare, and what the collection holds."""

    matches: Matches
    score_kind: str
    modality: str
    vector: Vectors | None
    remarks: tuple[str, ...] = ()
    """What should be known of a text: which words of it are ignored, and what is cut."""


def _remarks(collection: Collection, text: Text) -> tuple[str, ...]:
    unknown = (f"{word}: not in the vocabulary of the encoder, ignored" for word in unknown_words(collection, [text]))
    return (*remarks(collection, [text]).values(), *unknown)


def _kinds(collection: Collection, sources: Sequence[Any]) -> dict[type, str]:
    """What scores compare, by the type of the source."""
    kinds: dict[type, str] = {Mix: "mix"}
    for source in sources:
        if type(source) not in kinds:
            kinds[type(source)] = score_kind(collection, source)
    return kinds


@router.post(
    "/search",
    summary="Search",
    responses=answers(one("Matches", "The matches, best first")),
    openapi_extra=source_body("SearchOptions", {"item": 3, "k": 10}),
    operation_id="search",
)
async def search(request: Request, context: ContextOf, served: ServedOf) -> Response:
    """The items that are most similar to a picture, a text, a stored item or a vector, best first.

    `like` and `unlike` pull the query towards items and away from them, or stand alone. `cursor` leads to the next `k`
    matches; it is null on the last page.
    """
    inputs = await read_inputs(request, SearchOptions, served, context.settings.limits)
    asked = inputs.options
    name, given = _query(inputs)
    if asked.where is not None:
        await run_in_threadpool(check_filter, served, asked.where)
    offset = int(asked.cursor or 0)
    wanted = Search(
        asked.k, asked.threshold, asked.where, offset, asked.exclude_self, asked.diverse, asked.include_vector
    )
    found: Found = await context.batchers[served.name].ask(wanted, given)
    matches = [match_record(match, found.score_kind, served.name, found.modality) for match in found.matches]
    following = str(offset + asked.k) if len(matches) == asked.k else None
    answer = {"query": name, "score_kind": found.score_kind, "matches": matches, "cursor": following}
    more = {} if found.vector is None else {"vector": found.vector.tolist()}
    return Json(answer | {"remarks": found.remarks} | more)


def _query(inputs: Inputs[SearchOptions]) -> tuple[str, Given | Examples]:
    """The query with its examples, and its name."""
    like, unlike = tuple(inputs.options.like), tuple(inputs.options.unlike)
    if not (like or unlike):
        return inputs.one()
    if not (inputs.sources or like):
        raise ApiError(422, "invalid", "there is nothing to be like; give a query, or like", "like")
    if not inputs.sources:
        return "examples", Examples(None, like, unlike)
    name, base = inputs.one()
    return name, Examples(base, like, unlike)
