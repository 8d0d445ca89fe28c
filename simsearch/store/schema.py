"""The tables of the database, and how paths and words are stored in them."""

from __future__ import annotations

import os
import sys
from typing import Any

from sqlalchemy import (
    Column,
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
    text,
)

from simsearch.errors import StoreError

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
        return None if value is None else stored_words(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> str | None:
        del dialect
        return None if value is None else restored_words(value)


def stored_words(text: str) -> str | bytes:
    """Text as it is stored in a column of words."""
    return text if _is_valid(text) else to_bytes(text)


def restored_words(stored: str | bytes) -> str:
    """What `stored_words` was given."""
    return to_text(stored) if isinstance(stored, bytes) else stored


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
    Column("small", LargeBinary),
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
    Column("inode", Integer),
    Column("ctime_ns", Integer),
    Column("problem", Words),
    Index("item_content_id", "content_id"),
    Index("item_file_id", "file_id", sqlite_where=text("file_id IS NOT NULL")),
    Index("item_label", "label", sqlite_where=text("label IS NOT NULL")),
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
    Column("owners", LargeBinary),
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
    Column("inode", Integer),
    Column("ctime_ns", Integer),
)  # fmt: skip
MOUNT = Table(
    "mount", METADATA, Column("id", Integer, primary_key=True), Column("path", Uri, nullable=False, unique=True)
)
REMOVED = Table(
    "removed_content", METADATA,
    Column("generation", Integer, primary_key=True),
    Column("content_id", Integer, primary_key=True),
    sqlite_with_rowid=False,
)  # fmt: skip


def range_under(root: str) -> tuple[str, str, str]:
    """The uri itself, the first possible uri under it as a folder, and the first beyond those.

    Bytewise `first <= uri < beyond` holds for what lies under `/a/b` and not for `/a/bc`.
    """
    first = root if root.endswith(os.sep) else root + os.sep
    return root, first, first[:-1] + chr(ord(first[-1]) + 1)
