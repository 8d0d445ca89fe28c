"""The process that copies the vectors out of an index file of FAISS from elsewhere, with a limit on its memory."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import faiss
import numpy as np

ROWS_AT_ONCE = 8192
ENLARGED = 64
"""Largest number of bytes of vectors that a byte of a file may stand for: codes are no smaller than 4 bits."""


def limit_memory(size: int) -> None:
    """Lets this process have no more than `size` bytes of memory."""
    if sys.platform == "win32":
        _limit_by_job(size)
        return
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _limit_by_job(size: int) -> None:
    """As a job object of Windows (winnt.h, JOBOBJECT_EXTENDED_LIMIT_INFORMATION)."""
    import ctypes

    process_memory, extended = 0x100, 9
    kernel: Any = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined]
    # The basic limits are 64 bytes with the flags at 16, then 48 of counters, then the limit of a process.
    limits = bytearray(144)
    limits[16:20] = process_memory.to_bytes(4, "little")
    limits[112:120] = size.to_bytes(8, "little")
    job = kernel.CreateJobObjectW(None, None)
    given = (ctypes.c_char * len(limits)).from_buffer(limits)
    if not (
        kernel.SetInformationJobObject(job, extended, given, len(limits))
        and kernel.AssignProcessToJobObject(job, ctypes.c_void_p(-1))
    ):
        raise OSError(ctypes.get_last_error(), "the memory of a process cannot be limited")  # type: ignore[attr-defined]


def copy_out(path: Path, vectors: Path, ids: Path) -> None:
    """Writes the vectors of an index as a .npy, and their ids one after the other.

    Raises RuntimeError or MemoryError for what cannot be read.
    """
    callbacks: Any = faiss
    with path.open("rb") as stream:
        whole = faiss.read_index(callbacks.PyCallbackIOReader(stream.read))
    # An inner index is part of the whole, which must live as long.
    index = whole
    numbers = np.arange(whole.ntotal, dtype=np.int64)
    if isinstance(whole, (faiss.IndexIDMap, faiss.IndexIDMap2)):
        numbers = faiss.vector_to_array(whole.id_map)
        index = faiss.downcast_index(whole.index)
    inner: Any = faiss.try_extract_index_ivf(index)
    if inner is not None:
        # Its lists hold ids in any order; without a direct map no vector is found by its number.
        inner.make_direct_map()
    if index.ntotal * index.d * 4 > ENLARGED * path.stat().st_size:
        raise RuntimeError(f"{index.ntotal} vectors of {index.d} numbers are not in a file of this size")
    if len(numbers) != index.ntotal:
        raise RuntimeError(f"{index.ntotal} vectors for {len(numbers)} ids")
    with vectors.open("wb") as stream:
        shape = (index.ntotal, index.d)
        np.lib.format.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": shape})
        for start in range(0, index.ntotal, ROWS_AT_ONCE):
            stream.write(index.reconstruct_n(start, min(ROWS_AT_ONCE, index.ntotal - start)).astype("<f4").tobytes())
    numbers.astype("<i8").tofile(ids)


def main(arguments: list[str]) -> int:
    """Exit code 3, with a line on standard error, for a file that FAISS does not read."""
    path, vectors, ids = map(Path, arguments[:3])
    limit_memory(int(arguments[3]))
    try:
        copy_out(path, vectors, ids)
    except MemoryError:
        sys.stderr.write("needs more memory than a file of this size should\n")
        return 3
    except (RuntimeError, OSError, AttributeError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        sys.stderr.write(f"not an index of FAISS that vectors can be copied out of ({lines[-1]})\n")
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
