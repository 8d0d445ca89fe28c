"""What has changed under a root: the files that must be read, and the rows that must be stored."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from simsearch.collection.adding.run import LOOK_UP, Job, Row, Run, batches
from simsearch.collection.adding.unchanged import as_before
from simsearch.errors import MediaError
from simsearch.media.folders.filters import FileFilter, LeftOut
from simsearch.media.folders.found import Found
from simsearch.media.images import IMAGE_SUFFIXES
from simsearch.media.rows import BadRow
from simsearch.media.scan import EVERYTHING, scan
from simsearch.media.tables import TABLE_SUFFIXES
from simsearch.media.text_rows import Reading, TextRow, read_rows
from simsearch.media.texts import TEXT_SUFFIXES
from simsearch.store import Known, RowFile
from simsearch.types import Skip

if TYPE_CHECKING:
    from simsearch.types import Item


def entries(
    root: str, modality: str, chosen: FileFilter = EVERYTHING, mounts: set[str] | None = None
) -> Iterator[Found | Skip | LeftOut]:
    """The files under a root that a collection is made of, and why the others are not."""
    if modality == "text":
        return scan(root, TEXT_SUFFIXES | TABLE_SUFFIXES, "text", chosen, mounts)
    return scan(root, IMAGE_SUFFIXES, "image", chosen, mounts)


def changed(run: Run, root: str) -> Iterator[Job]:
    """What must be read or stored. Records which items still exist."""
    # A known root that no longer exists has no files: its items are kept, or removed with `prune`.
    found = entries(root, run.encoder.modality, run.chosen, run.mounts) if os.path.lexists(root) else iter(())
    for batch in batches(found, LOOK_UP):
        files = [entry for entry in batch if isinstance(entry, Found) and entry.path not in run.sidecars]
        records = run.store.row_files([entry.path for entry in files]) if run.encoder.modality == "text" else {}
        whole = []
        for entry in files:
            record = records.get(entry.path)
            how = _reading(run, entry.path, record) if run.encoder.modality == "text" else None
            if how is not None:
                yield from _rows(run, entry, how, record)
            else:
                whole.append(entry)
                if record is not None:
                    run.replaced.add(run.store.ids_under(entry.path))
        yield from _whole_files(run, whole)
        _skip_entries(run, [entry for entry in batch if isinstance(entry, Skip) and entry.path not in run.sidecars])
        run.left_out |= {entry.path: entry.reason for entry in batch if isinstance(entry, LeftOut)}


def _reading(run: Run, path: str, record: RowFile | None) -> Reading | None:
    """How a file is read row by row: as given now, else as before, else as others of its root; None as a whole."""
    before = Reading.unpacked(record.reading) if record is not None else run.remembered
    return run.reading.over(before).of_rows(path)


def _whole_files(run: Run, files: Sequence[Found]) -> Iterator[Job]:
    known = run.store.known([entry.path for entry in files])
    encoding = run.reading.over(run.remembered).encoding
    relabelled: list[tuple[int, str | None]] = []
    stamps: list[tuple[int, int, int]] = []
    same, to_read = list[int](), list[tuple[Found, Known | None]]()
    for entry in files:
        item = known.get(entry.path)
        if item is None or run.verify or not as_before(item, entry) or encoding != run.remembered.encoding:
            to_read.append((entry, item))
            continue
        same.append(item.item_id)
        label = run.label(entry.path, entry.path)
        if label is not None and label != item.label:
            relabelled.append((item.item_id, label))
        if item.ctime_ns is None or item.problem is not None:
            stamps.append((item.item_id, entry.inode, entry.ctime_ns))
    if relabelled:
        run.store.set_labels(relabelled)
    if stamps:
        run.store.set_stamps(stamps)
    _unchanged(run, same)
    run.progress.advance(len(same))
    yield from _jobs(run, to_read, encoding)


def _unchanged(run: Run, items: Sequence[int]) -> None:
    ids = np.array(items, dtype=np.int64)
    run.seen.add(ids)
    run.unchanged += run.accounted.take(ids)


def _jobs(run: Run, files: Sequence[tuple[Found, Known | None]], encoding: str | None) -> Iterator[Job]:
    digests = run.store.digests([item.content_id for _, item in files if item is not None]) if files else {}
    for file, item in files:
        yield Job(
            file.path,
            file.size,
            file.mtime_ns,
            item,
            run.label(file.path, file.path),
            encoding=encoding,
            inode=file.inode,
            ctime_ns=file.ctime_ns,
            sha256=None if item is None else digests.get(item.content_id),
        )


def _skip_entries(run: Run, skipped: Sequence[Skip]) -> None:
    """Lists what the scan could not read. Items of such a path, or in such a folder, are there (see `sweep`)."""
    run.skipped += skipped
    run.unread.update((skip.path, skip.reason) for skip in skipped)
    run.progress.advance(len(skipped))


def _rows(run: Run, file: Found, how: Reading, record: RowFile | None) -> Iterator[Job]:
    """The rows of a file that are new or changed; a file that is as it was when it was read to its end has none."""
    read = RowFile(file.path, file.size, file.mtime_ns, how.packed(), file.inode, file.ctime_ns)
    here = run.store.ids_under(file.path)
    here = here[here <= run.last_item]
    if _is_as_read(record, read) and run.label_of is None and not run.verify:
        if record != read:
            run.read_files.append(read)
        _unchanged(run, here.tolist())
        run.progress.advance(len(here))
        return
    parts = batches(read_rows(file.path, how), LOOK_UP)
    try:
        # A missing column is reported before this way of reading is stored.
        first = next(parts, [])
        if record is None or record.reading != read.reading:
            run.replaced.add(here)
        run.store.set_row_files([read._replace(size=-1, mtime_ns=-1)])
        for rows in chain([first], parts):
            yield from _changed_rows(run, file, how, rows)
    except MediaError as error:
        # Its other rows may be readable next time.
        run.skipped.append(Skip(file.path, str(error)))
        run.unread[file.path] = str(error)
    else:
        run.read_files.append(read)


def _is_as_read(record: RowFile | None, now: RowFile) -> bool:
    """Whether a table is as it was when it was read to its end; inode and ctime were not always recorded."""
    return record is not None and now == record._replace(
        inode=now.inode if record.ctime_ns is None else record.inode,
        ctime_ns=now.ctime_ns if record.ctime_ns is None else record.ctime_ns,
    )


def _changed_rows(run: Run, file: Found, how: Reading, rows: Sequence[TextRow | BadRow]) -> Iterator[Job]:
    good = []
    for row in rows:
        if isinstance(row, BadRow):
            run.leave_out(file.path, row)
        else:
            good.append(row)
    items = run.store.items_by_uri([f"{file.path}#{row.key}" for row in good])
    same, jobs = list[int](), []
    emptied: list[tuple[int, str | None]] = []
    for row in good:
        uri = f"{file.path}#{row.key}"
        item, label = items.get(uri), row.label or run.label(file.path, uri)
        if item is not None and not _first_met(run, item):
            run.leave_out(file.path, duplicate_id(row.key, row.line))
            continue
        if item is not None and item.label is not None and how.label is not None and label is None:
            emptied.append((item.id, None))
        if item is not None and _is_same(item, row, label, described=how.by is None):
            same.append(item.id)
        else:
            jobs.append((row, uri, item, label))
    if emptied:
        run.store.set_labels(emptied)
    _unchanged(run, same)
    run.progress.advance(len(rows) - len(jobs))
    digests = [hashlib.sha256(row.text.encode()).digest() for row, *_ in jobs]
    stored = run.store.content_ids(digests)
    for (row, uri, item, label), digest in zip(jobs, digests, strict=True):
        known = None if item is None else Known(item.id, item.content_id, item.size, item.mtime_ns, item.label)
        read = Row(row.text, digest, digest in stored, file.path, row.line)
        # Lines and paragraphs have no columns: their items keep the metadata that they were given.
        about = row.metadata if how.by is None else None
        yield Job(uri, len(row.text.encode()), file.mtime_ns, known, label, about, read)


def duplicate_id(key: str, line: int) -> BadRow:
    return BadRow(line, f"the id {key!r} is that of an earlier row; each row needs its own")


def _first_met(run: Run, item: Item) -> bool:
    """Whether this is the first row of an item in this run; records that there is one."""
    if item.id > run.last_item or item.id in run.met:
        return False
    run.met.add(item.id)
    return True


def _is_same(item: Item, row: TextRow, label: str | None, *, described: bool) -> bool:
    same = not described or item.metadata == row.metadata
    return same and item.text == row.text and label in (None, item.label)
