"""A consistent copy of a database, also while others write to it."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.errors import DamagedError
from simsearch.store import checking
from simsearch.store.database import Database, translating_errors

if TYPE_CHECKING:
    from simsearch.store.records import Counts


def copy_to(database: Database, target: Path) -> None:
    """Writes the database, as it is at one moment, to a new file, by the online backup of SQLite.

    In one step: it reads a snapshot, which writers neither wait for nor change.
    """
    with database.outside() as source, translating_errors(target), contextlib.closing(sqlite3.connect(target)) as copy:
        # One file: what a killed process leaves is recognized by its name.
        copy.execute("PRAGMA journal_mode = MEMORY")
        copy.execute("PRAGMA synchronous = FULL")
        source.backup(copy)


def verified(path: Path) -> Counts:
    """What a copy holds, after all of it was read. Raises DamagedError when anything is wrong with it."""
    from simsearch.store import reading

    database = Database(path, write=False, immutable=True)
    try:
        with database.reading() as connection:
            problems = checking.problems(connection, path)
            if problems:
                raise DamagedError(f"{path}: {problems[0]}")
            return reading.counts(connection)
    finally:
        database.close()
