"""FAISS: a flat index of ids and vectors, with the other values in a .jsonl beside it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from simsearch.collection.exchange.forms.arrays import array_blocks
from simsearch.collection.exchange.forms.rows import (
    behind_header,
    beside,
    header_beside,
    paired,
    require_shape,
    write_beside,
)
from simsearch.collection.exchange.records import Batches, Header, Opened, Record
from simsearch.vectors.arrays import as_vectors
from simsearch.vectors.exchange import copied_out, write_flat


def write(path: Path, rows: Path, header: Header, given: Callable[[], Batches]) -> None:
    ids = (np.array([record.id for record in records], dtype=np.int64) for records, _ in given())
    write_flat(path, header.dim, header.items, (vectors for _, vectors in given()), ids)
    write_beside(path, rows, header, given())


def read(path: Path, stack: ExitStack) -> Opened:
    """The vectors are copied out of the file by another process, with a limit on its memory, before the first is used.

    They lie in temporary files until the stack is closed.
    """
    work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="simsearch-")))
    vectors, ids = copied_out(path, work)
    blocks, dim, count = array_blocks(lambda: vectors.open("rb"), str(path))
    rows = beside(path)
    if not rows.exists():
        numbers = np.memmap(ids, dtype="<i8", mode="r") if count else np.empty(0, np.int64)
        return Opened(None, dim, _numbered(path, blocks, numbers))
    header = header_beside(path, rows)
    require_shape(header, dim, count, path)
    return Opened(header, dim, paired(path, blocks, lambda: behind_header(rows)))


def _numbered(path: Path, blocks: Iterator[np.ndarray[Any, Any]], ids: np.ndarray[Any, Any]) -> Batches:
    """Rows named by the file and their ids in it."""
    start = 0
    for block in blocks:
        some = ids[start : start + len(block)].tolist()
        yield [Record(f"{path.name}#{one}") for one in some], as_vectors(block)
        start += len(block)
