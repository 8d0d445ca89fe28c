"""JSON lines: a header, then an object for each item, with its vector as a list of numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import numpy as np

from simsearch.collection.adding.run import batches
from simsearch.collection.exchange.records import (
    BATCH,
    MARK,
    Batch,
    Batches,
    Header,
    Opened,
    Record,
    foreign_record,
    parsed,
)
from simsearch.errors import DamagedError
from simsearch.vectors.arrays import as_vectors

VECTOR = ("vector", "embedding")
"""The names of a vector in a file from elsewhere."""


def write(path: Path, header: Header, given: Batches) -> None:
    with path.open("w", encoding="ascii", newline="\n") as stream:
        _line(stream, header.document())
        for records, vectors in given:
            for record, vector in zip(records, vectors, strict=True):
                _line(stream, {**record.document(), "vector": vector.tolist()})


def _line(stream: IO[str], document: dict[str, Any]) -> None:
    # ASCII: a name that is no valid text comes back through its escapes.
    stream.write(json.dumps(document, allow_nan=False) + "\n")


def read(path: Path, stack: ExitStack) -> Opened:
    lines = _lines(path, stack.enter_context(path.open("rb")))
    number, first = next(lines, (1, None))
    if first is None:
        raise DamagedError(f"{path}: empty; there is nothing to import")
    header = Header.of(first, str(path)) if MARK in first else None
    if header is not None:
        return Opened(header, header.dim, _batches(path, lines, header.dim, exported=True))
    dim = len(_vector(first, f"{path}, line {number}"))

    def again() -> Iterator[tuple[int, dict[str, Any]]]:
        yield number, first
        yield from lines

    return Opened(None, dim, _batches(path, again(), dim, exported=False))


def _lines(path: Path, stream: IO[bytes]) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(stream, 1):
        if line.strip():
            yield number, parsed(line, f"{path}, line {number}")


def _vector(document: dict[str, Any], where: str) -> list[float]:
    vector = next((document[name] for name in VECTOR if name in document), None)
    if not isinstance(vector, list) or not vector:
        raise DamagedError(f"{where}: no vector; give a list of numbers as {' or '.join(VECTOR)}")
    return vector


def _batches(path: Path, lines: Iterator[tuple[int, dict[str, Any]]], dim: int, *, exported: bool) -> Batches:
    for some in batches(lines, BATCH):
        yield _batch(path, some, dim, exported=exported)


def _batch(path: Path, some: list[tuple[int, dict[str, Any]]], dim: int, *, exported: bool) -> Batch:
    records = []
    rows = np.empty((len(some), dim), dtype=np.float64)
    for place, (number, document) in enumerate(some):
        where = f"{path}, line {number}"
        vector = _vector(document, where)
        try:
            rows[place] = vector
        except (TypeError, ValueError):
            raise DamagedError(f"{where}: the vector has not {dim} numbers, as the first") from None
        rest = {key: value for key, value in document.items() if key not in VECTOR}
        default = f"{path.name}#{number}"
        records.append(Record.of_document(rest, where) if exported else foreign_record(rest, default, where))
    return records, as_vectors(rows.astype(np.float32) if exported else rows, dim)
