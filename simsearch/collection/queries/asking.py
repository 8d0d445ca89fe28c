"""The calls behind the command that queries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simsearch.collection.querying import score_kind
from simsearch.collection.results import Matches
from simsearch.errors import MediaError, UsageError
from simsearch.mixes import Mix
from simsearch.types import Skip

if TYPE_CHECKING:
    from simsearch.collection.queries.methods import QueryMethods
    from simsearch.types import Match, Query

STANDARD_INPUT = "-"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of each query, as of `QueryMethods.query`; `at_once` is whether all matches are held together."""

    k: int | None
    min_score: float | None
    where: str | None
    offset: int
    exclude_self: bool
    diverse: bool | float
    encoding: str | None
    at_once: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """The matches of one query, which may be read as they are asked for; `query` is its name."""

    query: str
    matches: Iterable[Match]
    score_kind: str
    """What the scores compare, see `querying.score_kind`; `mix` for a sum of several."""


def with_examples(queries: Sequence[Any], like: Sequence[Any], unlike: Sequence[Any]) -> list[Any]:
    """The queries, each with what it shall be more like, and less; one query of these where there is no other."""
    if not (like or unlike):
        return list(queries)
    if any(isinstance(query, Mix) for query in queries):
        raise UsageError("--like and --unlike go with files and texts; write examples into the sum of --mix itself")
    return [Mix.of_examples(like, unlike, query) for query in (queries or [None])]


def plain(queries: Iterable[Any]) -> list[Any]:
    """The queries, and in place of each mix its terms."""
    return [
        source
        for query in queries
        for source in ([term for _, term in query.terms] if isinstance(query, Mix) else [query])
    ]


def ask(collection: QueryMethods, queries: Sequence[Query | Mix], wanted: Wanted) -> Iterator[Answer | Skip]:
    """The matches of each query in turn, or why it cannot be read."""
    for query in queries:
        try:
            kind = "mix" if isinstance(query, Mix) else score_kind(collection, query)
            yield Answer(source_name(query), _matches(collection, query, wanted), kind)
        except MediaError as error:
            yield Skip(source_name(query), reason_of(query, error))


def _matches(collection: QueryMethods, query: Query | Mix, wanted: Wanted) -> Iterable[Match]:
    if wanted.k is None and wanted.min_score is not None and not (wanted.at_once or wanted.diverse):
        return collection.iterate_matches(
            query,
            wanted.min_score,
            where=wanted.where,
            offset=wanted.offset,
            exclude_self=wanted.exclude_self,
            encoding=wanted.encoding,
        )
    return collection.query(
        query,
        wanted.k,
        min_score=wanted.min_score,
        where=wanted.where,
        offset=wanted.offset,
        exclude_self=wanted.exclude_self,
        diverse=wanted.diverse,
        encoding=wanted.encoding,
    )


def source_name(query: object) -> str:
    """A query as it is named in answers."""
    return STANDARD_INPUT if isinstance(query, bytes) else str(query)


def reason_of(query: object, error: MediaError) -> str:
    """Why a query cannot be read, without its name."""
    return str(error).removeprefix(f"{query}: ") if isinstance(query, (str, Path)) else str(error)


def check_drawable(collection: QueryMethods) -> None:
    """Raises UsageError when the items cannot be drawn."""
    if collection.store.setting("modality") == "vector":
        raise UsageError(f"--save draws images and texts, and {collection.folder} holds vectors")


def save_matches(answers: Sequence[Answer], path: Path, *, force: bool = False) -> list[Path]:
    """The files that the contact sheet of the queries and their matches was saved in, one for each page.

    A file there must be such a sheet, unless `force`.
    """
    from simsearch.collection.results import sheets
    from simsearch.media.sheets import save_sheets

    found = [answer.matches for answer in answers]
    return save_sheets(sheets([one for one in found if isinstance(one, Matches)]), path, force=force)
