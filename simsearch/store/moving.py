"""Paths after a folder or file was moved. Each function is the inside of one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sqlalchemy import Connection, LargeBinary, Table, bindparam, cast, func, literal, select

from simsearch.store.reading import among, ids_under, under
from simsearch.store.schema import EXAMPLE, FILE, IMPOSTOR, ITEM, MOUNT, ROOT, to_bytes
from simsearch.store.writing import remove_items

_ASIDE = b"\0moving\0"
"""No path begins so: rows wait under it while the paths that they get are still those of others."""


def move(connection: Connection, old: str, new: str) -> int:
    """Gives everything at `old`, or in it, the path that it has in `new`; returns the number of items.

    An item that is at its new path already stays, with the label and the metadata of the other where it has none.
    """
    ids = ids_under(connection, old).tolist()
    _merge_items(connection, ids, old, new)
    left = ids_under(connection, old).tolist()
    _merge_files(connection, old, new)
    _rename(connection, ITEM, "uri", left, old, new)
    for table, column in ((FILE, "path"), (EXAMPLE, "uri"), (IMPOSTOR, "uri"), (ROOT, "path"), (MOUNT, "path")):
        _drop_taken(connection, table, column, old, new)
        rows = connection.scalars(select(table.c.id).where(under(table.c[column], old))).all()
        _rename(connection, table, column, rows, old, new)
    return len(ids)


def _moved(column: Any, old: str, new: str) -> Any:
    """The path in `new` of a path in `old`, as an expression on bytes."""
    rest = func.substr(column, len(to_bytes(old)) + 1, type_=LargeBinary)
    return cast(literal(to_bytes(new), LargeBinary).op("||")(rest), LargeBinary)


def _rename(connection: Connection, table: Table, column: str, ids: Sequence[int], old: str, new: str) -> None:
    """In two steps, because within one statement a path may still be that of a row that is renamed after it."""
    here, path = among(table.c.id, ids), table.c[column]
    aside = cast(literal(_ASIDE, LargeBinary).op("||")(_moved(path, old, new)), LargeBinary)
    connection.execute(table.update().where(here).values({column: aside}))
    connection.execute(table.update().where(here).values({column: func.substr(path, len(_ASIDE) + 1)}))


def _merge_items(connection: Connection, ids: Sequence[int], old: str, new: str) -> None:
    there = ITEM.alias()
    at_new = there.c.uri == _moved(ITEM.c.uri, old, new)
    pairs = select(ITEM.c.id.label("old"), there.c.id.label("new"), ITEM.c.label, ITEM.c.metadata).join(there, at_new)
    found = connection.execute(pairs.where(among(ITEM.c.id, ids))).all()
    moving = set(ids)
    # A path that is itself moved away is free for the other.
    taken = [row for row in found if row.new not in moving]
    if not taken:
        return
    for name, empty in (("label", ITEM.c.label.is_(None)), ("metadata", ITEM.c.metadata == "{}")):
        values = [{"item": row.new, "given": getattr(row, name)} for row in taken]
        statement = ITEM.update().where(ITEM.c.id == bindparam("item"), empty)
        connection.execute(statement.values({name: bindparam("given")}), values)
    remove_items(connection, np.array([row.old for row in taken], dtype=np.int64))


def _merge_files(connection: Connection, old: str, new: str) -> None:
    """Gives the rows that are left of a table to the table that is at its new path."""
    there = FILE.alias()
    at_new = there.c.path == _moved(FILE.c.path, old, new)
    pairs = select(FILE.c.id.label("old"), there.c.id.label("new")).join(there, at_new)
    for row in connection.execute(pairs.where(under(FILE.c.path, old), ~under(there.c.path, old))).all():
        connection.execute(ITEM.update().where(ITEM.c.file_id == row.old).values(file_id=row.new))
        # Its items are not only those of the table that was read.
        connection.execute(FILE.update().where(FILE.c.id == row.new).values(size=-1, mtime_ns=-1))
        connection.execute(FILE.delete().where(FILE.c.id == row.old))


def _drop_taken(connection: Connection, table: Table, column: str, old: str, new: str) -> None:
    """Deletes roots and mounts at `old` that are recorded at `new` too. Examples may share a path."""
    if table not in (ROOT, MOUNT):
        return
    there = table.alias()
    at_new = there.c[column] == _moved(table.c[column], old, new)
    pairs = select(table.c.id).join(there, at_new).where(under(table.c[column], old), ~under(there.c[column], old))
    taken = connection.scalars(pairs).all()
    connection.execute(table.delete().where(among(table.c.id, taken)))
