"""The calls behind the commands: from names and files to a collection and its results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.collection.facade import Collection
from simsearch.collection.identities.comparing import Comparison, compare
from simsearch.collection.identities.enrolling import FoldersReport
from simsearch.collection.making import withdraw
from simsearch.collection.opening import chosen, kinds_of, opened_for_enrolling, opened_for_indexing
from simsearch.collection.places import default_name, existing, home, is_collection, named, the_one
from simsearch.collection.querying import resolve, score_kind
from simsearch.collection.results import sheet
from simsearch.collection.switching import finish_rebuild
from simsearch.errors import MediaError, UsageError
from simsearch.media.folders.filters import FileFilter
from simsearch.media.sheets import save_sheet
from simsearch.types import Skip

if TYPE_CHECKING:
    from simsearch.collection.identities.enrolling import EnrollReport
    from simsearch.collection.querying import Query
    from simsearch.collection.results import Matches
    from simsearch.media.text_rows import Reading
    from simsearch.progress import Progress
    from simsearch.recognition.calibration import Calibration
    from simsearch.types import AddReport, Recognition

STANDARD_INPUT = "-"


@dataclass(frozen=True, slots=True)
class Indexed:
    """`lost_examples` could not be enrolled again in a rebuild, because their files are gone.

    `withdrawn` is whether a new collection was taken away again, because nothing could be stored.
    """

    folder: Path
    report: AddReport
    items: int
    lost_examples: tuple[Skip, ...] = ()
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
    with opened_for_indexing(folder, sources, encoder, labels, chosen, by_name=index is not None) as opened:
        collection = opened.collection
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
        items = len(collection)
    failed = opened.is_new and not items and bool(report.skipped)
    if failed:
        withdraw(folder)
    return Indexed(folder, report, items, lost, failed)


def _rebuild(folder: Path, encoder: str | None, progress: Progress) -> tuple[Skip, ...]:
    if not is_collection(folder):
        raise UsageError(f"{folder} is no collection yet; leave --rebuild out to make it")
    with Collection.open(folder) as collection:
        return collection.rebuild(encoder, progress=progress)


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


@dataclass(frozen=True, slots=True)
class QueryResults:
    answers: list[Answer]
    skipped: tuple[Skip, ...]


def ask(
    collection: Collection,
    sources: Sequence[Query],
    *,
    k: int,
    min_score: float | None,
    exclude_self: bool,
    encoding: str | None = None,
) -> QueryResults:
    """The matches of each source that can be read; the others are listed."""
    answers, skipped = [], []
    for source in sources:
        try:
            found = collection.query(source, k, min_score=min_score, exclude_self=exclude_self, encoding=encoding)
        except MediaError as error:
            skipped.append(Skip(_shown(source), _reason(source, error)))
        else:
            answers.append(Answer(_shown(source), found, score_kind(collection, source)))
    return QueryResults(answers, tuple(skipped))


@dataclass(frozen=True, slots=True)
class Recognitions:
    """`encoder` is what the encoder of the collection is found by, "" for own vectors."""

    answers: list[tuple[str, Recognition]]
    skipped: tuple[Skip, ...]
    encoder: str
    calibration: Calibration | None
    stale: str | None


def identify(
    collection: Collection,
    sources: Sequence[Query],
    *,
    threshold: float | None,
    distinct: bool = False,
    encoding: str | None = None,
) -> Recognitions:
    """The identity of each source that can be read; the others are listed."""
    names: list[str] = []
    vectors: list[Query] = []
    skipped: list[Skip] = []
    for source in sources:
        try:
            vectors.append(resolve(collection, [source], encoding)[1][0])
            names.append(_shown(source))
        except MediaError as error:
            skipped.append(Skip(_shown(source), _reason(source, error)))
    found = collection.recognize_many(vectors, threshold=threshold, distinct=distinct) if vectors else []
    answers = list(zip(names, found, strict=True))
    calibration, stale = collection.decider.calibration, collection.decider.stale
    return Recognitions(answers, tuple(skipped), collection.store.setting("encoder") or "", calibration, stale)


def compare_two(
    first: Query,
    second: Query,
    *,
    index: str | None,
    encoder: str | None,
    threshold: float | None,
    encoding: str | None = None,
) -> Comparison:
    """Compares by the encoder that is named, else by that of the collection, else by the bundled one that fits."""
    if encoder is None and (index is not None or existing()):
        with open_one(index) as collection:
            return collection.compare(first, second, threshold=threshold, encoding=encoding)
    from simsearch.encoders import open_encoder

    opened = open_encoder(encoder or chosen(kinds_of([first, second])))
    return compare(opened, first, second, threshold, encoding)  # type: ignore[arg-type]


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
