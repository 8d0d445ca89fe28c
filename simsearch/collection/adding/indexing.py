"""Bringing a collection up to date with files: only what changed is read, only new contents are encoded."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.collection.adding.changes import changed
from simsearch.collection.adding.labels import labeller
from simsearch.collection.adding.run import Job, Row, Run
from simsearch.collection.adding.storing import outcomes, write
from simsearch.collection.adding.sweeping import sweep
from simsearch.errors import UsageError
from simsearch.media.files import refuse_url
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
) -> AddReport:
    """`add_files` for each source, which is remembered as a root with the way in which it is read."""
    of_labels = replace(reading, encoding=None) == Reading() and labels not in (None, "folder")
    if encoder.modality != "text" and reading != Reading() and not of_labels:
        raise UsageError(
            "by, text_column, id_column, label_column and encoding set how texts are read, but these are images"
        )
    for source in sources:
        refuse_url(source, "folders or files")
    # Resolving links would rename what is indexed.
    roots, reports = [os.path.abspath(source) for source in sources], []  # noqa: PTH100
    for root in roots:
        check_root(store, root)
        run = Run(store, encoder, progress, None, reading, _remembered(store, root))
        if labels is not None:
            encoding = reading.over(run.remembered).encoding
            run.label_of, run.sidecar = labeller(labels, root, encoding, roots), os.path.abspath(labels)  # noqa: PTH100
        reports.append(add_files(run, root, prune=prune))
        _remember(run, root, reports[-1])
    return total(reports)


def _remembered(store: Store, root: str) -> Reading:
    """How the files of the known root that contains `root` are read."""
    known = store.roots()
    for path in sorted(known, key=len, reverse=True):
        if root == path or root.startswith(path.rstrip(os.sep) + os.sep):
            return Reading.unpacked(known[path])
    return Reading()


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
    with Working(run.progress, count(root) if countable else None, "texts" if texts else "files", "indexing"):
        for batch in outcomes(run.encoder, changed(run, root)):
            write(run, batch)
    removed, kept = sweep(run, root, prune)
    return run.report(removed, kept)


def encode_items(store: Store, encoder: Encoder, old: Store, progress: Progress) -> list[Skip]:
    """Encodes all items of another store into this one, images from their files; returns those that cannot be read.

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
    """The text of an item as the old store keeps it; None for an image."""
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
    )
