"""Items together with their contents and vectors, a page at a time."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Connection, and_, select

from simsearch.store.filters.conditions import compiled
from simsearch.store.reading import as_array
from simsearch.store.schema import CONTENT, ITEM

if TYPE_CHECKING:
    from simsearch.types import Metadata, Vectors
    from simsearch.where.tree import Condition


@dataclass(frozen=True, slots=True)
class ItemRow:
    """An item with all that is known of its content but the vector."""

    id: int
    uri: str
    label: str | None
    metadata: Metadata
    size: int
    mtime_ns: int
    sha256: bytes
    kind: str
    width: int | None
    height: int | None
    text: str | None
    rules: int


def page(
    connection: Connection, after: int, batch: int, dim: int, where: Condition | None
) -> tuple[list[ItemRow], Vectors]:
    """The next items by ascending id, at most `batch`, and the vectors of their contents."""
    here = ITEM.c.id > after if where is None else and_(ITEM.c.id > after, compiled(where))
    columns = (CONTENT.c[name] for name in ("sha256", "kind", "width", "height", "text", "rules", "vector"))
    query = select(ITEM, *columns).join(CONTENT, CONTENT.c.id == ITEM.c.content_id)
    found = connection.execute(query.where(here).order_by(ITEM.c.id).limit(batch)).all()
    rows = [
        ItemRow(
            row.id,
            row.uri,
            row.label,
            json.loads(row.metadata),
            row.size,
            row.mtime_ns,
            row.sha256,
            row.kind,
            row.width,
            row.height,
            row.text,
            row.rules,
        )
        for row in found
    ]
    return rows, as_array([row.vector for row in found], dim)
