"""The part of the store that answers by conditions on items."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import ColumnElement, Select, and_, func, literal, select, true

from simsearch.store import reading
from simsearch.store.filters.columns import TYPES, field, key_type
from simsearch.store.filters.conditions import compiled, needs_content
from simsearch.store.schema import CONTENT, ITEM
from simsearch.where.tree import Field, Key

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from simsearch.store.database import Database
    from simsearch.types import Ids, Item
    from simsearch.where.tree import Condition

KEYS_OF = 10_000
"""Items that are looked at for the names of metadata keys."""


class Filtered:
    """Every method is one transaction."""

    _database: Database

    def contents_where(self, condition: Condition) -> Ids:
        """The contents of the items for which a condition holds, ascending. Looks at every item."""
        with self._database.reading() as connection:
            return np.unique(_numbers(connection, _chosen(ITEM.c.content_id, condition)))

    def share_where(self, condition: Condition, sample: int) -> float:
        """The share of the items for which a condition holds, estimated from so many of them; 0.0 without items."""
        with self._database.reading() as connection:
            last = reading.last_id(connection, ITEM.name)
            # The same for every call, so that what is decided by it is as well.
            drawn = np.random.default_rng(0).integers(1, last + 1, 2 * sample) if last else np.empty(0, dtype=np.int64)
            here = reading.among(ITEM.c.id, drawn.tolist())
            total = connection.scalar(select(func.count()).select_from(ITEM).where(here)) or 0
            chosen = _chosen(ITEM.c.id, condition).where(here).subquery()
            return (connection.scalar(select(func.count()).select_from(chosen)) or 0) / max(1, total)

    def item_ids_where(self, condition: Condition) -> Ids:
        """The items for which a condition holds, ascending."""
        with self._database.reading() as connection:
            return np.sort(_numbers(connection, _chosen(ITEM.c.id, condition)))

    def items_of(self, content_ids: Iterable[int], where: Condition | None = None) -> dict[int, list[Item]]:
        """The items of each content that there is, by ascending id; only those for which the condition holds."""
        grouped: dict[int, list[Item]] = {}
        with self._database.reading() as connection:
            if where is None:
                found = reading.items_of_contents(connection, content_ids)
            else:
                here = reading.among(ITEM.c.content_id, content_ids)
                found = reading.items(connection, and_(here, compiled(where)))
        for item in found:
            grouped.setdefault(item.content_id, []).append(item)
        return grouped

    def contents_among(self, content_ids: Iterable[int], where: Condition) -> Ids:
        """Those of the contents that have an item for which the condition holds, ascending."""
        query = _chosen(ITEM.c.content_id, where).where(reading.among(ITEM.c.content_id, content_ids))
        with self._database.reading() as connection:
            return np.unique(reading.id_array(connection, query))

    def iterate_items(self, batch: int = 1000, where: Condition | None = None) -> Iterator[list[Item]]:
        """The items for which the condition holds by ascending id, in lists of `batch`.

        Each list is read by itself, outside a snapshot.
        """
        after = 0
        while found := self.page(after, batch, where):
            yield found
            after = found[-1].id

    def page(self, after: int, limit: int, where: Condition | None = None) -> list[Item]:
        """The first `limit` items with an id above `after` for which the condition holds, by ascending id."""
        with self._database.reading() as connection:
            beyond = ITEM.c.id > after
            return reading.items(connection, beyond if where is None else and_(beyond, compiled(where)), limit)

    def label_counts(self, where: Condition | None = None) -> dict[str, int]:
        """How many items have each label, by label; of those for which the condition holds."""
        query = _counted(ITEM.c.label, where).where(ITEM.c.label.is_not(None))
        with self._database.reading() as connection:
            return dict(sorted((label, count) for label, count in connection.execute(query)))

    def folder_counts(self, where: Condition | None = None) -> dict[str, int]:
        """How many items have each value of the field `folder`, by folder; of those for which the condition holds."""
        query = _counted(field(Field("folder")), where)
        with self._database.reading() as connection:
            return dict(sorted((folder, count) for folder, count in connection.execute(query)))

    def state(self) -> tuple[int, int]:
        """A value that is another one after every change of the database, by whomever it was made. Takes 10 µs."""
        return self._database.state()

    def has_key(self, key: Key, kinds: Collection[type] = ()) -> bool:
        """Whether the metadata of any item has this key, with a value of one of the kinds if any are given: str, float
        for all numbers, bool. Quick where many have it."""
        kind = key_type(key)
        fits = kind.in_([name for one in kinds for name in TYPES[one]]) if kinds else kind.is_not(None)
        with self._database.reading() as connection:
            return connection.scalar(select(literal(1)).select_from(ITEM).where(fits).limit(1)) is not None

    def metadata_keys(self, most: int = 50) -> list[str]:
        """The keys of the metadata of the first items, in order, at most so many."""
        with self._database.reading() as connection:
            return list(islice(_keys(connection), most))


def _chosen(column: ColumnElement[int], condition: Condition) -> Select[Any]:
    query = select(column).select_from(ITEM)
    if needs_content(condition):
        query = query.outerjoin(CONTENT, CONTENT.c.id == ITEM.c.content_id)
    return query.where(compiled(condition))


def _counted(value: ColumnElement[Any], condition: Condition | None) -> Select[Any]:
    query = select(value, func.count()).select_from(ITEM).group_by(value)
    if condition is None:
        return query
    if needs_content(condition):
        query = query.outerjoin(CONTENT, CONTENT.c.id == ITEM.c.content_id)
    return query.where(compiled(condition))


def _numbers(connection: Connection, query: Select[Any]) -> Ids:
    """The numbers of a query of one column, in any order; as one text they come in half the time."""
    inner = query.subquery()
    joined = connection.scalar(select(func.group_concat(inner.c[0])))
    return np.fromstring(joined or "", dtype=np.int64, sep=",")


def _keys(connection: Connection) -> Iterator[str]:
    first = select(ITEM.c.metadata).where(ITEM.c.metadata != "{}").order_by(ITEM.c.id).limit(KEYS_OF).subquery()
    each = func.json_each(first.c.metadata).table_valued("key")
    yield from connection.scalars(
        select(each.c.key).select_from(first.join(each, true())).distinct().order_by(each.c.key)
    )
