"""Space on disks: whether an error says that there is none, how much is missing, and space that is reserved."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from simsearch.errors import SimsearchError

CHUNK = 2**20
CANNOT_RESERVE = (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS, errno.ENODEV)
"""What file systems answer that know no reserving of space."""


def disk_is_full(error: BaseException) -> bool:
    """Whether an operating system error says that no space is left, on the disk or of a user's share."""
    full = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
    return isinstance(error, OSError) and error.errno in full


def missing_space(path: Path, needed: int | None = None) -> str:
    """As "the disk is full, 0.1 MB are free and about 2.1 MB needed", of the disk that `path` is or would be on."""
    folder = next(place for place in (path, *path.absolute().parents) if place.is_dir())
    free = f"the disk is full, {shutil.disk_usage(folder).free / 1e6:,.1f} MB are free"
    return free if needed is None else f"{free} and about {needed / 1e6:,.1f} MB needed"


@contextlib.contextmanager
def telling_full_disk(folder: Path, error_type: type[SimsearchError]) -> Iterator[None]:
    """Turns a full disk inside into an error of one line that says how to go on with the work in `folder`."""
    try:
        yield
    except OSError as error:
        if not disk_is_full(error):
            raise
        raise error_type(
            f"{folder}: {missing_space(folder)}; free some space and run the same command again, what was saved is kept"
        ) from error


def reserve(path: Path, size: int) -> None:
    """Gives a file that reads as zeros behind its first MiB `size` bytes on its disk; its contents stay.

    Writing to them, also through a memory map, cannot fail then for want of space: a sparse file ends the process.
    Raises OSError, as for a full disk. Takes a moment where the system can reserve space, else as long as writing.
    """
    # Unbuffered, so that an error is raised here and not when the file is closed.
    with path.open("r+b", buffering=0) as stream:
        if hasattr(os, "posix_fallocate"):
            try:
                os.posix_fallocate(stream.fileno(), 0, size)
            except OSError as error:
                if error.errno not in CANNOT_RESERVE:
                    raise
            else:
                return
        _write_zeros(stream, size)


def _write_zeros(stream: BinaryIO, size: int) -> None:
    head = stream.read(CHUNK).ljust(CHUNK, b"\0")
    stream.seek(0)
    position = 0
    while position < size:
        # A write may take less than it is given.
        left = head[position:] if position < CHUNK else bytes(CHUNK)
        position += stream.write(left[: size - position])
