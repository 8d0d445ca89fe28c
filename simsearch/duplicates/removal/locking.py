"""One run at a time: over a quarantine folder, and over the folders that were searched."""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from simsearch.errors import LockedError, PlanError

_LOCK_NAME = "lock"


@contextlib.contextmanager
def locked(quarantine: Path, searched: Iterable[str]) -> Iterator[None]:
    """Holds the locks of a quarantine folder and of each searched folder, as long as the block runs.

    The latter lie in the temporary folder of the system, as nothing is written among the files of the user: two plans
    for one folder with different quarantine folders could each remove what the other keeps. Raises LockedError naming
    the process that holds one.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(_lock(quarantine / _LOCK_NAME, str(quarantine)))
        for folder in sorted({os.path.realpath(folder) for folder in searched}):
            name = hashlib.sha256(os.fsencode(os.path.normcase(folder))).hexdigest()[:32]
            stack.enter_context(_lock(_locks() / name, folder))
        yield


@contextlib.contextmanager
def _lock(path: Path, what: str) -> Iterator[None]:
    import filelock

    lock, holder = filelock.FileLock(path, timeout=0), path.with_name(f"{path.name}.pid")
    try:
        lock.acquire()
        holder.write_text(f"{os.getpid()}\n")
    except filelock.Timeout:
        raise LockedError(
            f"{what}: duplicates are being removed or put back by process {_pid(holder)}; wait until it is done"
        ) from None
    except OSError as error:
        raise PlanError(f"{path} cannot be written: {error.strerror or error}") from error
    try:
        yield
    finally:
        lock.release()


def _locks() -> Path:
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):
        user = "unknown"
    folder = Path(tempfile.gettempdir()) / f"simsearch-{hashlib.sha256(user.encode()).hexdigest()[:8]}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise PlanError(f"{folder} cannot be made: {error.strerror or error}") from error
    return folder


def _pid(holder: Path) -> str:
    try:
        return holder.read_text().strip() or "?"
    except OSError:
        return "?"
