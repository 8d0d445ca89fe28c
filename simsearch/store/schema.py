"""Tables, and the numbered migrations that make them."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    func,
    inspect,
    select,
    text,
)

from simsearch.errors import DamagedError, StoreError

# File names are bytes on POSIX and UTF-16 units on Windows; either comes back exactly through its own handler.
_SURROGATES = "surrogatepass" if sys.platform == "win32" else "surrogateescape"


def to_bytes(text: str) -> bytes:
    """The bytes of a uri; of one that begins with another they begin with the other's. Raises StoreError."""
    try:
        return text.encode("utf-8", _SURROGATES)
    except UnicodeEncodeError as error:
        raise StoreError(f"{text!r} cannot be stored: {error.reason}; give a name that is valid text") from None


def to_text(stored: bytes) -> str:
    """What `to_bytes` was given. Bytes that are no UTF-8 (the database came from another system) are escaped."""
    try:
        return stored.decode("utf-8", _SURROGATES)
    except UnicodeDecodeError:
        return stored.decode("utf-8", "surrogateescape")


class Uri(TypeDecorator[str]):
    """A str that may hold a file name in any encoding; kept as bytes, so that ranges are ranges of bytes."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        del dialect
        return None if value is None else to_bytes(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> str | None:
        del dialect
        return None if value is None else to_text(value)


class Words(TypeDecorator[str]):
    """Text as text; what is no valid text, such as a label from a folder's name in another encoding, as bytes."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> Any:
        del dialect
        return value if value is None or _is_valid(value) else to_bytes(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> str | None:
        del dialect
        return to_text(value) if isinstance(value, bytes) else value


def _is_valid(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


METADATA = MetaData()

SETTING = Table("setting", METADATA, Column("key", Text, primary_key=True), Column("value", Words, nullable=False))
MIGRATION = Table(
    "migration", METADATA, Column("number", Integer, primary_key=True), Column("applied_at", Integer, nullable=False)
)
CONTENT = Table(
    "content", METADATA,
    Column("id", Integer, primary_key=True),
    Column("sha256", LargeBinary, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("width", Integer),
    Column("height", Integer),
    Column("vector", LargeBinary, nullable=False),
    Column("text", Text),
    Column("rules", Integer, nullable=False, server_default="1"),
    Index("content_rules", "rules"),
    sqlite_autoincrement=True,
)  # fmt: skip
ITEM = Table(
    "item", METADATA,
    Column("id", Integer, primary_key=True),
    Column("uri", Uri, nullable=False, unique=True),
    Column("content_id", Integer, ForeignKey("content.id"), nullable=False),
    Column("label", Words),
    Column("size", Integer, nullable=False),
    Column("mtime_ns", Integer, nullable=False),
    Column("metadata", Text, nullable=False, server_default="{}"),
    Column("file_id", Integer, ForeignKey("file.id")),
    Index("item_content_id", "content_id"),
    Index("item_file_id", "file_id", sqlite_where=text("file_id IS NOT NULL")),
    sqlite_autoincrement=True,
)  # fmt: skip
EXAMPLE = Table(
    "example", METADATA,
    Column("id", Integer, primary_key=True),
    Column("label", Words, nullable=False),
    Column("uri", Uri, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("vector", LargeBinary, nullable=False),
    Column("text", Text),
    Column("added_at", Integer),
    Column("rules", Integer, nullable=False, server_default="1"),
    UniqueConstraint("label", "sha256"),
    sqlite_autoincrement=True,
)  # fmt: skip
IMPOSTOR = Table(
    "impostor", METADATA,
    Column("id", Integer, primary_key=True),
    Column("identity", Words, nullable=False),
    Column("uri", Uri, nullable=False),
    Column("sha256", LargeBinary, nullable=False, unique=True),
    Column("vector", LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)  # fmt: skip
CALIBRATION = Table(
    "calibration", METADATA,
    Column("id", Integer, primary_key=True),
    Column("document", Text, nullable=False),
    Column("tops", LargeBinary, nullable=False),
    Column("gallery", Integer, nullable=False),
)  # fmt: skip
ROOT = Table(
    "root", METADATA,
    Column("id", Integer, primary_key=True),
    Column("path", Uri, nullable=False, unique=True),
    Column("reading", Text),
    Column("filter", Text),
)  # fmt: skip
FILE = Table(
    "file", METADATA,
    Column("id", Integer, primary_key=True),
    Column("path", Uri, nullable=False, unique=True),
    Column("size", Integer, nullable=False),
    Column("mtime_ns", Integer, nullable=False),
    Column("reading", Text, nullable=False),
)  # fmt: skip
REMOVED = Table(
    "removed_content", METADATA,
    Column("generation", Integer, primary_key=True),
    Column("content_id", Integer, primary_key=True),
    sqlite_with_rowid=False,
)  # fmt: skip


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

MIGRATIONS = (Migration(1, _first), Migration(2, _second), Migration(3, _calibrations), Migration(4, _rules))


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


def range_under(root: str) -> tuple[str, str, str]:
    """The uri itself, the first possible uri under it as a folder, and the first beyond those.

    Bytewise `first <= uri < beyond` holds for what lies under `/a/b` and not for `/a/bc`.
    """
    first = root if root.endswith(os.sep) else root + os.sep
    return root, first, first[:-1] + chr(ord(first[-1]) + 1)
