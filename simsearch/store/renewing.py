"""Contents and examples that were read by an earlier version of the rules of decoding, and their renewal."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, bindparam, func, select

from simsearch.store.examples import changed
from simsearch.store.reading import among, content_ids, items_under, number_setting
from simsearch.store.records import Outdated, Renewal
from simsearch.store.schema import CONTENT, EXAMPLE, ITEM
from simsearch.store.writing import drop_orphans, stored_vector

if TYPE_CHECKING:
    from simsearch.types import Vectors


def outdated(connection: Connection, root: str, rules: int, after: int, limit: int) -> list[Outdated]:
    """The contents under a root of earlier rules than these, by ascending id above `after`, with a uri of each."""
    query = (
        select(CONTENT.c.id, func.min(ITEM.c.uri, type_=ITEM.c.uri.type).label("uri"), CONTENT.c.sha256, CONTENT.c.text)
        .join(ITEM, ITEM.c.content_id == CONTENT.c.id)
        .where(CONTENT.c.rules < rules, CONTENT.c.id > after, items_under(root))
        .group_by(CONTENT.c.id)
        .order_by(CONTENT.c.id)
        .limit(limit)
    )
    return [Outdated(*row) for row in connection.execute(query)]


def outdated_examples(connection: Connection, rules: int) -> list[Outdated]:
    """The examples of earlier rules than these, by ascending id."""
    query = select(EXAMPLE.c.id, EXAMPLE.c.uri, EXAMPLE.c.sha256, EXAMPLE.c.text).where(EXAMPLE.c.rules < rules)
    return [Outdated(*row) for row in connection.execute(query.order_by(EXAMPLE.c.id))]


def renew(connection: Connection, rules: int, renewals: Sequence[Renewal]) -> None:
    """Records that these contents are as the rules read them; one with a new vector becomes a new content."""
    same = [one.id for one in renewals if one.vector is None]
    connection.execute(CONTENT.update().where(among(CONTENT.c.id, same)).values(rules=rules))
    new = {one.id: one for one in renewals if one.vector is not None}
    if not new:
        return
    dim = number_setting(connection, "dim")
    rows = connection.execute(select(CONTENT).where(among(CONTENT.c.id, new))).all()
    # The index holds the vector of an id for good, so the content gets another id; its checksum goes with it.
    without = CONTENT.update().where(CONTENT.c.id == bindparam("old")).values(sha256=bindparam("none"))
    connection.execute(without, [{"old": row.id, "none": os.urandom(32)} for row in rows])
    vectors = {row.sha256: stored_vector(_vector(new[row.id]), dim, f"content {row.id}") for row in rows}
    connection.execute(CONTENT.insert(), [_values(row, new[row.id], vectors[row.sha256], rules) for row in rows])
    made = content_ids(connection, list(vectors))
    moved = ITEM.update().where(ITEM.c.content_id == bindparam("old")).values(content_id=bindparam("made"))
    connection.execute(moved, [{"old": row.id, "made": made[row.sha256]} for row in rows])
    enrolled = EXAMPLE.update().where(EXAMPLE.c.sha256 == bindparam("sha"))
    connection.execute(
        enrolled.values(vector=bindparam("new"), rules=rules),
        [{"sha": sha, "new": vector} for sha, vector in vectors.items()],
    )
    changed(connection)
    drop_orphans(connection, list(new), changed=True)


def _vector(one: Renewal) -> Vectors:
    assert one.vector is not None
    return one.vector


def _values(row: Row[Any], one: Renewal, vector: bytes, rules: int) -> dict[str, object]:
    return {
        "sha256": row.sha256,
        "kind": row.kind,
        "width": one.width,
        "height": one.height,
        "text": row.text,
        "vector": vector,
        "rules": rules,
        "small": row.small,
    }


def renew_examples(connection: Connection, rules: int, renewals: Sequence[Renewal]) -> None:
    """Records that these examples are as the rules read them, with a new vector where they have one."""
    dim = number_setting(connection, "dim")
    given = among(EXAMPLE.c.id, [one.id for one in renewals])
    connection.execute(EXAMPLE.update().where(given).values(rules=rules))
    new = [
        {"example": one.id, "new": stored_vector(one.vector, dim, f"example {one.id}")}
        for one in renewals
        if one.vector is not None
    ]
    if new:
        update = EXAMPLE.update().where(EXAMPLE.c.id == bindparam("example")).values(vector=bindparam("new"))
        connection.execute(update, new)
        changed(connection)
