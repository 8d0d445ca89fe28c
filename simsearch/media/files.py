"""Reading regular files, with a short reason if a file cannot be read."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from simsearch.errors import MediaError, UsageError

MAX_FILE_BYTES = 512 * 2**20
# A named pipe opened for reading would wait for its writer. Windows has no such flag; it would translate line ends.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOCTTY", 0)
_KINDS = {
    stat.S_IFDIR: "is a folder",
    stat.S_IFIFO: "a named pipe, not a file",
    stat.S_IFSOCK: "a socket, not a file",
    stat.S_IFCHR: "a device, not a file",
    stat.S_IFBLK: "a device, not a file",
}

# A scheme has two letters or more: C:/ is a drive.
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/+[^/]|data:[\w/+.-]*[;,]")


def is_url(name: str | os.PathLike[str]) -> bool:
    """Whether a name has the form of a URL, as https://host/a.jpg, also as a Path, which drops one of the slashes."""
    text = os.fspath(name)
    if _URL.match(text) is None or os.path.lexists(text):
        return False
    # backup:/x can be a path in a folder named backup:
    return "://" in text or not os.path.lexists(text.partition(":")[0] + ":")


def refuse_url(name: str | os.PathLike[str], place: str) -> None:
    """Raises UsageError for a URL where only `place` is possible, as "a file or a folder"."""
    if is_url(name):
        raise UsageError(f"{os.fspath(name):.200} is a URL, which simsearch does not open; give {place}")


def read_file(path: str | os.PathLike[str]) -> bytes:
    """The whole of a regular file of at most 512 MiB. Never waits on a named pipe or a device.

    Raises MediaError with the reason alone; the path is for the caller to add.
    """
    content = _read(path, None)
    if not content:
        raise MediaError("empty file")
    return content


def read_head(path: str | os.PathLike[str], length: int) -> bytes:
    """At most the first `length` bytes of a regular file of any size. Raises MediaError like `read_file`."""
    return _read(path, length)


def _read(path: str | os.PathLike[str], length: int | None) -> bytes:
    """At most `length` bytes of a file; with None all of it, and an error when that is over the limit."""
    with opened(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        if length is None and size > MAX_FILE_BYTES:
            raise MediaError(f"{size / 2**20:,.0f} MiB, over the limit of {MAX_FILE_BYTES // 2**20} MiB for one file")
        # A file may grow while it is read, so the limit holds here as well.
        return stream.read(MAX_FILE_BYTES if length is None else length)


@contextlib.contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A regular file, to be read as a stream. Raises MediaError like `read_file`, also for what fails inside."""
    try:
        handle = os.open(path, _FLAGS)
    except (OSError, ValueError) as error:
        raise MediaError(_why_not_opened(error, path)) from error
    try:
        mode = os.fstat(handle).st_mode
        if not stat.S_ISREG(mode):
            raise MediaError(not_a_file(mode))
        with os.fdopen(handle, "rb", closefd=False) as stream:
            yield stream
    except OSError as error:
        raise MediaError(why(error)) from error
    finally:
        os.close(handle)


def not_a_file(mode: int) -> str:
    """The word for what is not a regular file, by its `st_mode`."""
    return _KINDS.get(stat.S_IFMT(mode), "not a regular file")


def why(error: OSError) -> str:
    """The reason of an operating system error, in a few words on one line."""
    if isinstance(error, PermissionError):
        return "permission denied"
    if isinstance(error, FileNotFoundError):
        return "no such file"
    return (error.strerror or type(error).__name__).lower()


def _why_not_opened(error: OSError | ValueError, path: str | os.PathLike[str]) -> str:
    if is_url(path):
        return "a URL, not a file; download it and give the file"
    if isinstance(error, ValueError):
        return "not a file name"
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError):
        return why(error)
    # A socket cannot be opened at all, and Windows reports a folder as "permission denied".
    return why(error) if stat.S_ISREG(mode) else not_a_file(mode)
