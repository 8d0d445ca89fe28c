"""Whether a file is still what the plan saw."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterator
from io import BufferedReader
from typing import TypeAlias

from simsearch.duplicates.removal.plan import FileState
from simsearch.errors import MediaError
from simsearch.media.files import not_a_file, why

Stamp: TypeAlias = tuple[int, int, int, int]
"""Device, inode, size and modification time: what changes when a file is written or replaced."""
# A named pipe opened for reading would wait for its writer; without O_BINARY Windows would translate line ends.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOCTTY", 0)


def verify(state: FileState) -> Stamp:
    """The stamp of a file that is what the plan saw: of the same size, then of the same checksum.

    Raises MediaError with the reason alone where it is not, or cannot be read.
    """
    try:
        symlink = stat.S_ISLNK(os.lstat(state.path).st_mode)
        if symlink != state.symlink:
            raise MediaError(f"is {'now' if symlink else 'no longer'} a symbolic link")
        size = os.stat(state.path).st_size  # noqa: PTH116
        with opened(state.path) as stream:
            if size != state.size:
                raise MediaError(f"has {size} bytes, {state.size} when the plan was made")
            before = stamp(os.fstat(stream.fileno()))
            if hashlib.file_digest(stream, "sha256").hexdigest() != state.sha256:
                raise MediaError("its content has changed since the plan was made")
            if stamp(os.fstat(stream.fileno())) != before:
                raise MediaError("is being written")
    except FileNotFoundError as error:
        raise MediaError("has vanished") from error
    except OSError as error:
        raise MediaError(f"cannot be read: {why(error)}") from error
    return before


def still(path: str, seen: Stamp) -> None:
    """Raises MediaError unless the file can be read and has the stamp that it was verified with."""
    try:
        with opened(path) as stream:
            now = stamp(os.fstat(stream.fileno()))
            stream.read(1)
    except FileNotFoundError as error:
        raise MediaError("has vanished") from error
    except OSError as error:
        raise MediaError(f"cannot be read: {why(error)}") from error
    if now != seen:
        raise MediaError("has changed a moment ago")


def writable(state: FileState) -> None:
    """Raises MediaError for a file that its owner has made read-only, even where the system would let it go."""
    if not state.symlink and not os.lstat(state.path).st_mode & 0o222:
        raise MediaError("is read-only; make it writable and apply the plan again")


def has_content(path: str, size: int, sha256: str) -> bool:
    """Whether a regular file (or the target of a link) has these bytes. Raises OSError."""
    if os.stat(path).st_size != size:  # noqa: PTH116
        return False
    with opened(path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == sha256


def stamp(seen: os.stat_result) -> Stamp:
    """What identifies this state of a file."""
    return seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns


@contextlib.contextmanager
def opened(path: str) -> Iterator[BufferedReader]:
    """A regular file to be read, whose time of access stays as it is where the system allows that."""
    try:
        handle = os.open(path, _FLAGS | getattr(os, "O_NOATIME", 0))
    except PermissionError:
        handle = os.open(path, _FLAGS)
    try:
        mode = os.fstat(handle).st_mode
        if not stat.S_ISREG(mode):
            raise MediaError(not_a_file(mode))
        with os.fdopen(handle, "rb", closefd=False) as stream:
            yield stream
    finally:
        os.close(handle)
