"""Index files of FAISS that go elsewhere, or come from there."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.errors import DamagedError

if TYPE_CHECKING:
    from simsearch.types import Ids, Vectors

INNER_PRODUCT = 0
UNUSED = 1 << 20
"""What FAISS writes in two fields of the head of an index that have no meaning any more."""
SECONDS = 3600
GIBIBYTE = 2**30


def write_flat(path: Path, dim: int, count: int, vectors: Iterable[Vectors], ids: Iterable[Ids]) -> None:
    """Writes an IndexIDMap of an IndexFlatIP as FAISS does, a block at a time: FAISS holds all of it in memory.

    The layout is that of `write_index` of FAISS 1.5 and later (faiss/impl/index_write.cpp).
    """
    head = struct.pack("<iqqq?i", dim, count, UNUSED, UNUSED, True, INNER_PRODUCT)
    with path.open("wb") as stream:
        stream.write(b"IxMp" + head + b"IxFI" + head + struct.pack("<Q", count * dim))
        for block in vectors:
            stream.write(block.astype("<f4").tobytes())
        stream.write(struct.pack("<Q", count))
        for some in ids:
            stream.write(some.astype("<i8").tobytes())


def copied_out(path: Path, folder: Path, memory: int | None = None) -> tuple[Path, Path]:
    """Two files in `folder`: a .npy of the vectors in an index file of FAISS, and their ids as int64.

    A process of its own reads the file, because FAISS may crash on a hostile one, or ask for any amount of memory:
    `memory` bytes are what it gets, by default 1 GiB and four times the file. Raises DamagedError.
    """
    limit = memory or GIBIBYTE + 4 * path.stat().st_size
    vectors, ids = folder / "vectors.npy", folder / "ids"
    command = [sys.executable, "-m", "simsearch.vectors.copying_out", *map(str, (path.absolute(), vectors, ids, limit))]
    quiet = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            env=os.environ | quiet,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise DamagedError(f"{path}: was not read within {SECONDS // 60} minutes") from None
    if done.returncode == 0:
        return vectors, ids
    if done.returncode == 3:
        raise DamagedError(f"{path}: {done.stderr.strip().splitlines()[-1]}")
    reason = f"crashed the process that reads it (status {done.returncode})"
    raise DamagedError(f"{path}: {reason}: not an index of FAISS, or a damaged one")
