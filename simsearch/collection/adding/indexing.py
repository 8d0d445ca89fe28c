"""Bringing a collection up to date with files: only what changed is read, only new contents are encoded."""

from __future__ import annotations

import hashlib
import os
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.collection.adding import roots
from simsearch.collection.adding.changes import changed
from simsearch.collection.adding.labels import labeller
from simsearch.collection.adding.metadata import apply, read_table
from simsearch.collection.adding.renewing import renew, renew_examples
from simsearch.collection.adding.run import Accounted, Job, Row, Run
from simsearch.collection.adding.storing import outcomes, write
from simsearch.collection.adding.sweeping import sweep
from simsearch.errors import UsageError
from simsearch.media.files import refuse_url
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
    verify: bool,
    progress: Progress,
    metadata: str | None = None,
    exclude: Sequence[str] | None = None,
    include_hidden: bool | None = None,
    strict: bool = False,
) -> AddReport:
    """`add_files` for each source, which is remembered as a root with the way in which it is read.

    A source that is known under another name is meant by that; a new one that holds the files of a root which is not
    there any more is that root, moved. With `verify` every file is read. `exclude` and `include_hidden` are those of a
    `FileFilter`; None keeps what is remembered. Contents of earlier rules are renewed before.
    """
    of_labels = replace(reading, encoding=None) == Reading() and labels not in (None, "folder")
    if encoder.modality != "text" and reading != Reading() and not of_labels:
        raise UsageError(
            "by, text_column, id_column, label_column and encoding set how texts are read, but these are images"
        )
    for source in sources:
        refuse_url(source, "folders or files")
    reports, notes = list[AddReport](), list[str]()
    accounted = Accounted(store.last_item_id())
    # Resolving links would rename what is indexed.
    given = [os.path.abspath(source) for source in sources]  # noqa: PTH100
    about = None if metadata is None else read_table(metadata, reading.encoding, given)
    spelled: dict[str, str] = {}
    for source in given:
        spelled[source] = root = roots.known_spelling(store, source)
        notes += _follow(store, root)
        roots.add_root(store, root)
        chosen = _chosen(store, root, exclude, include_hidden)
        run = Run(
            store, encoder, progress, None, reading, remembered(store, root), chosen, verify=verify, strict=strict
        )
        run.accounted = accounted
        if labels is not None:
            encoding = reading.over(run.remembered).encoding
            run.label_of = labeller(labels, root, encoding, given, source)
        tables = [table for table in (labels, metadata) if table is not None]
        run.sidecars = frozenset(roots.known_spelling(store, table) for table in tables)
        renew(run, root)
        reports.append(add_files(run, root, prune=prune))
        _remember(run, root, reports[-1])
        notes += _perhaps_moved(run, root)
        renew_examples(run)
    done = total(reports)
    if about is not None:
        notes.append(apply(store, about, spelled))
        done = replace(done, skipped=(*done.skipped, *about.bad))
    return replace(done, notes=tuple(notes))


def _follow(store: Store, root: str) -> Iterator[str]:
    """Moves the items of a root that was moved to `root`; yields a note."""
    old = roots.moved_from(store, root)
    if old is not None:
        moved = store.move(old, root)
        yield f"{old} is now {root}: its {moved:,} items have their new paths"


def _perhaps_moved(run: Run, root: str) -> Iterator[str]:
    """Names a root that is not there, when this run met half of its contents under new paths."""
    for known in run.store.roots() if run.reused_contents else ():
        if os.path.lexists(known) or roots.is_in(known, root):
            continue
        contents = {item.content_id for item in run.store.items(run.store.ids_under(known))}
        if contents and 2 * len(contents & run.reused_contents) >= len(contents):
            command = shlex.join(["simsearch", "move", known, root])
            yield f"{known} is not there any more, and its contents are in {root}. If it was moved: {command}"


def remembered(store: Store, root: str) -> Reading:
    """How the files of the known root that contains `root` are read."""
    return Reading.unpacked(_of_root(store.roots(), root))


def _of_root(known: Mapping[str, str | None], root: str) -> str | None:
    """What is recorded for the known root that contains `root`."""
    for path in sorted(known, key=len, reverse=True):
        if roots.is_in(root, path):
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

    A file of unchanged size, mtime, inode and ctime counts as unchanged. A file of several texts that has changed is
    read as a whole, but only the texts that are new are encoded. An item whose file or row has vanished is removed, or
    kept if its disk may just not be there (see `sweep`). Each batch of 256 items is one transaction.
    """
    texts = run.encoder.modality == "text"
    countable = not (texts or isinstance(run.progress, Silent)) and os.path.lexists(root)
    total = count(root, run.chosen) if countable else None
    with Working(run.progress, total, "texts" if texts else "files", "indexing"):
        for batch in outcomes(run.encoder, changed(run, root), strict=run.strict):
            write(run, batch)
    return run.report(sweep(run, root, prune))


def encode_items(store: Store, encoder: Encoder, old: Store, progress: Progress) -> list[Skip]:
    """Encodes all items of another store into this one, images from their files; returns those that cannot be read.

    Items that are here already are left as they are, so an interrupted call is resumed.
    """
    run = Run(store, encoder, progress, None)
    holders: set[str] = set()
    with Working(progress, old.counts().items, "items", "encoding"):
        for batch in outcomes(encoder, _missing(run, old, holders)):
            write(run, batch)
    lost = list(run.all_skipped())
    if not lost:
        store.set_row_files(list(old.row_files(sorted(holders)).values()))
    return lost


def _missing(run: Run, old: Store, holders: set[str]) -> Iterator[Job]:
    """Jobs for the items that are not here yet; notes which files hold several items."""
    for items in old.iterate_items():
        uris = [item.uri for item in items]
        known, before = run.store.known(uris), old.known(uris)
        files = old.files_of([item.id for item in items])
        holders.update(files.values())
        run.progress.advance(len(known))
        for item in items:
            if item.uri not in known:
                stamp = before[item.uri]
                yield Job(
                    item.uri,
                    item.size,
                    item.mtime_ns,
                    None,
                    item.label,
                    item.metadata,
                    _stored(item, files),
                    inode=stamp.inode,
                    ctime_ns=stamp.ctime_ns,
                )


def _stored(item: Item, files: dict[int, str]) -> Row | None:
    """The text of an item as the old store keeps it; None for an image."""
    if item.text is None:
        return None
    return Row(item.text, hashlib.sha256(item.text.encode()).digest(), False, files.get(item.id))


def total(reports: Sequence[AddReport]) -> AddReport:
    """The sum of several reports."""
    return AddReport(
        added=sum(report.added for report in reports),
        reused=sum(report.reused for report in reports),
        unchanged=sum(report.unchanged for report in reports),
        updated=sum(report.updated for report in reports),
        removed=sum(report.removed for report in reports),
        kept=sum(report.kept for report in reports),
        skipped=tuple(dict.fromkeys(skip for report in reports for skip in report.skipped)),
        vanished=sum(report.vanished for report in reports),
        away=tuple(dict.fromkeys(folder for report in reports for folder in report.away)),
        renewed=sum(report.renewed for report in reports),
        remarks=tuple(remark for report in reports for remark in report.remarks),
        left_out=sum((Counter(report.left_out) for report in reports), Counter[str]()),
    )
