"""Fields and metadata keys as expressions of SQL."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from functools import reduce
from types import MappingProxyType
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    LargeBinary,
    String,
    and_,
    case,
    cast,
    column,
    func,
    literal,
    literal_column,
    or_,
    select,
    true,
)
from sqlalchemy import Text as SqlText

from simsearch.store.schema import CONTENT, ITEM, Uri, to_bytes
from simsearch.where.tree import Field, Key

NAME, FOLDER = "simsearch_name", "simsearch_folder"
TYPES: Mapping[type, tuple[str, ...]] = MappingProxyType(
    {str: ("text",), int: ("integer", "real"), float: ("integer", "real"), bool: ("true", "false")}
)
"""What json_type calls the values that are compared with one of a type."""
OF_CONTENT = frozenset(("width", "height", "kind", "text"))
"""The fields that a row of the table of items does not have."""
_PLAIN = frozenset(map(chr, range(0x20, 0x7F))) - {'"', "\\"}


def add_functions(connection: sqlite3.Connection) -> None:
    """Gives a connection the functions by which fields are found."""
    connection.create_function(NAME, 1, os.path.basename, deterministic=True)
    connection.create_function(FOLDER, 1, os.path.dirname, deterministic=True)


def field(of: Field) -> ColumnElement[Any]:
    """The value of a field, in the form in which it is stored."""
    if of.name in OF_CONTENT:
        return CONTENT.c[of.name]
    special: dict[str, ColumnElement[Any]] = {
        "path": ITEM.c.uri,
        "name": getattr(func, NAME)(ITEM.c.uri, type_=Uri),
        "folder": getattr(func, FOLDER)(ITEM.c.uri, type_=Uri),
        # What is in no file has no time.
        "date": func.nullif(ITEM.c.mtime_ns, 0),
    }
    return special[of.name] if of.name in special else ITEM.c[of.name]


def as_text(of: Field) -> ColumnElement[str]:
    """The value of a field as a text for order and patterns: what is stored as bytes counts as those bytes."""
    return cast(field(of), SqlText)


def text_value(value: str) -> ColumnElement[str]:
    """A text as a value of SQL, one that is no valid text by its bytes."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return cast(literal(to_bytes(value), LargeBinary), SqlText)
    return literal(value, String)


def key_type(key: Key) -> ColumnElement[str]:
    """The json_type of a metadata value; NULL where there is none."""
    if _is_plain(key):
        return func.json_type(ITEM.c.metadata, _json_path(key), type_=String)
    return _looked_up(key, "type")


def key_value(key: Key) -> ColumnElement[Any]:
    """A metadata value: of a text, number or boolean that, as SQLite has it."""
    if _is_plain(key):
        return func.json_extract(ITEM.c.metadata, _json_path(key))
    return _looked_up(key, "value")


def by_type(
    key: Key, compared: dict[tuple[str, ...], ColumnElement[bool]], *, otherwise: bool = False, exact: bool
) -> ColumnElement[bool]:
    """What holds for a metadata value of each type, `otherwise` for other types, and unknown for null and none.

    Unless `exact`, what is unknown may be false.
    """
    kind = key_type(key)
    if not (exact or otherwise):
        # The comparison first: it is false for most rows, and then the type is not looked for.
        return or_(*(and_(condition, kind.in_(types)) for types, condition in compared.items()))
    given = [(kind.in_(types), condition) for types, condition in compared.items()]
    missing = (or_(kind.is_(None), kind == "null"), literal_column("NULL", Boolean))
    return case(*given, missing, else_=literal_column(str(int(otherwise)), Boolean))


def _is_plain(key: Key) -> bool:
    # Within a JSON path SQLite has no escape for a quote, and older ones compare keys as they are written in JSON.
    return all(part and _PLAIN.issuperset(part) for part in key.path)


def _json_path(key: Key) -> str:
    return "$" + "".join(f'."{part}"' for part in key.path)


def _looked_up(key: Key, what: str) -> ColumnElement[Any]:
    """A column of json_each for a key of any characters, level by level."""
    document: ColumnElement[Any] = ITEM.c.metadata
    tables: list[Any] = []
    conditions = []
    for part in key.path:
        level = func.json_each(document).table_valued(column("key"), column("value"), column("type")).alias()
        conditions.append(level.c.key == text_value(part))
        tables.append(level)
        # An array has numbers for keys, and a text is no JSON.
        document = case((level.c.type == "object", level.c.value), else_="{}")
    joined = reduce(lambda before, level: before.join(level, true()), tables)
    chosen = select(tables[-1].c[what]).select_from(joined).where(*conditions)
    return chosen.correlate(ITEM).limit(1).scalar_subquery()
