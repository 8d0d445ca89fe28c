"""A new database file."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path

from simsearch.errors import UsageError
from simsearch.store.database import engine_of, translating_errors
from simsearch.store.migrations import MIGRATIONS, apply, create_journal
from simsearch.store.schema import SETTING


def make(path: Path, settings: Mapping[str, str], *, goes_to: Path) -> None:
    """Makes the database at `path`, a temporary place; one file when this returns.

    Errors name `goes_to`, the place that it is meant for.
    """
    if not settings.get("dim", "").isdecimal():
        raise UsageError(f"a store needs the setting 'dim', the length of its vectors, not {settings.get('dim')!r}")
    given = {**settings, "database": secrets.token_hex(8), "generation": "0", "journal_floor": "0"}
    engine = engine_of(path, "mode=rwc")
    try:
        with translating_errors(goes_to), engine.connect() as connection:
            driver = connection.connection.driver_connection
            assert driver is not None
            # No journal file: if the process is killed here, one file is left, recognized by its name.
            driver.execute("PRAGMA journal_mode = MEMORY")
            with connection.begin():
                create_journal(connection)
                for migration in MIGRATIONS:
                    apply(connection, migration)
                connection.execute(SETTING.insert(), [{"key": key, "value": given[key]} for key in given])
            driver.execute("PRAGMA journal_mode = WAL")
    finally:
        engine.dispose()
