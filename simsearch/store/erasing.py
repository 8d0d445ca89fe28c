"""Making sure that nothing is left in the files of a database of what was deleted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.errors import StoreError
from simsearch.store.exchange import pages

if TYPE_CHECKING:
    from simsearch.store.database import Database


def erase_traces(database: Database) -> bool:
    """Moves the write-ahead log into the database and empties it; returns False while readers keep it in use.

    Waits for readers as long as for any lock. Pages that were freed before deleted content was overwritten are removed.
    """
    with database.outside() as connection:
        if not _emptied(connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()):
            return False
        if free_pages_with_content(database.path):
            connection.execute("VACUUM")
            return _emptied(connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone())
    return True


def compact(database: Database) -> None:
    """Gives back the space of what was deleted, and that of the write-ahead log unless readers keep it in use."""
    with database.outside() as connection:
        if connection.execute("PRAGMA freelist_count").fetchone()[0]:
            connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _emptied(row: tuple[int, int, int]) -> bool:
    return row[0] == 0


def log_bytes(path: Path) -> int:
    """The size of the write-ahead log."""
    log = path.with_name(path.name + "-wal")
    return log.stat().st_size if log.exists() else 0


def free_pages_with_content(path: Path) -> list[int]:
    """The numbers of free pages of a database file that are not all zeros."""
    return [int(number) for number in _found("free", path).split()]


def holds(path: Path, wanted: bytes) -> bool:
    """Whether the bytes occur in a file."""
    return bool(_found("holds", path, wanted))


def _found(what: str, path: Path, wanted: bytes = b"") -> str:
    """What `pages` finds, as a program of its own.

    POSIX takes all locks of a process from a file as soon as it closes any descriptor of it. SQLite would be without
    its locks then: another process could delete the write-ahead log that this one goes on writing to.
    """
    import subprocess
    import sys

    # -I and -S: nothing but the standard library is imported, which is all that it needs.
    command = [sys.executable, "-I", "-S", os.path.abspath(pages.__file__), what, os.fspath(path)]  # noqa: PTH100
    # What is looked for goes another way than the arguments, which all users of the machine can list.
    done = subprocess.run(command, input=wanted, capture_output=True, check=False)
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip().splitlines()[-1]
        raise StoreError(f"{path} cannot be read: {reason}")
    return done.stdout.decode()
