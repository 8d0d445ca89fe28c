"""One writer at a time: a file lock, with the pid of who holds it beside."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import filelock

from simsearch.collection.places import HOLDER_NAME, INDEX_FILES, LOCK_NAME, STORE_NAME
from simsearch.errors import DiskFullError, LockedError, StoreError
from simsearch.space import disk_is_full
from simsearch.store import Store
from simsearch.store.database import full

BATCH = 2 * 256 * 4096
"""Bytes of 256 items with vectors of 768 numbers and their rows, twice."""
BRIEFLY = " (reading)"
WIDTH = 23
PATIENCE = 30.0
"""Seconds to wait for a reader that saves the index file, which takes as long as writing that."""


@contextlib.contextmanager
def writing(folder: Path, *, brief: bool = False) -> Iterator[Store]:
    """The store of a collection opened for writing, under the writer's lock.

    Raises LockedError naming the process that holds it, StoreError when the folder cannot be written. See `held`.
    """
    with held(folder, brief=brief), Store.open(folder / STORE_NAME, write=True) as store:
        yield store


@contextlib.contextmanager
def held(folder: Path, seconds: float = 0, *, brief: bool = False) -> Iterator[None]:
    """Holds the writer's lock of a folder, waiting up to `seconds` for the process that has it.

    A reader that only saves the index file holds it with `brief`: others wait for that, whatever their `seconds`.

    Raises LockedError naming that process, StoreError when the folder cannot be written, also by what is done inside.
    """
    lock = filelock.FileLock(folder / LOCK_NAME)
    try:
        try:
            _acquire(lock, folder, seconds)
        except filelock.Timeout:
            if brief or not _holder(folder).endswith(BRIEFLY):
                raise
            _acquire(lock, folder, PATIENCE)
    except filelock.Timeout:
        raise LockedError(
            f"{folder} is being written by process {_holder(folder)}; wait until it is done, or stop it"
        ) from None
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        _sign(folder / HOLDER_NAME, BRIEFLY if brief else "")
        yield
    except DiskFullError as error:
        raise full(folder, _needed(folder)) from error
    except OSError as error:
        raise _unwritable(folder, error) from error
    finally:
        lock.release()


def _sign(path: Path, how: str) -> None:
    """Writes the pid of this process over that of the last one; emptying the file first would wait for the disk."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        os.write(file, f"{f'{os.getpid()}{how}':<{WIDTH}}\n".encode())
    finally:
        os.close(file)


def _acquire(lock: filelock.BaseFileLock, folder: Path, seconds: float) -> None:
    """Acquires the lock of the folder that has this name now: another may have taken the place of the one before."""
    while True:
        before = folder.stat()
        lock.acquire(timeout=seconds)
        try:
            if os.path.samestat(before, folder.stat()):
                return
        except OSError:
            lock.release()
            raise
        lock.release()


def _holder(folder: Path) -> str:
    try:
        return (folder / HOLDER_NAME).read_text().strip() or "?"
    except OSError:
        return "?"


def _needed(folder: Path) -> int:
    """About how many bytes a change needs: a batch in journal and database, and the index files once more."""
    return BATCH + sum(path.stat().st_size for pattern in INDEX_FILES for path in folder.glob(pattern))


def _unwritable(folder: Path, error: OSError) -> StoreError:
    if disk_is_full(error):
        return full(folder, _needed(folder))
    return StoreError(f"{folder} cannot be written: {error.strerror or error}")
