"""The numbered migrations that make the tables, from the first format to the present one."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, func, inspect, select

from simsearch.errors import DamagedError, StoreError
from simsearch.store.schema import MIGRATION


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema. What was released never changes; a new step gets the next number."""

    number: int
    apply: Callable[[Connection], None]


def _first(connection: Connection) -> None:
    for statement in _FIRST:
        connection.exec_driver_sql(statement)


_FIRST = (
    "CREATE TABLE setting (key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL)",
    "CREATE TABLE content (id INTEGER PRIMARY KEY AUTOINCREMENT, sha256 BLOB NOT NULL UNIQUE, kind TEXT NOT NULL,"
    " width INTEGER, height INTEGER, vector BLOB NOT NULL)",
    "CREATE TABLE item (id INTEGER PRIMARY KEY AUTOINCREMENT, uri BLOB NOT NULL UNIQUE,"
    " content_id INTEGER NOT NULL REFERENCES content (id), label TEXT, size INTEGER NOT NULL,"
    " mtime_ns INTEGER NOT NULL, metadata TEXT NOT NULL DEFAULT '{}')",
    "CREATE INDEX item_content_id ON item (content_id)",
    "CREATE TABLE example (id INTEGER PRIMARY KEY AUTOINCREMENT, label TEXT NOT NULL, uri BLOB NOT NULL,"
    " sha256 BLOB NOT NULL, vector BLOB NOT NULL, UNIQUE (label, sha256))",
    "CREATE TABLE root (id INTEGER PRIMARY KEY, path BLOB NOT NULL UNIQUE)",
    "CREATE TABLE removed_content (generation INTEGER NOT NULL, content_id INTEGER NOT NULL,"
    " PRIMARY KEY (generation, content_id)) WITHOUT ROWID",
)


def _second(connection: Connection) -> None:
    """Texts: kept with their contents and examples, and files that hold several items each."""
    for statement in _SECOND:
        connection.exec_driver_sql(statement)


_SECOND = (
    "ALTER TABLE content ADD COLUMN text TEXT",
    "ALTER TABLE example ADD COLUMN text TEXT",
    "ALTER TABLE root ADD COLUMN reading TEXT",
    "CREATE TABLE file (id INTEGER PRIMARY KEY, path BLOB NOT NULL UNIQUE, size INTEGER NOT NULL,"
    " mtime_ns INTEGER NOT NULL, reading TEXT NOT NULL)",
    "ALTER TABLE item ADD COLUMN file_id INTEGER REFERENCES file (id)",
    "CREATE INDEX item_file_id ON item (file_id) WHERE file_id IS NOT NULL",
)


def _calibrations(connection: Connection) -> None:
    """Calibrations of recognition, with the impostors that they rest on; when examples were enrolled."""
    for statement in _CALIBRATIONS:
        connection.exec_driver_sql(statement)


_CALIBRATIONS = (
    "ALTER TABLE example ADD COLUMN added_at INTEGER",
    "CREATE TABLE impostor (id INTEGER PRIMARY KEY AUTOINCREMENT, identity TEXT NOT NULL, uri BLOB NOT NULL,"
    " sha256 BLOB NOT NULL UNIQUE, vector BLOB NOT NULL)",
    "CREATE TABLE calibration (id INTEGER PRIMARY KEY CHECK (id = 1), document TEXT NOT NULL, tops BLOB NOT NULL,"
    " gallery INTEGER NOT NULL)",
)


def _duplicates(connection: Connection) -> None:
    """Duplicates: what was compared, and which items were removed with what they handed over; an id of the store."""
    for statement in _DUPLICATES:
        connection.exec_driver_sql(statement)
    connection.exec_driver_sql("INSERT INTO setting VALUES ('id', ?)", (secrets.token_hex(8),))


_DUPLICATES = (
    "CREATE TABLE compared (one BLOB NOT NULL, other BLOB NOT NULL, cosine FLOAT NOT NULL, score FLOAT NOT NULL,"
    " kind TEXT NOT NULL, matrix TEXT, one_share FLOAT NOT NULL, other_share FLOAT NOT NULL,"
    " outside FLOAT NOT NULL,"
    " PRIMARY KEY (one, other)) WITHOUT ROWID",
    "CREATE TABLE look (sha256 BLOB PRIMARY KEY NOT NULL, sharpness FLOAT NOT NULL, entries INTEGER NOT NULL,"
    " frames INTEGER NOT NULL)"
    " WITHOUT ROWID",
    "CREATE TABLE removal (id INTEGER PRIMARY KEY, plan TEXT NOT NULL, quarantine BLOB NOT NULL,"
    " takes_over TEXT NOT NULL, settled INTEGER NOT NULL, UNIQUE (plan, quarantine))",
    "CREATE TABLE set_aside (uri BLOB PRIMARY KEY NOT NULL, removal_id INTEGER NOT NULL REFERENCES removal (id),"
    " label TEXT, metadata TEXT NOT NULL)",
    "CREATE TABLE taken_over (id INTEGER PRIMARY KEY, source BLOB NOT NULL, kept BLOB NOT NULL, what TEXT NOT NULL,"
    ' "key" TEXT, value TEXT NOT NULL)',
)


def _files_now(connection: Connection) -> None:
    """What shows that a file was replaced, what is wrong with it now, and which folders are on other devices."""
    for statement in _FILES_NOW:
        connection.exec_driver_sql(statement)


_FILES_NOW = (
    "ALTER TABLE item ADD COLUMN inode INTEGER",
    "ALTER TABLE item ADD COLUMN ctime_ns INTEGER",
    "ALTER TABLE item ADD COLUMN problem TEXT",
    "ALTER TABLE file ADD COLUMN inode INTEGER",
    "ALTER TABLE file ADD COLUMN ctime_ns INTEGER",
    "CREATE TABLE mount (id INTEGER PRIMARY KEY, path BLOB NOT NULL UNIQUE)",
)


def _rules(connection: Connection) -> None:
    """The version of the rules by which each content was read, and which files of a root count."""
    for statement in _RULES:
        connection.exec_driver_sql(statement)


_RULES = (
    "ALTER TABLE content ADD COLUMN rules INTEGER NOT NULL DEFAULT 1",
    "ALTER TABLE example ADD COLUMN rules INTEGER NOT NULL DEFAULT 1",
    "ALTER TABLE root ADD COLUMN filter TEXT",
    "CREATE INDEX content_rules ON content (rules)",
)


def _owners(connection: Connection) -> None:
    """Which label each impostor scores highest with, so that its score can follow a change of a few labels."""
    connection.exec_driver_sql("ALTER TABLE calibration ADD COLUMN owners BLOB")


def _small(connection: Connection) -> None:
    """A few gray levels of each image, by which copies are found that embeddings miss; how colorful copies are."""
    connection.exec_driver_sql("ALTER TABLE content ADD COLUMN small BLOB")
    connection.exec_driver_sql("ALTER TABLE look ADD COLUMN color FLOAT NOT NULL DEFAULT 0")


def _labels(connection: Connection) -> None:
    """Filters by label look only at the items that have it."""
    connection.exec_driver_sql("CREATE INDEX item_label ON item (label) WHERE label IS NOT NULL")


MIGRATIONS = (
    Migration(1, _first),
    Migration(2, _second),
    Migration(3, _calibrations),
    Migration(4, _duplicates),
    Migration(5, _files_now),
    Migration(6, _rules),
    Migration(7, _owners),
    Migration(8, _small),
    Migration(9, _labels),
)


def pending(connection: Connection) -> tuple[Migration, ...]:
    """The migrations that the database lacks, in order. Only reads.

    Raises DamagedError when the database is not one of simsearch, StoreError when it is of a newer format.
    """
    if not inspect(connection).has_table(MIGRATION.name):
        raise DamagedError("a database, but not one of simsearch; give the folder of a collection")
    newest = connection.scalar(select(func.max(MIGRATION.c.number))) or 0
    if newest > MIGRATIONS[-1].number:
        raise StoreError(
            f"the database has format {newest}, this simsearch reads up to {MIGRATIONS[-1].number}. "
            "Upgrade: pip install --upgrade simsearch"
        )
    return tuple(migration for migration in MIGRATIONS if migration.number > newest)


def apply(connection: Connection, migration: Migration) -> None:
    """Applies a migration and records it; the caller's transaction makes the two one."""
    migration.apply(connection)
    connection.execute(MIGRATION.insert().values(number=migration.number, applied_at=int(time.time())))


def create_journal(connection: Connection) -> None:
    """Makes the table in which migrations are recorded."""
    MIGRATION.create(connection)
