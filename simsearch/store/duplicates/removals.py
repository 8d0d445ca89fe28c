"""Items that were removed as duplicates: what is needed to restore them, and what they have handed over."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import Connection, exists, select
from sqlalchemy.dialects.sqlite import insert

from simsearch.store import writing
from simsearch.store.database import Database
from simsearch.store.duplicates.tables import REMOVAL, SET_ASIDE, TAKEN_OVER
from simsearch.store.reading import chunks, items, setting
from simsearch.store.records import Handover, Removal, SetAside
from simsearch.store.schema import EXAMPLE, ITEM

if TYPE_CHECKING:
    from simsearch.types import Item


class Removals:
    """Removals and the items set aside by them. Each method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[Removal]:
        """The removals, in the order in which they were begun last."""
        with self._database.reading() as connection:
            return [_removal(row) for row in connection.execute(select(REMOVAL).order_by(REMOVAL.c.id))]

    def unsettled(self) -> bool:
        """Whether a removal was interrupted before the items agreed with the files."""
        with self._database.reading() as connection:
            return bool(connection.scalar(select(exists().where(REMOVAL.c.settled == 0))))

    def begin(self, plan: str, quarantine: str, hands_over: Sequence[Handover]) -> None:
        """Records that files are about to be removed by a plan, with their journals in that folder."""
        listed = json.dumps([asdict(one) for one in hands_over])
        row = {"plan": plan, "quarantine": quarantine, "takes_over": listed, "settled": 0}
        statement = insert(REMOVAL).values(row)
        with self._database.writing() as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=["plan", "quarantine"], set_=row))

    def set_settled(self, removal: Removal, settled: bool) -> None:
        """Records whether the items agree with the files."""
        with self._database.writing() as connection:
            connection.execute(REMOVAL.update().where(REMOVAL.c.id == removal.id).values(settled=int(settled)))

    def aside(self, removal: Removal) -> list[SetAside]:
        """The items that a removal has set aside."""
        query = select(SET_ASIDE).where(SET_ASIDE.c.removal_id == removal.id).order_by(SET_ASIDE.c.uri)
        with self._database.reading() as connection:
            return [
                SetAside(row.uri, row.removal_id, row.label, json.loads(row.metadata))
                for row in connection.execute(query)
            ]

    def set_aside(self, removal: Removal, uris: Sequence[str]) -> int:
        """Takes the items of these uris out, remembered to be restored, and hands over what the plan says.

        Returns how many there were.
        """
        with self._database.writing() as connection:
            there = [item for part in chunks(uris) for item in items(connection, ITEM.c.uri.in_(part))]
            if not there:
                return 0
            rows = [_aside(removal, item) for item in there]
            connection.execute(insert(SET_ASIDE).prefix_with("OR REPLACE"), rows)
            gone = {item.uri for item in there}
            _hand_over(connection, [one for one in removal.hands_over if one.source in gone])
            return writing.remove_items(connection, np.array([item.id for item in there], dtype=np.int64))

    def restored(self, uris: Sequence[str]) -> None:
        """Forgets that items were set aside, and takes back what they have handed over."""
        with self._database.writing() as connection:
            for part in chunks(uris):
                rows = connection.execute(select(TAKEN_OVER).where(TAKEN_OVER.c.source.in_(part)))
                for row in rows.all():
                    value = json.loads(row.value)
                    _take_back(connection, Handover(row.source, row.kept, row.what, row.key, value))
                connection.execute(TAKEN_OVER.delete().where(TAKEN_OVER.c.source.in_(part)))
                connection.execute(SET_ASIDE.delete().where(SET_ASIDE.c.uri.in_(part)))

    def example_labels(self, uris: Sequence[str]) -> dict[str, list[str]]:
        """The labels that each of the uris is an enrolled example of."""
        found: dict[str, list[str]] = {}
        with self._database.reading() as connection:
            for part in chunks(uris):
                query = select(EXAMPLE.c.uri, EXAMPLE.c.label).where(EXAMPLE.c.uri.in_(part)).order_by(EXAMPLE.c.id)
                for row in connection.execute(query):
                    found.setdefault(row.uri, []).append(row.label)
        return found

    def carry_over(self, old: Removals) -> None:
        """Makes this the successor of another store: its id, and all that it has removed."""
        with old._database.reading() as source:
            identity = setting(source, "id")
            tables = [
                (table, [dict(row._mapping) for row in source.execute(select(table))])
                for table in (REMOVAL, SET_ASIDE, TAKEN_OVER)
            ]
        with self._database.writing() as connection:
            if identity is not None:
                writing.set_setting(connection, "id", identity)
            for table, rows in tables:
                if rows:
                    connection.execute(insert(table).prefix_with("OR REPLACE"), rows)


def forget_label(connection: Connection, label: str) -> None:
    """Forgets that examples of a label were handed over."""
    named = (TAKEN_OVER.c.what == "example") & (TAKEN_OVER.c.value == json.dumps(label))
    connection.execute(TAKEN_OVER.delete().where(named))
    for row in connection.execute(select(REMOVAL)).all():
        listed = json.loads(row.takes_over)
        kept = [one for one in listed if (one["what"], one["value"]) != ("example", label)]
        if len(kept) < len(listed):
            changed = REMOVAL.update().where(REMOVAL.c.id == row.id)
            connection.execute(changed.values(takes_over=json.dumps(kept)))


def _removal(row: Any) -> Removal:
    hands_over = tuple(Handover(**one) for one in json.loads(row.takes_over))
    return Removal(row.id, row.plan, row.quarantine, hands_over, bool(row.settled))


def _aside(removal: Removal, item: Item) -> dict[str, Any]:
    return {
        "uri": item.uri,
        "removal_id": removal.id,
        "label": item.label,
        "metadata": json.dumps(dict(item.metadata)),
    }


def _hand_over(connection: Connection, handovers: Iterable[Handover]) -> None:
    """Carries out what still can be: an item that has got its own label or entry meanwhile keeps it."""
    for one in handovers:
        if _changed(connection, one, back=False):
            connection.execute(TAKEN_OVER.insert(), [asdict(one) | {"value": json.dumps(one.value)}])


def _take_back(connection: Connection, one: Handover) -> None:
    """Undoes a handover, unless what was handed over has been changed since."""
    _changed(connection, one, back=True)


def _changed(connection: Connection, one: Handover, *, back: bool) -> bool:
    if one.what == "example":
        here, there = (one.kept, one.source) if back else (one.source, one.kept)
        which = (EXAMPLE.c.uri == here) & (EXAMPLE.c.label == one.value)
        return connection.execute(EXAMPLE.update().where(which).values(uri=there)).rowcount > 0
    found = items(connection, ITEM.c.uri == one.kept)
    if not found:
        return False
    item = found[0]
    if one.what == "label":
        if item.label != (one.value if back else None):
            return False
        writing.set_labels(connection, [(item.id, None if back else str(one.value))])
        return True
    entries, key = dict(item.metadata), one.key or ""
    if (back and entries.get(key) != one.value) or (not back and key in entries):
        return False
    if back:
        del entries[key]
    else:
        entries[key] = one.value
    connection.execute(ITEM.update().where(ITEM.c.id == item.id).values(metadata=json.dumps(entries)))
    return True
