"""The calls behind the commands: from names and files to a collection and its results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.collection.facade import Collection
from simsearch.collection.places import default_name, existing, home, named, the_one
from simsearch.collection.querying import score_kind
from simsearch.collection.switching import finish_rebuild
from simsearch.errors import MediaError, UsageError
from simsearch.media.files import refuse_url
from simsearch.types import Skip

if TYPE_CHECKING:
    from simsearch.collection.results import Matches
    from simsearch.media.text_rows import Reading
    from simsearch.progress import Progress
    from simsearch.types import AddReport, Query

STANDARD_INPUT = "-"


@dataclass(frozen=True, slots=True)
class Indexed:
    """`withdrawn` is whether a new collection was taken away again, because nothing could be stored."""

    folder: Path
    report: AddReport
    items: int
    withdrawn: bool = False


def open_one(index: str | None, encoder: str | None = None) -> Collection:
    """The collection that a command means; `encoder` says where its encoder is now."""
    return Collection.open(the_one(index), encoder)


def nothing_yet() -> str | None:
    """A remark when there is no collection at all."""
    return None if existing() else f"No collection in {home()} yet. Make one: simsearch index FOLDER"


def index_sources(
    sources: Sequence[str],
    *,
    index: str | None,
    encoder: str | None,
    labels: str | None,
    reading: Reading,
    prune: bool,
    verify: bool,
    progress: Progress,
    exclude: Sequence[str] | None = None,
    include_hidden: bool | None = None,
    strict: bool = False,
    recall: float | None = None,
    memory: str | None = None,
) -> Indexed:
    """Creates the collection if need be and brings it up to date with the sources."""
    from simsearch.collection.making import withdraw
    from simsearch.collection.opening import opened_for_indexing
    from simsearch.media.folders.filters import FileFilter

    for source in sources:
        refuse_url(source, "folders or files")
    chosen = FileFilter(tuple(exclude or ()), bool(include_hidden))
    folder = named(index) if index is not None else home() / default_name(sources[0])
    finish_rebuild(folder)
    with opened_for_indexing(folder, sources, encoder, labels, chosen, by_name=index is not None) as opened:
        collection = opened.collection
        if recall is not None or memory is not None:
            collection.tune(recall=recall, memory=memory)
        report = collection.add(
            sources,
            labels=labels,
            by=reading.by,
            text_column=reading.text,
            id_column=reading.id,
            label_column=reading.label,
            encoding=reading.encoding,
            overlap=reading.overlap,
            exclude=exclude,
            include_hidden=include_hidden,
            strict=strict,
            prune=prune,
            verify_content=verify,
            progress=progress,
        )
        items = len(collection)
    failed = opened.is_new and not items and bool(report.skipped)
    if failed:
        withdraw(folder)
    return Indexed(folder, report, items, failed)


@dataclass(frozen=True, slots=True)
class Answer:
    """The matches of one query; `query` is its name."""

    query: str
    matches: Matches
    score_kind: str
    """What the scores compare, see `querying.score_kind`."""


def ask(
    collection: Collection,
    sources: Sequence[Query],
    *,
    k: int,
    min_score: float | None,
    exclude_self: bool,
    encoding: str | None = None,
) -> Iterator[Answer | Skip]:
    """The matches of each source in turn, or why it cannot be read."""
    for source in sources:
        try:
            found = collection.query(source, k, min_score=min_score, exclude_self=exclude_self, encoding=encoding)
            yield Answer(source_name(source), found, score_kind(collection, source))
        except MediaError as error:
            yield Skip(source_name(source), reason_of(source, error))


def source_name(source: Query) -> str:
    return STANDARD_INPUT if isinstance(source, bytes) else str(source)


def reason_of(source: Query, error: MediaError) -> str:
    return str(error).removeprefix(f"{source}: ") if isinstance(source, (str, Path)) else str(error)


def check_drawable(collection: Collection) -> None:
    """Raises UsageError when the items cannot be drawn."""
    if collection.store.setting("modality") == "vector":
        raise UsageError(f"--save draws images and texts, and {collection.folder} holds vectors")


def save_matches(answers: Sequence[Answer], path: Path, *, force: bool = False) -> list[Path]:
    """The files that the contact sheet of the queries and their matches was saved in, one for each page.

    A file there must be such a sheet, unless `force`.
    """
    from simsearch.collection.results import sheets
    from simsearch.media.sheets import save_sheets

    return save_sheets(sheets([answer.matches for answer in answers]), path, force=force)
