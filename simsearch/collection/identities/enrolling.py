"""Identities: enrolled from examples, recognized by the nearest one."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
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

    from simsearch.progress import Progress
    from simsearch.store import Store
    from simsearch.types import Encoder, Query, QueryLike


@dataclass(frozen=True, slots=True)
class EnrollReport:
    """`added` examples are new; `existing` ones had been enrolled under this label before."""

    added: int = 0
    existing: int = 0
    skipped: tuple[Skip, ...] = ()


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
    *,
    force: bool = False,
    encoding: str | None = None,
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
    report = enroll_all(store, encoder, meant, force=force, encoding=encoding).get(label, EnrollReport())
    return replace(report, skipped=(*closed, *report.skipped))


def enroll_vectors(store: Store, label: str, vectors: ArrayLike | Iterable[object]) -> EnrollReport:
    """Makes each row an example of `label`, all in one transaction; with a bad row none is stored."""
    check_label(label)
    rows = own_vectors(store, vectors, f"an example of {label!r}")
    new = [(label, NewExample("", hashlib.sha256(row).digest(), row)) for row in rows]
    with following(store, [label]):
        added = store.add_examples(new).get(label, 0)
    return EnrollReport(added, len(new) - added)


def enroll_folders(
    store: Store,
    encoder: Encoder,
    root: str | Path,
    progress: Progress,
    *,
    force: bool = False,
    encoding: str | None = None,
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
        reports = enroll_all(store, encoder, given, progress, force=force, encoding=encoding)
    return FoldersReport(
        reports, (*loose, *as_skips(left_out), *(skip for report in reports.values() for skip in report.skipped))
    )


def enroll_all(
    store: Store,
    encoder: Encoder,
    given: Sequence[tuple[str, Query]],
    progress: Progress | None = None,
    *,
    force: bool = False,
    encoding: str | None = None,
) -> dict[str, EnrollReport]:
    """What was enrolled of each label: read in threads, encoded and stored in batches, each one transaction."""
    check_encoding(encoding)
    reports = dict[str, EnrollReport]()
    for batch in batches(
        ahead(lambda one: _unless_blank(read_example(encoder, *one, encoding), force), given), TRANSACTION
    ):
        rows, skipped = encoded_examples(store, encoder, batch)
        readable = Counter(label for label, _ in rows)
        with following(store, list(readable)):
            added = store.add_examples(rows)
        for label in dict.fromkeys(one.label for one in batch):
            before, new = reports.get(label, EnrollReport()), added.get(label, 0)
            reports[label] = EnrollReport(
                before.added + new,
                before.existing + readable[label] - new,
                (*before.skipped, *(skip for of, skip in skipped if of == label)),
            )
        if progress is not None:
            progress.advance(len(batch))
    return reports


def _unless_blank(read: ReadExample, force: bool) -> ReadExample:
    if force or read.prepared is None or not read.prepared.remark.startswith(BLANK_REMARK):
        return read
    return ReadExample(read.label, read.name, reason=f"{read.prepared.remark}; --force (force=True) enrolls it")
