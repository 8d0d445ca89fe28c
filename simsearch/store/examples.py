"""Enrolled examples: labels with vectors of their own, apart from the items."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, Connection, func, select
from sqlalchemy.dialects.sqlite import insert

from simsearch.store.reading import as_array, chunks, number_setting, setting
from simsearch.store.records import NewExample
from simsearch.store.schema import EXAMPLE
from simsearch.store.writing import set_setting, stored_vector
from simsearch.types import Example

if TYPE_CHECKING:
    from simsearch.types import Vectors


def add(connection: Connection, rows: Sequence[tuple[str, NewExample]]) -> dict[str, int]:
    """The numbers of examples that are new to each label; a content that a label has already is left as it is."""
    dim = number_setting(connection, "dim")
    names, now = sorted({label for label, _ in rows}), int(time.time())
    before = _counts(connection, names)
    stored = [
        {
            "label": label,
            "uri": uri,
            "sha256": sha256,
            "vector": stored_vector(vector, dim, repr(uri)),
            "text": text,
            "rules": rules,
            "added_at": now,
        }
        for label, (uri, sha256, vector, text, rules) in rows
    ]
    if stored:
        connection.execute(insert(EXAMPLE).on_conflict_do_nothing(), stored)
    after = _counts(connection, names)
    if after != before:
        changed(connection)
    return {label: after.get(label, 0) - before.get(label, 0) for label, _ in rows}


def _counts(connection: Connection, names: Sequence[str]) -> dict[str, int]:
    """The numbers of examples of these labels. Costs a look into the index for each, however many others there are."""
    query = select(EXAMPLE.c.label, func.count()).group_by(EXAMPLE.c.label)
    return {
        label: count
        for part in chunks(names)
        for label, count in connection.execute(query.where(EXAMPLE.c.label.in_(part)))
    }


def remove(connection: Connection, which: ColumnElement[bool]) -> int:
    """The number of examples that were removed."""
    count = connection.execute(EXAMPLE.delete().where(which)).rowcount
    if count:
        changed(connection)
    return count


def move(connection: Connection, label: str, target: str) -> tuple[int, int]:
    """Gives the examples of a label to another; returns how many were moved, and how many that one had already."""
    doubled = select(EXAMPLE.c.sha256).where(EXAMPLE.c.label == target)
    had = remove(connection, (EXAMPLE.c.label == label) & EXAMPLE.c.sha256.in_(doubled))
    moved = connection.execute(EXAMPLE.update().where(EXAMPLE.c.label == label).values(label=target)).rowcount
    if moved:
        changed(connection)
    return moved, had


def generation(connection: Connection) -> int:
    """How often the set of examples has changed."""
    return int(setting(connection, "gallery") or 0)


def changed(connection: Connection) -> int:
    """The generation after a change, which is recorded."""
    number = generation(connection) + 1
    set_setting(connection, "gallery", str(number))
    return number


def labels(connection: Connection) -> dict[str, int]:
    """The labels in alphabetical order, with their numbers of examples."""
    rows = connection.execute(select(EXAMPLE.c.label, func.count()).group_by(EXAMPLE.c.label))
    return dict(sorted((label, count) for label, count in rows))


def all_of(connection: Connection) -> tuple[tuple[Example, ...], Vectors]:
    """Every example by ascending id, and their vectors, shape (n, dim)."""
    dim = number_setting(connection, "dim")
    rows = connection.execute(select(EXAMPLE).order_by(EXAMPLE.c.id)).all()
    found = tuple(Example(row.id, row.label, row.uri, row.text, row.added_at) for row in rows)
    return found, as_array([row.vector for row in rows], dim)


def rows(connection: Connection) -> list[tuple[int, str, NewExample]]:
    """Every example by ascending id, as it is stored: its id, its label and the rest."""
    dim = number_setting(connection, "dim")
    found = connection.execute(select(EXAMPLE).order_by(EXAMPLE.c.id)).all()
    vectors = as_array([row.vector for row in found], dim)
    return [
        (row.id, row.label, NewExample(row.uri, row.sha256, vector, row.text, row.rules))
        for row, vector in zip(found, vectors, strict=True)
    ]


def digests(connection: Connection, which: ColumnElement[bool]) -> list[bytes]:
    """The sha256 of the contents of examples."""
    return list(connection.scalars(select(EXAMPLE.c.sha256).where(which).distinct()))


def contents(connection: Connection) -> dict[bytes, str]:
    """The sha256 of the contents of all examples, with a label of each."""
    return {row.sha256: row.label for row in connection.execute(select(EXAMPLE.c.sha256, EXAMPLE.c.label))}
