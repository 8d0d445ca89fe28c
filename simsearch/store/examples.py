"""Enrolled examples: labels with vectors of their own, apart from the items."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects.sqlite import insert

from simsearch.store.reading import as_array, number_setting
from simsearch.store.schema import EXAMPLE
from simsearch.store.writing import stored_vector
from simsearch.types import Example

if TYPE_CHECKING:
    from simsearch.store.records import NewExample
    from simsearch.types import Vectors


def add(connection: Connection, rows: Sequence[tuple[str, NewExample]]) -> dict[str, int]:
    """The numbers of examples that are new to each label; a content that a label has already is left as it is."""
    dim = number_setting(connection, "dim")
    before = labels(connection)
    stored = [
        {
            "label": label,
            "uri": uri,
            "sha256": sha256,
            "vector": stored_vector(vector, dim, repr(uri)),
            "text": text,
            "rules": rules,
        }
        for label, (uri, sha256, vector, text, rules) in rows
    ]
    if stored:
        connection.execute(insert(EXAMPLE).on_conflict_do_nothing(), stored)
    after = labels(connection)
    return {label: after.get(label, 0) - before.get(label, 0) for label, _ in rows}


def remove_label(connection: Connection, label: str) -> int:
    return connection.execute(EXAMPLE.delete().where(EXAMPLE.c.label == label)).rowcount


def labels(connection: Connection) -> dict[str, int]:
    """The labels in alphabetical order, with their numbers of examples."""
    rows = connection.execute(select(EXAMPLE.c.label, func.count()).group_by(EXAMPLE.c.label))
    return dict(sorted((label, count) for label, count in rows))


def all_of(connection: Connection) -> tuple[tuple[Example, ...], Vectors]:
    """Every example by ascending id, and their vectors, shape (n, dim)."""
    dim = number_setting(connection, "dim")
    rows = connection.execute(select(EXAMPLE).order_by(EXAMPLE.c.id)).all()
    found = tuple(Example(row.id, row.label, row.uri, row.text) for row in rows)
    return found, as_array([row.vector for row in rows], dim)
