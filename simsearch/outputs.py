"""Files and folders that commands write: what is there and was not written by simsearch is never replaced unasked."""

from __future__ import annotations

import os
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

from simsearch.errors import UsageError

EDGE = 4096
"""How many bytes at the beginning and at the end of a file are searched for the mark of an output."""


def require_output(path: Path, what: str, suffixes: Iterable[str], mark: bytes, *, force: bool = False) -> None:
    """Raises UsageError unless `what` can be written to `path`; called before the work that leads to it.

    The suffix must be one of `suffixes`, and the folder there. A file that is there must carry `mark`, which every
    output of this kind does near its beginning or its end, or `force` be given.
    """
    if path.suffix.lower() not in suffixes:
        suffix = path.suffix or "without suffix"
        raise UsageError(f"{path}: {what} cannot be {suffix}; give a name that ends in {' or '.join(suffixes)}")
    if not path.parent.is_dir():
        raise UsageError(f"{path}: there is no folder {path.parent}; make it first")
    if path.is_dir():
        raise UsageError(f"{path} is a folder; give the name of a file for {what}")
    if os.path.lexists(path) and not (force or _carries(path, mark)):
        raise UsageError(f"{path} exists and is not {what} by simsearch; give another name, or --force to replace it")


def _carries(path: Path, mark: bytes) -> bool:
    try:
        if not path.is_file():
            return False
        with path.open("rb") as stream:
            head = stream.read(EDGE)
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - EDGE))
            return mark in head or mark in stream.read(EDGE)
    except OSError:
        return False


def first_foreign(folder: Path, own: Iterable[str]) -> str | None:
    """The name of something in a folder that matches none of the patterns `own`; None when there is no such thing."""
    patterns = tuple(own)
    with os.scandir(folder) as listing:
        names = sorted(entry.name for entry in listing)
    return next((name for name in names if not any(fnmatchcase(name, pattern) for pattern in patterns)), None)
