"""The calls behind the commands: from names and files to a collection and its results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.collection.encoding import encoded
from simsearch.collection.facade import Collection
from simsearch.collection.places import default_name, existing, home, named, the_one
from simsearch.collection.querying import is_file, resolve, score_kind
from simsearch.collection.switching import finish_rebuild
from simsearch.errors import MediaError, UsageError
from simsearch.media.files import refuse_url
from simsearch.types import Skip, Text

if TYPE_CHECKING:
    from simsearch.collection.identities.comparing import Comparison
    from simsearch.collection.identities.enrolling import EnrollReport, FoldersReport
    from simsearch.collection.results import Matches
    from simsearch.media.text_rows import Reading
    from simsearch.progress import Progress
    from simsearch.types import AddReport, Query, Recognition, Source

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
class Enrolled:
    """`labels` has the reports by label, `examples` how many each label has now.

    `made` is whether the collection is new; it is not kept when nothing could be enrolled.
    """

    folder: Path
    encoder: str
    labels: Mapping[str, EnrollReport]
    skipped: tuple[Skip, ...]
    examples: Mapping[str, int]
    made: bool

    @property
    def any(self) -> bool:
        return any(report.added or report.existing for report in self.labels.values())


def enroll_sources(
    label: str,
    sources: Sequence[Query],
    *,
    index: str | None,
    encoder: str | None,
    remark: Callable[[Collection], None],
    force: bool = False,
    encoding: str | None = None,
) -> Enrolled:
    """Makes the sources examples of a label, and the collection if there is none; calls `remark` before."""
    from simsearch.collection.identities.enrolling import FoldersReport

    def enroll(collection: Collection) -> FoldersReport:
        remark(collection)
        report = collection.enroll(label, sources, force=force, encoding=encoding)
        return FoldersReport({label: report}, report.skipped)

    return _enrolled(enroll, sources, index, encoder)


def enroll_folders(
    folder: str,
    *,
    index: str | None,
    encoder: str | None,
    progress: Progress,
    force: bool = False,
    encoding: str | None = None,
) -> Enrolled:
    """Makes the files in each folder within `folder` examples of its name, and the collection if there is none."""
    return _enrolled(
        lambda collection: collection.enroll_folders(folder, progress=progress, force=force, encoding=encoding),
        [Path(folder)],
        index,
        encoder,
    )


def _enrolled(
    enroll: Callable[[Collection], FoldersReport], sources: Sequence[Query], index: str | None, encoder: str | None
) -> Enrolled:
    from simsearch.collection.making import withdraw
    from simsearch.collection.opening import opened_for_enrolling

    with opened_for_enrolling(index, encoder, sources) as opened:
        collection = opened.collection
        report, name = enroll(collection), collection.encoder.name
        labels = collection.labels()
    done = Enrolled(collection.folder, name, report.labels, report.skipped, labels, opened.is_new)
    if done.made and not done.any:
        withdraw(done.folder)
    return done


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
            yield Answer(_shown(source), found, score_kind(collection, source))
        except MediaError as error:
            yield Skip(_shown(source), _reason(source, error))


def identify(
    collection: Collection,
    sources: Sequence[Query],
    *,
    threshold: float | None,
    distinct: bool = False,
    encoding: str | None = None,
) -> Iterator[tuple[str, Recognition] | Skip]:
    """The identity of each source in turn, or why it cannot be read.

    With `distinct` all are read before the first is answered, and no label is given twice.
    """
    # Where nobody is enrolled, that is reported before what cannot be read.
    collection.recognize_many([], threshold=threshold)
    names: list[str] = []
    vectors: list[Query] = []
    for source in sources:
        try:
            vector = resolve(collection, [source], encoding)[1][0]
        except MediaError as error:
            yield Skip(_shown(source), _reason(source, error))
            continue
        if distinct:
            names.append(_shown(source))
            vectors.append(vector)
        else:
            yield _shown(source), collection.recognize(vector, threshold=threshold)
    if vectors:
        yield from zip(names, collection.recognize_many(vectors, threshold=threshold, distinct=True), strict=True)


def compare_two(
    first: str | Path | bytes,
    second: str | Path | bytes,
    *,
    index: str | None,
    encoder: str | None,
    threshold: float | None,
    encoding: str | None = None,
) -> Comparison:
    """Compares by the encoder that is named, else by that of the collection, else by the bundled one that fits."""
    from simsearch.collection.identities.comparing import compare
    from simsearch.collection.opening import chosen, kinds_of

    if encoder is None and (index is not None or existing()):
        with open_one(index) as collection:
            return collection.compare(first, second, threshold=threshold, encoding=encoding)
    from simsearch.encoders import open_encoder

    opened = open_encoder(encoder or chosen(kinds_of([first, second])))
    # A plain word is a file to an encoder of images; to one of texts it is a text, unless there is such a file.
    texts = opened.modality == "text"
    files = [isinstance(source, str) and not isinstance(source, Text) for source in (first, second)]
    given: list[Source] = [
        Path(str(source)) if plain and (not texts or is_file(str(source))) else source
        for plain, source in zip(files, (first, second), strict=True)
    ]
    return compare(opened, encoded(opened, given, encoding), threshold)


def _shown(source: Query) -> str:
    return STANDARD_INPUT if isinstance(source, bytes) else str(source)


def _reason(source: Query, error: MediaError) -> str:
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
