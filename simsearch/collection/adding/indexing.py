"""Bringing a collection up to date with files: only what changed is read, only new contents are encoded."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.collection.adding.changes import changed
from simsearch.collection.adding.labels import labeller
from simsearch.collection.adding.renewing import renew, renew_examples
from simsearch.collection.adding.run import Job, Row, Run
from simsearch.collection.adding.storing import outcomes, write
from simsearch.collection.adding.sweeping import sweep
from simsearch.errors import UsageError
from simsearch.media.folders.filters import FileFilter
from simsearch.media.scan import count
from simsearch.media.text_rows import Reading
from simsearch.progress import Progress, Silent, Working
from simsearch.store import Store
from simsearch.types import AddReport, Skip

if TYPE_CHECKING:
    from simsearch.types import Encoder, Item


def add_sources(
    store: Store,
    encoder: Encoder,
    sources: Sequence[str | Path],
    *,
    labels: str | None,
    reading: Reading,
    prune: bool,
    progress: Progress,
    exclude: Sequence[str] | None = None,
    include_hidden: bool | None = None,
    strict: bool = False,
) -> AddReport:
    """`add_files` for each source, which is remembered as a root with the way in which it is read.

    `exclude` and `include_hidden` are those of a `FileFilter`; None keeps what is remembered. Contents of earlier rules
    are renewed before.
    """
    of_labels = replace(reading, encoding=None) == Reading() and labels not in (None, "folder")
    if encoder.modality != "text" and reading != Reading() and not of_labels:
        raise UsageError(
            "by, text_column, id_column, label_column and encoding set how texts are read, but these are pictures"
        )
    reports = []
    for source in sources:
        root = os.path.abspath(source)  # noqa: PTH100  (resolving links would rename what is indexed)
        check_root(store, root)
        chosen = _chosen(store, root, exclude, include_hidden)
        run = Run(store, encoder, progress, None, reading, _remembered(store, root), chosen, strict=strict)
        if labels is not None:
            encoding = reading.over(run.remembered).encoding
            run.label_of, run.sidecar = labeller(labels, root, encoding), os.path.abspath(labels)  # noqa: PTH100
        renew(run, root)
        reports.append(add_files(run, root, prune=prune))
        _remember(run, root, reports[-1])
        renew_examples(run)
    return total(reports)


def _remembered(store: Store, root: str) -> Reading:
    """How the files of the known root that contains `root` are read."""
    return Reading.unpacked(_of_root(store.roots(), root))


def _of_root(known: Mapping[str, str | None], root: str) -> str | None:
    """What is recorded for the known root that contains `root`."""
    for path in sorted(known, key=len, reverse=True):
        if root == path or root.startswith(path.rstrip(os.sep) + os.sep):
            return known[path]
    return None


def _chosen(store: Store, root: str, exclude: Sequence[str] | None, include_hidden: bool | None) -> FileFilter:
    """Which files count: as given now, else as remembered."""
    before = FileFilter.unpacked(_of_root(store.filters(), root))
    chosen = FileFilter(
        before.exclude if exclude is None else tuple(exclude),
        before.include_hidden if include_hidden is None else include_hidden,
    )
    if chosen != before:
        store.set_filter(root, chosen.packed())
    return chosen


def _remember(run: Run, root: str, report: AddReport) -> None:
    """Stores how the files are read, unless none could be read so: that may be a typing error."""
    read = report.added + report.reused + report.unchanged + report.updated
    now = run.reading.over(run.remembered)
    if (
        run.encoder.modality == "text"
        and now != run.remembered
        and root in run.store.roots()
        and (read or not report.skipped)
    ):
        run.store.set_reading(root, now.packed())


def add_files(run: Run, root: str, *, prune: bool) -> AddReport:
    """Makes the items under `root` (a folder or a file, absolute) those of the files there.

    Unchanged size and mtime count as unchanged. A file of several texts that has changed is read as a whole, but only
    the texts that are new are encoded. An item whose file or row has vanished is removed, but when more than half of
    those under the root have, or none is left at all, they are kept (and counted in `kept`) unless `prune`: the disk
    may just not be there. Each batch of 256 items is one transaction.
    """
    texts = run.encoder.modality == "text"
    countable = not (texts or isinstance(run.progress, Silent)) and os.path.lexists(root)
    total = count(root, run.chosen) if countable else None
    with Working(run.progress, total, "texts" if texts else "files", "indexing"):
        for batch in outcomes(run.encoder, changed(run, root), strict=run.strict):
            write(run, batch)
    removed, kept = sweep(run, root, prune)
    return run.report(removed, kept)


def encode_items(store: Store, encoder: Encoder, old: Store, progress: Progress) -> list[Skip]:
    """Encodes all items of another store into this one, pictures from their files; returns those that cannot be read.

    Items that are here already are left as they are, so an interrupted call is resumed.
    """
    run = Run(store, encoder, progress, None)
    holders: set[str] = set()
    with Working(progress, old.counts().items, "items", "encoding"):
        for batch in outcomes(encoder, _missing(run, old, holders)):
            write(run, batch)
    lost = list(run.report(0, 0).skipped)
    if not lost:
        store.set_row_files(list(old.row_files(sorted(holders)).values()))
    return lost


def _missing(run: Run, old: Store, holders: set[str]) -> Iterator[Job]:
    """Jobs for the items that are not here yet; notes which files hold several items."""
    for items in old.iterate_items():
        known = run.store.known([item.uri for item in items])
        files = old.files_of([item.id for item in items])
        holders.update(files.values())
        run.progress.advance(len(known))
        for item in items:
            if item.uri not in known:
                yield Job(item.uri, item.size, item.mtime_ns, None, item.label, item.metadata, _stored(item, files))


def _stored(item: Item, files: dict[int, str]) -> Row | None:
    """The text of an item as the old store keeps it; None for a picture."""
    if item.text is None:
        return None
    return Row(item.text, hashlib.sha256(item.text.encode()).digest(), False, files.get(item.id))


def check_root(store: Store, path: str) -> None:
    """Remembers `path` as a place that this collection is fed from.

    A path that is not there is an error, unless the collection knows it: then its disk may be away.
    """
    known = store.roots()
    if path in known:
        return
    if not os.path.lexists(path):
        if len(store.ids_under(path)):
            return
        raise UsageError(f"{path} does not exist; give a folder or files")
    if not any(path == root or path.startswith(root.rstrip(os.sep) + os.sep) for root in known):
        store.add_root(path)


def total(reports: Sequence[AddReport]) -> AddReport:
    """The sum of several reports."""
    return AddReport(
        added=sum(report.added for report in reports),
        reused=sum(report.reused for report in reports),
        unchanged=sum(report.unchanged for report in reports),
        updated=sum(report.updated for report in reports),
        removed=sum(report.removed for report in reports),
        kept=sum(report.kept for report in reports),
        skipped=tuple(skip for report in reports for skip in report.skipped),
        renewed=sum(report.renewed for report in reports),
        remarks=tuple(remark for report in reports for remark in report.remarks),
        left_out=sum((Counter(report.left_out) for report in reports), Counter[str]()),
    )
