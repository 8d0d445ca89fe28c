"""The calls behind the commands: from names and files to a collection and its results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.collection.facade import Collection
from simsearch.collection.places import default_name, existing, home, named, the_one
from simsearch.collection.switching import finish_rebuild
from simsearch.media.files import refuse_url

if TYPE_CHECKING:
    from simsearch.media.text_rows import Reading
    from simsearch.progress import Progress
    from simsearch.types import AddReport


@dataclass(frozen=True, slots=True)
class Indexed:
    """`withdrawn` is whether a new collection was taken away again, because nothing could be stored."""

    folder: Path
    report: AddReport
    items: int
    withdrawn: bool = False


def open_one(index: str | None, encoder: str | None = None) -> Collection:
    """The collection that a command means; `encoder` is where its encoder is now."""
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
    metadata: str | None = None,
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
    tables = [table for table in (labels, metadata) if table not in (None, "folder")]
    with opened_for_indexing(folder, sources, encoder, tables, chosen, by_name=index is not None) as opened:
        collection = opened.collection
        if recall is not None or memory is not None:
            collection.tune(recall=recall, memory=memory)
        report = collection.add(
            sources,
            labels=labels,
            metadata=metadata,
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
