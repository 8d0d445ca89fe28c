"""The format of a database, without changing it."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import func, select

from simsearch.errors import CollectionNotFoundError
from simsearch.store.database import engine_of, translating_errors
from simsearch.store.migrations import MIGRATIONS, pending
from simsearch.store.schema import MIGRATION

NEWEST = MIGRATIONS[-1].number


def format_of(path: Path) -> int:
    """The number of the last migration that was applied to the database file.

    Raises DamagedError when it is none of simsearch, StoreError when it is of a newer format than this version reads.
    """
    if not path.is_file():
        raise CollectionNotFoundError(f"There is no database at {path}. Make a collection: simsearch index FOLDER")
    engine = engine_of(path, "mode=ro")
    try:
        with translating_errors(path), engine.connect() as connection:
            pending(connection)
            return connection.scalar(select(func.max(MIGRATION.c.number))) or 0
    finally:
        engine.dispose()
