"""Looking for damage in the database."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, Connection, Table, exists, func, or_, select

from simsearch.errors import DamagedError, StoreError
from simsearch.store.database import translating_errors
from simsearch.store.reading import last_id, number_setting
from simsearch.store.schema import CONTENT, EXAMPLE, IMPOSTOR, ITEM, REMOVED

NAMED_AT_MOST = 5
BATCH = 10_000
UNIT_TOLERANCE = 1e-3


def problems(connection: Connection, path: Any) -> list[str]:
    """The problems found, as sentences. Reads everything once; vectors in batches."""
    found = []
    try:
        with translating_errors(path):
            for problem in _all(connection):
                found.append(problem)
    except (DamagedError, StoreError) as error:
        found.append(str(error))
    return found


def _all(connection: Connection) -> Iterator[str]:
    structure = [row[0] for row in connection.exec_driver_sql("PRAGMA integrity_check") if row[0] != "ok"]
    yield from (f"the database is damaged: {words}" for words in structure[:NAMED_AT_MOST])
    if structure:
        return
    dangling = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    yield from _listed("items point to contents that are not there", [row[1] for row in dangling])
    orphans = select(CONTENT.c.id).where(~exists().where(ITEM.c.content_id == CONTENT.c.id))
    yield from _listed("contents have no item", list(connection.scalars(orphans)))
    dim = number_setting(connection, "dim")
    yield from _vector_problems(connection, CONTENT, dim)
    yield from _vector_problems(connection, EXAMPLE, dim)
    yield from _vector_problems(connection, IMPOSTOR, dim)
    yield from _text_problems(connection)
    yield from _journal_problems(connection)


def _listed(what: str, ids: list[int]) -> Iterator[str]:
    if ids:
        some = ", ".join(map(str, ids[:NAMED_AT_MOST]))
        yield f"{len(ids)} {what}: {some}{', …' if len(ids) > NAMED_AT_MOST else ''}"


def _vector_problems(connection: Connection, table: Table, dim: int) -> Iterator[str]:
    length, bad, after = [], [], 0
    query = select(table.c.id, table.c.vector).order_by(table.c.id).limit(BATCH)
    while rows := connection.execute(query.where(table.c.id > after)).all():
        after = rows[-1].id
        fitting = [row for row in rows if isinstance(row.vector, bytes) and len(row.vector) == 4 * dim]
        length += sorted({row.id for row in rows} - {row.id for row in fitting})
        vectors = np.frombuffer(b"".join(row.vector for row in fitting), dtype="<f4").reshape(len(fitting), dim)
        norms = np.linalg.norm(vectors.astype(np.float64), axis=1)
        # A norm that is not a number fails the comparison too.
        wrong = ~(np.abs(norms - 1.0) <= UNIT_TOLERANCE)
        bad += [row.id for row, is_wrong in zip(fitting, wrong.tolist(), strict=True) if is_wrong]
    yield from _listed(f"vectors in {table.name} have not {dim} numbers", length)
    yield from _listed(f"vectors in {table.name} are not finite or not of length one", bad)


def _text_problems(connection: Connection) -> Iterator[str]:
    """A text is its content, so its checksum must be that of the content."""
    for table, texts in ((CONTENT, CONTENT.c.kind == "text"), (EXAMPLE, EXAMPLE.c.text.is_not(None))):
        rows = connection.execute(select(table.c.id, table.c.sha256, table.c.text).where(texts).order_by(table.c.id))
        bad = [row.id for row in rows if hashlib.sha256((row.text or "").encode()).digest() != row.sha256]
        yield from _listed(f"texts in {table.name} are not what was stored", bad)


def _journal_problems(connection: Connection) -> Iterator[str]:
    generation, floor = number_setting(connection, "generation"), number_setting(connection, "journal_floor")
    if floor > generation:
        yield f"the journal begins at generation {floor}, after the current one, {generation}"
    outside: ColumnElement[bool] = or_(REMOVED.c.generation > generation, REMOVED.c.generation <= floor)
    yield from _listed(
        f"removals are journalled outside the generations {floor} to {generation}, of contents",
        list(connection.scalars(select(REMOVED.c.content_id).where(outside))),
    )
    back = select(REMOVED.c.content_id).where(REMOVED.c.content_id.in_(select(CONTENT.c.id)))
    yield from _listed("contents are journalled as removed and are there", list(connection.scalars(back)))
    for table in (CONTENT, ITEM):
        newest = connection.scalar(select(func.max(table.c.id))) or 0
        if newest > last_id(connection, table.name):
            yield f"{table.name} {newest} has an id that was never given"
