"""What has changed under a root: the files that must be read, and the rows that must be stored."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.collection.adding.run import LOOK_UP, Job, Row, Run, batches
from simsearch.errors import MediaError
from simsearch.media.folders.filters import FileFilter, LeftOut
from simsearch.media.images import IMAGE_SUFFIXES
from simsearch.media.rows import BadRow
from simsearch.media.scan import EVERYTHING, Found, scan
from simsearch.media.tables import TABLE_SUFFIXES
from simsearch.media.text_rows import Reading, TextRow, read_rows
from simsearch.media.texts import TEXT_SUFFIXES
from simsearch.store import Known, RowFile
from simsearch.types import Skip

if TYPE_CHECKING:
    from simsearch.types import Item


def entries(root: str, modality: str, chosen: FileFilter = EVERYTHING) -> Iterator[Found | Skip | LeftOut]:
    """The files under a root that a collection is made of, and why the others are not."""
    if modality == "text":
        return scan(root, TEXT_SUFFIXES | TABLE_SUFFIXES, "text", chosen)
    return scan(root, IMAGE_SUFFIXES, "image", chosen)


def changed(run: Run, root: str) -> Iterator[Job]:
    """What must be read or stored. Records which items still exist."""
    # A known root that no longer exists has no files: its items are kept, or removed with `prune`.
    found = entries(root, run.encoder.modality, run.chosen) if os.path.lexists(root) else iter(())
    for batch in batches(found, LOOK_UP):
        files = [entry for entry in batch if isinstance(entry, Found) and entry.path != run.sidecar]
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
        for other in batch:
            if isinstance(other, Skip):
                _skip_entry(run, other)
            elif isinstance(other, LeftOut):
                run.left_out[other.path] = other.reason


def _reading(run: Run, path: str, record: RowFile | None) -> Reading | None:
    """How a file is read row by row: as given now, else as before, else as others of its root; None as a whole."""
    before = Reading.unpacked(record.reading) if record is not None else run.remembered
    return run.reading.over(before).of_rows(path)


def _whole_files(run: Run, files: Sequence[Found]) -> Iterator[Job]:
    known = run.store.known([entry.path for entry in files])
    encoding = run.reading.over(run.remembered).encoding
    relabelled: list[tuple[int, str | None]] = []
    same = 0
    for entry in files:
        item = known.get(entry.path)
        label = run.label(entry.path, entry.path)
        as_before = item is not None and (item.size, item.mtime_ns) == (entry.size, entry.mtime_ns)
        if item is None or not as_before or encoding != run.remembered.encoding:
            yield Job(entry.path, entry.size, entry.mtime_ns, item, label, encoding=encoding)
            continue
        run.seen.add(item.item_id)
        same += 1
        if label is not None and label != item.label:
            relabelled.append((item.item_id, label))
    if relabelled:
        run.store.set_labels(relabelled)
    run.unchanged += same
    run.progress.advance(same)


def _skip_entry(run: Run, entry: Skip) -> None:
    """Lists what the scan could not read. Items in an unreadable folder count as existing."""
    run.skipped.append(entry)
    run.progress.advance()
    if Path(entry.path).is_dir():
        run.seen.add(run.store.ids_under(entry.path))


def _rows(run: Run, file: Found, how: Reading, record: RowFile | None) -> Iterator[Job]:
    """The rows of a file that are new or changed; a file that is as it was when it was read to its end has none."""
    read = RowFile(file.path, file.size, file.mtime_ns, how.packed())
    here = run.store.ids_under(file.path)
    here = here[here <= run.last_item]
    if record == read and run.label_of is None:
        run.seen.add(here)
        run.unchanged += len(here)
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
        run.seen.add(here)
    else:
        run.read_files.append(read)


def _changed_rows(run: Run, file: Found, how: Reading, rows: Sequence[TextRow | BadRow]) -> Iterator[Job]:
    good = []
    for row in rows:
        if isinstance(row, BadRow):
            run.leave_out(file.path, row)
        else:
            good.append(row)
    items = run.store.items_by_uri([f"{file.path}#{row.key}" for row in good])
    same, jobs = 0, []
    emptied: list[tuple[int, str | None]] = []
    for row in good:
        uri = f"{file.path}#{row.key}"
        item, label = items.get(uri), row.label or run.label(file.path, uri)
        if item is not None and not _first_met(run, item):
            run.leave_out(file.path, duplicate_id(row.key, row.line))
            continue
        if item is not None and item.label is not None and how.label is not None and label is None:
            emptied.append((item.id, None))
        if item is not None and _is_same(item, row, label):
            run.seen.add(item.id)
            same += 1
        else:
            jobs.append((row, uri, item, label))
    if emptied:
        run.store.set_labels(emptied)
    run.unchanged += same
    run.progress.advance(len(rows) - len(jobs))
    digests = [hashlib.sha256(row.text.encode()).digest() for row, *_ in jobs]
    stored = run.store.content_ids(digests)
    for (row, uri, item, label), digest in zip(jobs, digests, strict=True):
        known = None if item is None else Known(item.id, item.content_id, item.size, item.mtime_ns, item.label)
        read = Row(row.text, digest, digest in stored, file.path, row.line)
        yield Job(uri, len(row.text.encode()), file.mtime_ns, known, label, row.metadata, read)


def duplicate_id(key: str, line: int) -> BadRow:
    return BadRow(line, f"the id {key!r} is that of an earlier row; each row needs its own")


def _first_met(run: Run, item: Item) -> bool:
    """Whether this is the first row of an item in this run; records that there is one."""
    if item.id > run.last_item or item.id in run.met:
        return False
    run.met.add(item.id)
    return True


def _is_same(item: Item, row: TextRow, label: str | None) -> bool:
    return item.text == row.text and item.metadata == row.metadata and label in (None, item.label)
