"""Rows without their vectors, as JSON lines: within a .npz, or in a file beside one of vectors."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from simsearch.collection.exchange.records import Batches, Header, Record, parsed
from simsearch.errors import DamagedError
from simsearch.vectors.arrays import as_vectors


def beside(path: Path) -> Path:
    """The file of rows that belongs to a file of vectors."""
    return path.with_name(f"{path.name}.jsonl")


def write_beside(path: Path, rows: Path, header: Header, given: Batches) -> None:
    """Writes the file of rows for a file of vectors, with the checksum of that, so that no two others pair up."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    with rows.open("wb") as stream:
        stream.write(json.dumps(header.document(vectors=digest)).encode() + b"\n")
        write_rows(stream, given)


def write_rows(stream: IO[bytes], given: Batches) -> None:
    for records, _ in given:
        for record in records:
            stream.write(json.dumps(record.document(), allow_nan=False).encode() + b"\n")


def header_beside(path: Path, rows: Path) -> Header:
    """The header of a file of rows. Raises DamagedError when it was not written with the file of vectors."""
    with rows.open("rb") as stream:
        document = parsed(stream.readline(), f"{rows}, line 1")
    header = Header.of(document, str(rows))
    with path.open("rb") as stream:
        if hashlib.file_digest(stream, "sha256").hexdigest() != document.get("vectors"):
            raise DamagedError(f"{path} and {rows} were not exported together; export again")
    return header


def require_shape(header: Header, dim: int, count: int, path: Path) -> None:
    if (dim, count) != (header.dim, header.items):
        raise DamagedError(f"{path}: {count} vectors of {dim} numbers, the header has {header.items} of {header.dim}")


def behind_header(rows: Path) -> IO[bytes]:
    stream = rows.open("rb")
    stream.readline()
    return stream


def unnamed(name: str, blocks: Iterator[np.ndarray[Any, Any]]) -> Batches:
    """Rows that have no names of their own: they get that of the file and their numbers."""
    start = 0
    for block in blocks:
        yield [Record(f"{name}#{start + n}") for n in range(len(block))], as_vectors(block)
        start += len(block)


def paired(path: Path, blocks: Iterator[np.ndarray[Any, Any]], rows: Callable[[], IO[bytes]]) -> Batches:
    """Vectors with the lines of their rows."""
    number = 0
    with rows() as lines:
        for block in blocks:
            records = []
            for _ in range(len(block)):
                line, number = lines.readline(), number + 1
                if not line:
                    raise DamagedError(f"{path}: more vectors than rows")
                where = f"{path}, row {number}"
                records.append(Record.of_document(parsed(line, where), where))
            yield records, as_vectors(block)
        if lines.readline():
            raise DamagedError(f"{path}: more rows than vectors")
