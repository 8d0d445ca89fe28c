"""The rows of an index in files that are mapped, not read: what is not looked at is not in memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simsearch.errors import DamagedError
from simsearch.vectors.faiss_index import FaissFlatIndex
from simsearch.vectors.npy import read_head

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from simsearch.types import Ids, Vectors


def write_rows(rows_path: Path, ids_path: Path, dim: int, count: int, batches: Iterable[tuple[Ids, Vectors]]) -> None:
    """Writes `count` rows of ascending ids as two .npy files, a batch at a time.

    Raises DamagedError when the batches hold another number of rows.
    """
    written = 0
    with rows_path.open("wb") as rows_file, ids_path.open("wb") as ids_file:
        _header(rows_file, (count, dim), "<f4")
        _header(ids_file, (count,), "<i8")
        for ids, rows in batches:
            written += len(ids)
            rows_file.write(np.ascontiguousarray(rows, dtype="<f4").data)
            ids_file.write(np.ascontiguousarray(ids, dtype="<i8").data)
    if written != count:
        raise DamagedError(f"{written:,} vectors where the database counts {count:,}; look closer: simsearch check")


def _header(stream: Any, shape: tuple[int, ...], descr: str) -> None:
    header = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)


def open_rows(rows_path: Path, ids_path: Path) -> FaissFlatIndex:
    """The exact index over the two files, mapped. Raises DamagedError for anything else.

    Size and checksum must have been compared with the manifest before.
    """
    rows, ids = _mapped(rows_path, "<f4", 2), _mapped(ids_path, "<i8", 1)
    if len(rows) != len(ids) or not rows.shape[1]:
        raise DamagedError(f"{rows_path}: vectors of shape {rows.shape} for {len(ids)} ids")
    return FaissFlatIndex.over(ids, rows)


def _mapped(path: Path, descr: str, dimensions: int) -> NDArray[Any]:
    try:
        with path.open("rb") as stream:
            shape, kind, fortran = read_head(stream)
            offset = stream.tell()
        if kind.newbyteorder("<").str != descr or len(shape) != dimensions or fortran:
            raise DamagedError(f"{path}: not an array of {descr} with {dimensions} dimensions")
        # The class of mapped arrays makes each slice slower.
        return np.asarray(np.memmap(path, dtype=kind, mode="r", offset=offset, shape=shape))
    except ValueError as error:
        raise DamagedError(f"{path}: not an array ({error})") from error
