"""Identities: enrolled from examples, recognized by the nearest one."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.collection.adding.labels import folder_label
from simsearch.collection.adding.run import batches
from simsearch.collection.adding.storing import TRANSACTION
from simsearch.collection.identities.following import following
from simsearch.collection.identities.reading import (
    ReadExample,
    check_label,
    encoded_examples,
    meant_source,
    own_vectors,
    read_example,
)
from simsearch.collection.identities.reviewing import review_new
from simsearch.collection.querying import is_folder
from simsearch.errors import MediaError, UsageError
from simsearch.media.ahead import ahead
from simsearch.media.arguments import one_source, source_list
from simsearch.media.encodings import check_encoding
from simsearch.media.folders.filters import LeftOut, as_skips
from simsearch.media.formats import IMAGE_SUFFIXES
from simsearch.media.images import BLANK_REMARK
from simsearch.media.scan import scan
from simsearch.media.texts import TEXT_SUFFIXES
from simsearch.progress import Working
from simsearch.store import NewExample
from simsearch.types import Skip

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from simsearch.collection.identities.deciding import Decider
    from simsearch.progress import Progress
    from simsearch.recognition.review import Finding, Review
    from simsearch.store import Store
    from simsearch.types import Encoder, Query, QueryLike


@dataclass(frozen=True, slots=True)
class EnrollReport:
    """`added` examples are new; `existing` ones had been enrolled under this label before."""

    added: int = 0
    existing: int = 0
    skipped: tuple[Skip, ...] = ()
    findings: tuple[Finding, ...] = ()
    """What looks wrong of the new examples; a strict review has refused these."""


@dataclass(frozen=True, slots=True)
class EnrollOptions:
    """How examples are read and reviewed."""

    force: bool = False
    """Enrolls blank images too."""
    encoding: str | None = None
    """Of text files without a byte order mark."""
    review: Review = "off"
    decider: Callable[[], Decider] | None = None
    """What gives the enrolled examples that new ones are compared with; needed for a review."""


@dataclass(frozen=True, slots=True)
class FoldersReport:
    """What was enrolled of a folder for each label; `skipped` has all that was not, also files of no label."""

    labels: Mapping[str, EnrollReport]
    skipped: tuple[Skip, ...]


def enroll(
    store: Store,
    encoder: Encoder,
    label: str,
    sources: Iterable[QueryLike],
    options: EnrollOptions,
) -> EnrollReport:
    """Makes each source an example of `label`. What cannot be read, or is blank without `force`, is skipped and listed.

    A blank example would be the nearest one of every blank input.
    """
    check_label(label)
    meant: list[tuple[str, Query]] = []
    closed: list[Skip] = []
    for row, source in enumerate(source_list(sources)):
        try:
            meant.append((label, meant_source(one_source(source, row), store, encoder)))
        except MediaError as error:
            closed.append(Skip(f"row {row}", error.reason))
    report = enroll_all(store, encoder, meant, options).get(label, EnrollReport())
    return replace(report, skipped=(*closed, *report.skipped))


def enroll_vectors(
    store: Store, label: str, vectors: ArrayLike | Iterable[object], options: EnrollOptions
) -> EnrollReport:
    """Makes each row an example of `label`, all in one transaction; with a bad row none is stored."""
    check_label(label)
    rows = own_vectors(store, vectors, f"an example of {label!r}")
    new = [(label, NewExample("", hashlib.sha256(row).digest(), row)) for row in rows]
    reports = _stored(store, new, [f"row {number}" for number in range(len(new))], options)
    return reports.get(label, EnrollReport())


def _stored(
    store: Store, rows: Sequence[tuple[str, NewExample]], names: Sequence[str], options: EnrollOptions
) -> dict[str, EnrollReport]:
    """What was enrolled of each label, in one transaction; a strict review refuses what looks wrong."""
    found: Mapping[int, Finding] = {}
    if options.review != "off" and options.decider is not None:
        found = review_new(store, options.decider(), rows, names)
    strict = options.review == "strict"
    # By content, as one may be given twice.
    wrong = {(rows[place][0], rows[place][1].sha256) for place in found} if strict else set()
    kept = [(label, one) for label, one in rows if (label, one.sha256) not in wrong]
    given = Counter(label for label, _ in kept)
    with following(store, list(given)):
        added = store.add_examples(kept)
    reports = {}
    for label in dict.fromkeys(label for label, _ in rows):
        mine = tuple(finding for finding in found.values() if finding.label == label)
        refused = [Skip(one.path, f"refused: {one.reason}") for one in mine] if strict else []
        new = added.get(label, 0)
        reports[label] = EnrollReport(new, given[label] - new, tuple(refused), mine)
    return reports


def enroll_folders(
    store: Store,
    encoder: Encoder,
    root: str | Path,
    progress: Progress,
    options: EnrollOptions,
) -> FoldersReport:
    """Makes each file in a folder within `root` an example of the label that the folder is named.

    A folder in a folder is a label of its own, as `Greek/alpha`. Raises UsageError when there is no such file.
    """
    top = os.path.abspath(root)  # noqa: PTH100  (resolving links would rename the examples)
    if not is_folder(top):
        raise UsageError(f"{root} is no folder; give one with a folder of examples for each label")
    loose, left_out = list[Skip](), list[LeftOut]()
    given: list[tuple[str, Query]] = []
    for entry in scan(top, *((TEXT_SUFFIXES, "text") if encoder.modality == "text" else (IMAGE_SUFFIXES, "image"))):
        label = folder_label(entry.path, top)
        if isinstance(entry, LeftOut):
            left_out.append(entry)
        elif isinstance(entry, Skip):
            loose.append(entry)
        elif label is None:
            loose.append(Skip(entry.path, "not in the folder of a label"))
        else:
            given.append((label, Path(entry.path)))
    if not given:
        raise UsageError(f"{root} has no {encoder.modality}s in folders; make a folder of examples for each label")
    with Working(progress, len(given), "examples", "enrolling"):
        reports = enroll_all(store, encoder, given, options, progress)
    return FoldersReport(
        reports, (*loose, *as_skips(left_out), *(skip for report in reports.values() for skip in report.skipped))
    )


def enroll_all(
    store: Store,
    encoder: Encoder,
    given: Sequence[tuple[str, Query]],
    options: EnrollOptions,
    progress: Progress | None = None,
) -> dict[str, EnrollReport]:
    """What was enrolled of each label: read in threads, encoded and stored in batches, each one transaction."""
    check_encoding(options.encoding)
    reports = dict[str, EnrollReport]()

    def read(numbered: tuple[int, tuple[str, Query]]) -> ReadExample:
        row, (label, source) = numbered
        return _unless_blank(read_example(encoder, label, source, options.encoding, row), options.force)

    for batch in batches(ahead(read, enumerate(given)), TRANSACTION):
        rows, skipped = encoded_examples(store, encoder, batch)
        done = {one.sha256 for _, one in rows}
        stored = _stored(store, rows, [one.name for one in batch if one.sha256 in done], options)
        for label in dict.fromkeys(one.label for one in batch):
            unread = tuple(skip for of, skip in skipped if of == label)
            reports[label] = _joined(reports.get(label, EnrollReport()), stored.get(label, EnrollReport()), unread)
        if progress is not None:
            progress.advance(len(batch))
    return reports


def _joined(before: EnrollReport, now: EnrollReport, unread: tuple[Skip, ...]) -> EnrollReport:
    return EnrollReport(
        before.added + now.added,
        before.existing + now.existing,
        (*before.skipped, *unread, *now.skipped),
        (*before.findings, *now.findings),
    )


def _unless_blank(read: ReadExample, force: bool) -> ReadExample:
    if force or read.prepared is None or not read.prepared.remark.startswith(BLANK_REMARK):
        return read
    return ReadExample(read.label, read.name, reason=f"{read.prepared.remark}; --force (force=True) enrolls it")
