"""NumPy: one .npz, or a .npy of the vectors with the other values in a .jsonl beside it."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import numpy as np

from simsearch.collection.exchange.forms.rows import (
    behind_header,
    header_beside,
    paired,
    require_shape,
    unnamed,
    write_beside,
    write_rows,
)
from simsearch.collection.exchange.records import BATCH, Batches, Header, Opened, foreign_record, parsed
from simsearch.errors import DamagedError
from simsearch.vectors.arrays import as_vectors
from simsearch.vectors.npy import read_head

SINGULAR = {"uris": "uri", "ids": "id", "labels": "label", "texts": "text"}
HEADER, ROWS, VECTORS, IDS = "header.json", "rows.jsonl", "vectors.npy", "ids.npy"


def write_npz(path: Path, header: Header, given: Callable[[], Batches]) -> None:
    """`np.load` gives `vectors` and `ids`, and the other values as the bytes of `rows.jsonl`."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        archive.writestr(HEADER, json.dumps(header.document()))
        with archive.open(VECTORS, "w", force_zip64=True) as stream:
            write_vectors(stream, header, given())
        with archive.open(IDS, "w", force_zip64=True) as stream:
            _array_header(stream, (header.items,), "<i8")
            for records, _ in given():
                stream.write(np.array([record.id for record in records], dtype="<i8").tobytes())
        with archive.open(ROWS, "w", force_zip64=True) as stream:
            write_rows(stream, given())


def write_npy(path: Path, rows: Path, header: Header, given: Callable[[], Batches]) -> None:
    with path.open("wb") as stream:
        write_vectors(stream, header, given())
    write_beside(path, rows, header, given())


def write_vectors(stream: IO[bytes], header: Header, given: Batches) -> None:
    _array_header(stream, (header.items, header.dim), "<f4")
    for _, vectors in given:
        stream.write(vectors.astype("<f4").tobytes())


def _array_header(stream: IO[bytes], shape: tuple[int, ...], kind: str) -> None:
    head = {"descr": kind, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, head)


def read_npz(path: Path, stack: ExitStack) -> Opened:
    try:
        archive = stack.enter_context(zipfile.ZipFile(path))
        names = archive.namelist()
        header = Header.of(parsed(archive.read(HEADER), f"{path}, {HEADER}"), str(path)) if HEADER in names else None
        if VECTORS not in names:
            raise DamagedError(f"{path}: no array of the name vectors; it has {', '.join(names) or 'none'}")
        blocks, dim, count = array_blocks(lambda: archive.open(VECTORS), f"{path}, vectors")
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        raise DamagedError(f"{path}: not a .npz ({error})") from None
    if header is None:
        return Opened(None, dim, _translated(path, _foreign(path, archive, blocks, count)))
    require_shape(header, dim, count, path)
    return Opened(header, dim, _translated(path, paired(path, blocks, lambda: archive.open(ROWS))))


def _translated(path: Path, given: Batches) -> Batches:
    try:
        yield from given
    except (zipfile.BadZipFile, KeyError, EOFError) as error:
        raise DamagedError(f"{path}: damaged ({error})") from None


def _foreign(path: Path, archive: zipfile.ZipFile, blocks: Iterator[np.ndarray[Any, Any]], count: int) -> Batches:
    """Rows of a .npz from elsewhere: arrays that are as long as the vectors are values of the rows, by their names."""
    columns = _columns(path, archive, count)
    start = 0
    for block in blocks:
        records = []
        for number in range(start, start + len(block)):
            row = {key: values[number].item() for key, values in columns.items()}
            records.append(foreign_record(row, f"{path.name}#{number}", f"{path}, row {number}"))
        yield records, as_vectors(block)
        start += len(block)


def _columns(path: Path, archive: zipfile.ZipFile, count: int) -> dict[str, np.ndarray[Any, Any]]:
    columns: dict[str, np.ndarray[Any, Any]] = {}
    for name in archive.namelist():
        key = name.removesuffix(".npy")
        if name == VECTORS or not name.endswith(".npy"):
            continue
        try:
            stream = io.BytesIO(archive.read(name))
            shape, kind, _ = read_head(stream)
            values = np.frombuffer(stream.read(), dtype=kind).reshape(shape)
        except ValueError as error:
            raise DamagedError(f"{path}, {key}: cannot be read ({error})") from None
        if values.shape == (count,):
            columns[SINGULAR.get(key, key)] = values
    return columns


def read_npy(path: Path, rows: Path) -> Opened:
    try:
        blocks, dim, count = array_blocks(lambda: path.open("rb"), str(path))
    except OSError as error:
        raise DamagedError(f"{path}: {error.strerror or error}") from None
    if not rows.exists():
        return Opened(None, dim, unnamed(path.name, blocks))
    header = header_beside(path, rows)
    require_shape(header, dim, count, path)
    return Opened(header, dim, paired(path, blocks, lambda: behind_header(rows)))


def array_blocks(opened: Callable[[], IO[bytes]], where: str) -> tuple[Iterator[np.ndarray[Any, Any]], int, int]:
    """The rows of a two-dimensional .npy a block at a time, the length of a row, and their number."""
    with opened() as stream:
        shape, kind = _array_head(stream, where)

    def blocks() -> Iterator[np.ndarray[Any, Any]]:
        with opened() as stream:
            _array_head(stream, where)
            for start in range(0, shape[0], BATCH):
                height = min(BATCH, shape[0] - start)
                content = stream.read(height * shape[1] * kind.itemsize)
                if len(content) != height * shape[1] * kind.itemsize:
                    raise DamagedError(f"{where}: ends within row {start + len(content) // (shape[1] * kind.itemsize)}")
                yield np.frombuffer(content, dtype=kind).reshape(height, shape[1])

    return blocks(), shape[1], shape[0]


def _array_head(stream: IO[bytes], where: str) -> tuple[tuple[int, int], np.dtype[Any]]:
    try:
        shape, kind, fortran = read_head(stream)
    except ValueError as error:
        raise DamagedError(f"{where}: not a .npy ({error})") from None
    if len(shape) != 2 or fortran or kind.kind not in "fiu" or not shape[1]:
        raise DamagedError(f"{where}: {kind} of shape {shape}; vectors are numbers of shape (n, dim), in C order")
    return shape, kind
