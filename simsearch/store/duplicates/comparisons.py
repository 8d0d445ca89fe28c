"""What was compared to find duplicates, kept by content, so that nothing is compared twice."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.dialects.sqlite import insert

from simsearch.store.database import Database
from simsearch.store.duplicates.tables import COMPARED, LOOK
from simsearch.store.reading import setting
from simsearch.store.records import Compared, ContentRow, Look
from simsearch.store.schema import CONTENT
from simsearch.store.writing import set_setting

PROGRESS = "duplicates"
"""The setting with how far contents were compared with each other."""
BATCH = 10_000


class Comparisons:
    """Compared pairs and looks. Each method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def contents(self) -> list[ContentRow]:
        """All contents by ascending id."""
        query = select(*(CONTENT.c[name] for name in ContentRow._fields))
        with self._database.reading() as connection:
            return [ContentRow(*row) for row in connection.execute(query.order_by(CONTENT.c.id))]

    def all(self) -> Iterator[Compared]:
        """Everything that was compared, also contents that are gone. Streams."""
        with self._database.reading() as connection:
            for rows in connection.execute(select(COMPARED)).partitions(BATCH):
                yield from map(_compared, rows)

    def looks(self) -> dict[bytes, Look]:
        """The looks by sha256."""
        with self._database.reading() as connection:
            return {
                row.sha256: Look(row.sharpness, row.entries, row.color, row.frames)
                for row in connection.execute(select(LOOK))
            }

    def add(self, rows: Sequence[Compared], looks: dict[bytes, Look]) -> None:
        """Stores comparisons in place of earlier ones of the same contents."""
        with self._database.writing() as connection:
            if rows:
                connection.execute(insert(COMPARED).prefix_with("OR REPLACE"), [_values(row) for row in rows])
            if looks:
                entries = [{"sha256": sha256, **look._asdict()} for sha256, look in looks.items()]
                connection.execute(insert(LOOK).prefix_with("OR REPLACE"), entries)

    def progress(self) -> dict[str, Any]:
        """How far contents were compared; empty where none were."""
        with self._database.reading() as connection:
            found: dict[str, Any] = json.loads(setting(connection, PROGRESS) or "{}")
            return found

    def set_progress(self, progress: dict[str, Any]) -> None:
        with self._database.writing() as connection:
            set_setting(connection, PROGRESS, json.dumps(progress))

    def forget(self) -> None:
        """Forgets all comparisons and looks."""
        with self._database.writing() as connection:
            connection.execute(COMPARED.delete())
            connection.execute(LOOK.delete())
            set_setting(connection, PROGRESS, "{}")


def _compared(row: Row[Any]) -> Compared:
    matrix = None if row.matrix is None else tuple(map(tuple, json.loads(row.matrix)))
    shares = row.one_share, row.other_share, row.outside
    return Compared(row.one, row.other, row.cosine, row.score, row.kind, matrix, *shares)


def _values(row: Compared) -> dict[str, Any]:
    return {
        "one": row.one,
        "other": row.other,
        "cosine": row.cosine,
        "score": row.score,
        "kind": row.kind,
        "matrix": None if row.matrix is None else json.dumps(row.matrix),
        "one_share": row.one_share,
        "other_share": row.other_share,
        "outside": row.outside,
    }
