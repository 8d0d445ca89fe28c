"""Enrolled examples: labels with vectors of their own, apart from the items."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, func, select
from sqlalchemy.dialects.sqlite import insert

from simsearch.store.reading import as_array, chunks, driver, number_setting, setting
from simsearch.store.records import NewExample
from simsearch.store.schema import EXAMPLE, restored_words, stored_words, to_text
from simsearch.store.writing import stored_vector
from simsearch.types import Example

if TYPE_CHECKING:
    from simsearch.types import Vectors


def add(connection: Connection, rows: Sequence[tuple[str, NewExample]]) -> dict[str, int]:
    """The numbers of examples that are new to each label; a content that a label has already is left as it is."""
    dim = number_setting(connection, "dim")
    by_label: dict[str, list[dict[str, object]]] = {}
    now = int(time.time())
    for label, (uri, sha256, vector, text, rules) in rows:
        row: dict[str, object] = {
            "label": label,
            "uri": uri,
            "sha256": sha256,
            "vector": stored_vector(vector, dim, repr(uri)),
            "text": text,
            "rules": rules,
            "added_at": now,
        }
        by_label.setdefault(label, []).append(row)
    added = {label: _insert(connection, given) for label, given in by_label.items()}
    if any(added.values()):
        changed(connection, rewritten=False)
    return added


def _insert(connection: Connection, rows: Sequence[dict[str, object]]) -> int:
    """How many of the rows were new."""
    raw = driver(connection)
    before: int = raw.total_changes
    connection.execute(insert(EXAMPLE).on_conflict_do_nothing(), rows)
    return int(raw.total_changes - before)


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


def rewritten(connection: Connection) -> int:
    """The last generation at which an example that was there before was changed or removed."""
    return int(setting(connection, "gallery_rewritten") or 0)


def changed(connection: Connection, *, rewritten: bool = True) -> int:
    """The generation after a change, which is recorded. `rewritten` is whether more was done than adding examples."""
    number = generation(connection) + 1
    for key in ("gallery", "gallery_rewritten") if rewritten else ("gallery",):
        write = "INSERT INTO setting VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2"
        driver(connection).execute(write, (key, str(number)))
    return number


def labels(connection: Connection) -> dict[str, int]:
    """The labels in alphabetical order, with their numbers of examples."""
    rows = connection.execute(select(EXAMPLE.c.label, func.count()).group_by(EXAMPLE.c.label))
    return dict(sorted((label, count) for label, count in rows))


def all_of(connection: Connection) -> tuple[tuple[Example, ...], Vectors]:
    """Every example by ascending id, and their vectors, shape (n, dim)."""
    return after(connection, 0)


def of_labels(connection: Connection, labels_: Sequence[str]) -> tuple[tuple[Example, ...], Vectors]:
    """The examples of these labels by ascending id, and their vectors. O(their number)."""
    rows = [
        row
        for part in chunks([stored_words(label) for label in labels_])
        for row in _rows(connection, f"label IN ({','.join('?' * len(part))})", part)
    ]
    return _found(connection, sorted(rows))


def after(connection: Connection, last: int) -> tuple[tuple[Example, ...], Vectors]:
    """The examples with a higher id, ascending, and their vectors. O(their number)."""
    return _found(connection, _rows(connection, "id > ? ORDER BY id", (last,)))


def _rows(connection: Connection, where: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Called for every example that is enrolled, so it uses the driver directly."""
    columns = "id, label, uri, text, added_at, vector"
    found: list[tuple[Any, ...]]
    found = driver(connection).execute(f"SELECT {columns} FROM example WHERE {where}", tuple(values)).fetchall()
    return found


def _found(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> tuple[tuple[Example, ...], Vectors]:
    found = tuple(Example(row[0], restored_words(row[1]), to_text(row[2]), *row[3:5]) for row in rows)
    return found, as_array([row[5] for row in rows], number_setting(connection, "dim"))


def labels_by_uri(connection: Connection, uris: Sequence[str]) -> dict[int, str]:
    """The examples that were enrolled under one of these uris, by id, with their labels."""
    query = select(EXAMPLE.c.id, EXAMPLE.c.label)
    return {
        row.id: row.label for part in chunks(uris) for row in connection.execute(query.where(EXAMPLE.c.uri.in_(part)))
    }


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


def labels_of_contents(connection: Connection, shas: Sequence[bytes]) -> dict[bytes, list[str]]:
    """The labels that each of these contents is an example of. Reads the index alone, not the vectors."""
    found: dict[bytes, list[str]] = {}
    query = select(EXAMPLE.c.sha256, EXAMPLE.c.label)
    for part in chunks(shas):
        for sha256, label in connection.execute(query.where(EXAMPLE.c.sha256.in_(part))):
            found.setdefault(sha256, []).append(label)
    return found


def all_digests(connection: Connection) -> dict[int, bytes]:
    return {row.id: row.sha256 for row in connection.execute(select(EXAMPLE.c.id, EXAMPLE.c.sha256))}


def contents(connection: Connection) -> dict[bytes, str]:
    """The sha256 of the contents of all examples, with a label of each."""
    return {row.sha256: row.label for row in connection.execute(select(EXAMPLE.c.sha256, EXAMPLE.c.label))}
