"""The calls behind the commands of recognition: from names and files to identities."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.collection.encoding import encoded
from simsearch.collection.entry import open_one
from simsearch.collection.facade import Collection
from simsearch.collection.places import existing
from simsearch.collection.queries.asking import reason_of, source_name
from simsearch.collection.querying import is_file, resolve
from simsearch.errors import MediaError
from simsearch.types import Skip, Text

if TYPE_CHECKING:
    from simsearch.collection.identities.comparing import Comparison
    from simsearch.collection.identities.enrolling import EnrollReport, FoldersReport
    from simsearch.progress import Progress
    from simsearch.recognition.review import Finding, Review
    from simsearch.types import Query, Recognition, Source


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
    def findings(self) -> tuple[Finding, ...]:
        """What looks wrong of the new examples."""
        return tuple(finding for report in self.labels.values() for finding in report.findings)

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
    review: Review = "warn",
) -> Enrolled:
    """Makes the sources examples of a label, and the collection if there is none; calls `remark` before."""
    from simsearch.collection.identities.enrolling import FoldersReport

    def enroll(collection: Collection) -> FoldersReport:
        remark(collection)
        report = collection.enroll(label, sources, force=force, encoding=encoding, review=review)
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
    review: Review = "warn",
) -> Enrolled:
    """Makes the files in each folder within `folder` examples of its name, and the collection if there is none."""
    return _enrolled(
        lambda collection: collection.enroll_folders(
            folder, progress=progress, force=force, encoding=encoding, review=review
        ),
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
class Identified:
    """The identity of one query; `query` is its name."""

    query: str
    source: Query
    answer: Recognition


def identify(
    collection: Collection,
    sources: Sequence[Query],
    *,
    threshold: float | None,
    distinct: bool = False,
    encoding: str | None = None,
) -> Iterator[Identified | Skip]:
    """The identity of each source in turn, or why it cannot be read.

    With `distinct` all are read before the first is answered, and no label is given twice.
    """
    # Where nobody is enrolled, that is reported before what cannot be read.
    collection.recognize_many([], threshold=threshold)
    waiting: list[Query] = []
    vectors: list[Query] = []
    for source in sources:
        try:
            vector = resolve(collection, [source], encoding)[1][0]
        except MediaError as error:
            yield Skip(source_name(source), reason_of(source, error))
            continue
        if distinct:
            waiting.append(source)
            vectors.append(vector)
        else:
            yield Identified(source_name(source), source, collection.recognize(vector, threshold=threshold))
    answers = collection.recognize_many(vectors, threshold=threshold, distinct=True) if vectors else []
    for source, answer in zip(waiting, answers, strict=True):
        yield Identified(source_name(source), source, answer)


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
