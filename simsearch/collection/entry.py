"""The calls behind the commands: from names and files to a collection and its results."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.collection.adding.changes import entries
from simsearch.collection.facade import Collection
from simsearch.collection.places import default_name, existing, home, is_collection, named, the_one
from simsearch.collection.querying import score_kind
from simsearch.collection.results import sheet
from simsearch.collection.switching import finish_rebuild
from simsearch.errors import MediaError, UsageError
from simsearch.media.folders.filters import FileFilter
from simsearch.media.folders.kinds import leading_kind, texts_that_count
from simsearch.media.scan import EVERYTHING, Found
from simsearch.media.sheets import save_sheet
from simsearch.types import Skip

if TYPE_CHECKING:
    from simsearch.collection.querying import Query
    from simsearch.collection.results import Matches
    from simsearch.media.text_rows import Reading
    from simsearch.progress import Progress
    from simsearch.types import AddReport, Recognition

ENCODERS = {"image": "photo", "text": "text"}
"""The encoder of a new collection, by what it is to hold."""
STANDARD_INPUT = "-"


@dataclass(frozen=True, slots=True)
class Indexed:
    """`lost_examples` could not be enrolled again in a rebuild, because their files are gone."""

    folder: Path
    report: AddReport
    items: int
    lost_examples: tuple[Skip, ...] = ()


def open_one(index: str | None) -> Collection:
    """The collection that a command means."""
    return Collection.open(the_one(index))


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
    rebuild: bool,
    progress: Progress,
    exclude: Sequence[str] | None = None,
    include_hidden: bool | None = None,
    strict: bool = False,
) -> Indexed:
    """Creates the collection if need be and brings it up to date with the sources."""
    chosen = FileFilter(tuple(exclude or ()), bool(include_hidden))
    folder = named(index) if index is not None else home() / default_name(sources[0])
    finish_rebuild(folder)
    lost: tuple[Skip, ...] = ()
    if rebuild:
        lost = _rebuild(folder, encoder, progress)
    with _opened(folder, sources, encoder, labels, chosen, by_name=index is not None) as collection:
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
            progress=progress,
        )
        return Indexed(folder, report, len(collection), lost)


def _rebuild(folder: Path, encoder: str | None, progress: Progress) -> tuple[Skip, ...]:
    if not is_collection(folder):
        raise UsageError(f"{folder} is no collection yet; leave --rebuild out to make it")
    with Collection.open(folder) as collection:
        return collection.rebuild(encoder, progress=progress)


def _opened(
    folder: Path,
    sources: Sequence[str],
    encoder: str | None,
    labels: str | None,
    chosen: FileFilter,
    *,
    by_name: bool,
) -> Collection:
    """The collection at `folder`, made if it is not there. One made for another folder or encoder is refused."""
    if not is_collection(folder):
        missing = [source for source in sources if not Path(source).exists()]
        if missing:
            raise UsageError(f"{missing[0]} does not exist; give a folder or files")
        return Collection.create(folder, encoder or default_encoder(sources, labels, chosen))
    collection = Collection.open(folder)
    try:
        _check_encoder(collection, encoder)
        if not by_name:
            _check_roots(collection, sources)
    except UsageError:
        collection.close()
        raise
    return collection


def default_encoder(sources: Sequence[str], labels: str | None = None, chosen: FileFilter = EVERYTHING) -> str:
    """The encoder for what the sources hold: pictures or texts; nothing counts as pictures.

    Texts that describe pictures do not count (see `texts_that_count`), nor does the table that `labels` names. With
    three quarters of one kind or more it is that kind. Raises UsageError where it is unclear.
    """
    table = os.path.abspath(labels or "folder")  # noqa: PTH100
    given = {os.path.abspath(source) for source in sources}  # noqa: PTH100
    images = _files(sources, "image", chosen)
    texts = [path for path in _files(sources, "text", chosen) if path != table]
    counted = len(texts_that_count(images, texts, given))
    kind = leading_kind(len(images), counted)
    if kind is None:
        raise UsageError(
            f"{', '.join(sources)}: files of both kinds, {len(images):,} of pictures and {counted:,} of "
            f"texts; a collection holds one. Say which: --encoder {ENCODERS['image']} or --encoder {ENCODERS['text']}"
        )
    return ENCODERS[kind]


def _files(sources: Sequence[str], modality: str, chosen: FileFilter) -> list[str]:
    found = (entry for source in sources for entry in entries(source, modality, chosen))
    return [entry.path for entry in found if isinstance(entry, Found)]


def _check_encoder(collection: Collection, encoder: str | None) -> None:
    if encoder is None:
        return
    from simsearch.encoders import open_encoder

    asked, pinned = open_encoder(encoder), collection.store.setting("fingerprint")
    if asked.fingerprint != pinned:
        raise UsageError(
            f"{collection.folder} was built with encoder {collection.store.setting('encoder')} ({pinned}), not with "
            f"{encoder} ({asked.fingerprint}). Add --rebuild to encode everything again, or --index for another one"
        )


def _check_roots(collection: Collection, sources: Sequence[str]) -> None:
    """Two folders of the same name must not end in one collection unasked."""
    roots = list(collection.store.roots())
    for source in sources:
        path = Path(source).absolute()
        if roots and not any(path == Path(root) or Path(root) in path.parents for root in roots):
            raise UsageError(
                f"{collection.folder} is the collection of {roots[0]}, not of {path}. To add to it: "
                f"--index {collection.folder.name}; to make another one: --index NEW_NAME"
            )


@dataclass(frozen=True, slots=True)
class Answer:
    """The matches of one query; `query` is its name."""

    query: str
    matches: Matches
    score_kind: str
    """What the scores compare, see `querying.score_kind`."""


@dataclass(frozen=True, slots=True)
class QueryResults:
    answers: list[Answer]
    skipped: tuple[Skip, ...]


def ask(
    collection: Collection, sources: Sequence[Query], *, k: int, min_score: float | None, exclude_self: bool
) -> QueryResults:
    """The matches of each source that can be read; the others are listed."""
    answers, skipped = [], []
    for source in sources:
        try:
            found = collection.query(source, k, min_score=min_score, exclude_self=exclude_self)
        except MediaError as error:
            skipped.append(Skip(_shown(source), _reason(source, error)))
        else:
            answers.append(Answer(_shown(source), found, score_kind(collection, source)))
    return QueryResults(answers, tuple(skipped))


@dataclass(frozen=True, slots=True)
class Recognitions:
    answers: list[tuple[str, Recognition]]
    skipped: tuple[Skip, ...]


def identify(collection: Collection, sources: Sequence[Query], *, threshold: float | None) -> Recognitions:
    """The identity of each source that can be read; the others are listed."""
    answers, skipped = [], []
    for source in sources:
        try:
            answers.append((_shown(source), collection.recognize(source, threshold=threshold)))
        except MediaError as error:
            skipped.append(Skip(_shown(source), _reason(source, error)))
    return Recognitions(answers, tuple(skipped))


def _shown(source: Query) -> str:
    return STANDARD_INPUT if isinstance(source, bytes) else str(source)


def _reason(source: Query, error: MediaError) -> str:
    return str(error).removeprefix(f"{source}: ") if isinstance(source, (str, Path)) else str(error)


def check_sheet(collection: Collection) -> None:
    """Raises UsageError when the items cannot be drawn."""
    if collection.store.setting("modality") != "image":
        raise UsageError(f"--save draws pictures, and {collection.folder} holds none")


def save_matches(answers: Sequence[Answer], path: Path) -> None:
    """Saves the contact sheet of the queries and their matches."""
    save_sheet(sheet([answer.matches for answer in answers]), path)
