"""Reading vectors from a file into a collection."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.collection.adding.indexing import total
from simsearch.collection.exchange.exporting import SUFFIXES
from simsearch.collection.exchange.forms.rows import beside
from simsearch.collection.exchange.records import Batch, Opened, Record
from simsearch.errors import DamagedError, EncoderMismatchError, UsageError, VectorError
from simsearch.store import Store, Write
from simsearch.types import AddReport

if TYPE_CHECKING:
    from simsearch.progress import Progress
    from simsearch.types import Item, Vectors


def opened(path: Path, stack: ExitStack) -> Opened:
    """The file, opened to be read until the stack is closed. Raises UsageError or DamagedError."""
    from simsearch.collection.exchange.forms import arrays, flat, jsonl, parquet

    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UsageError(f"{path}: files that can be imported end in {', '.join(SUFFIXES)}")
    if not path.is_file():
        raise UsageError(f"{path} does not exist; give a file of vectors")
    if suffix == ".jsonl":
        return jsonl.read(path, stack)
    if suffix == ".parquet":
        return parquet.read(path, stack)
    if suffix == ".npz":
        return arrays.read_npz(path, stack)
    return arrays.read_npy(path, beside(path)) if suffix == ".npy" else flat.read(path, stack)


def dim_of(path: Path) -> int:
    """The length of the vectors in a file."""
    with ExitStack() as stack:
        return opened(path, stack).dim


def import_vectors(store: Store, folder: Path, path: Path, progress: Progress) -> AddReport:
    """Stores the items of a file under their uris; one that is there already gets what the file has.

    A batch of 4,096 is one transaction: interrupted, or stopped by a row that cannot be used, the batches before are
    stored, and the next call goes on. Raises EncoderMismatchError when the collection has another encoder.
    """
    reports = []
    with ExitStack() as stack:
        found = opened(path, stack)
        _check(store, folder, path, found)
        progress.start(None if found.header is None else found.header.items, "items", "importing")
        stack.callback(progress.close)
        start = 0
        for records, vectors in _numbered(found, path):
            reports.append(_store(store, records, vectors))
            start += len(records)
            progress.advance(len(records))
        if found.header is not None and start != found.header.items:
            raise DamagedError(f"{path}: {start:,} items, the header has {found.header.items:,}")
    return total(reports)


def _numbered(found: Opened, path: Path) -> Iterator[Batch]:
    """The batches; errors name the row in the whole file."""
    start, batches = 0, iter(found.batches)
    while True:
        try:
            batch = next(batches, None)
        except VectorError as error:
            row = None if error.row is None else start + error.row
            raise VectorError(f"{error.reason} in {path}; the rows before are stored", row) from error
        if batch is None:
            return
        yield batch
        start += len(batch[0])


def _check(store: Store, folder: Path, path: Path, found: Opened) -> None:
    """Raises UsageError or EncoderMismatchError for vectors that cannot be compared with those of the collection."""
    if found.dim != store.dim:
        raise UsageError(f"{path} has vectors of {found.dim} numbers, {folder} of {store.dim}; choose another --index")
    pinned = store.setting("fingerprint") or ""
    if not pinned:
        return
    given = "" if found.header is None else found.header.fingerprint
    if given != pinned:
        about = f"of encoder {found.header.encoder} ({given})" if found.header and given else "of no known encoder"
        raise EncoderMismatchError(
            f"{folder} was built with encoder {store.setting('encoder')} ({pinned}), and the vectors of {path} are "
            f"{about}. Import them into a collection of their own: --index NEW_NAME"
        )


def _store(store: Store, records: list[Record], vectors: Vectors) -> AddReport:
    own = not store.setting("fingerprint")
    offered = [
        _own(record, vector) if own else _of_encoder(store, record, vector)
        for record, vector in zip(records, vectors, strict=True)
    ]
    contents = store.content_ids([write.sha256 for write in offered])
    before = store.items_by_uri([write.uri for write in offered])
    digests = store.digests([item.content_id for item in before.values()])
    store.write([replace(write, vector=None) if write.sha256 in contents else write for write in offered])
    same = sum(_is_there(write, before.get(write.uri), digests) for write in offered)
    added = len({write.uri for write in offered} - set(before))
    return AddReport(added=added, unchanged=same, updated=len(offered) - added - same)


def _is_there(write: Write, item: Item | None, digests: Mapping[int, bytes]) -> bool:
    return (
        item is not None
        and digests.get(item.content_id) == write.sha256
        and (write.label is None or item.label == write.label)
        and item.metadata == write.metadata
    )


def _own(record: Record, vector: Vectors) -> Write:
    """A vector of the user's own; what it is of counts as its content as well, so that two texts stay two."""
    content = vector.tobytes() + (record.text or "").encode("utf-8", "surrogatepass")
    return Write(
        uri=record.uri,
        sha256=hashlib.sha256(content).digest(),
        size=vector.nbytes if record.size is None else record.size,
        mtime_ns=record.mtime_ns or 0,
        label=record.label,
        metadata=record.metadata,
        kind="vector",
        width=record.width,
        height=record.height,
        vector=vector,
        text=record.text,
    )


def _of_encoder(store: Store, record: Record, vector: Vectors) -> Write:
    kind = store.setting("modality") or ""
    if record.sha256 is None or record.kind != kind or record.size is None:
        raise DamagedError(f"{record.uri!r} lacks what belongs to a content of an encoder; export it again")
    return Write(
        uri=record.uri,
        sha256=record.sha256,
        size=record.size,
        mtime_ns=record.mtime_ns or 0,
        label=record.label,
        metadata=record.metadata,
        kind=kind,
        width=record.width,
        height=record.height,
        vector=vector,
        text=record.text,
        rules=record.rules or 1,
    )
