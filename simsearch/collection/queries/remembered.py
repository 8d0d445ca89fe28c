"""What filters match in a store, remembered until the database changes."""

from __future__ import annotations

import difflib
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simsearch.errors import UsageError
from simsearch.where import parse
from simsearch.where.tree import FIELDS, Field, Key, kinds_of, leaves_of

if TYPE_CHECKING:
    from simsearch.store import Store
    from simsearch.types import Ids
    from simsearch.where.tree import Condition

KEPT = 16
IDS_KEPT = 8_000_000
"""Bounds of what is remembered: filters, and contents of all of them, 64 MB."""
KINDS = {str: "texts", float: "numbers", bool: "booleans"}
SAMPLE = 256
"""Items by which it is estimated how many match."""


@dataclass(slots=True)
class Remembered:
    """Of one filter, in one state of the database."""

    state: tuple[int, int]
    share: float
    """Estimated, of all items."""
    ids: Ids | None = None
    """All contents that match, ascending; None as long as nobody has looked at all items."""
    spent: float = 0
    """What was done without knowing them, in items that could have been looked at instead."""


class Filters:
    """The filters of an open collection. Threads may share it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._turn = threading.Lock()
        self._remembered: OrderedDict[Condition, Remembered] = OrderedDict()
        self._conditions: OrderedDict[str, Condition] = OrderedDict()
        self._keys: set[tuple[Key, frozenset[type]]] = set()

    def condition(self, text: str) -> Condition:
        """What a filter means. Raises UsageError for one that cannot be read or names what no item has."""
        with self._turn:
            found = self._conditions.get(text) if isinstance(text, str) else None
        if found is None:
            found = parse(text)
            self._require_keys(found)
            with self._turn:
                self._conditions[text] = found
                while len(self._conditions) > KEPT:
                    self._conditions.popitem(last=False)
        return found

    def about(self, where: Condition) -> Remembered:
        """What is known of a filter in the present state of the database; at first only how many items may match."""
        state = self.store.state()
        with self._turn:
            found = self._remembered.get(where)
            if found is not None and found.state == state:
                self._remembered.move_to_end(where)
                return found
        found = Remembered(state, self.store.share_where(where, SAMPLE))
        with self._turn:
            self._remembered[where] = found
            self._remembered.move_to_end(where)
            self._forget_some()
        return found

    def ids(self, where: Condition) -> Ids:
        """The contents that have an item for which the filter holds, ascending. Looks at all items where need be."""
        about = self.about(where)
        if about.ids is None:
            # Later than the state that it is kept with, so that what changes meanwhile makes it unknown again.
            about.ids = self.store.contents_where(where)
            with self._turn:
                self._forget_some()
        return about.ids

    def _forget_some(self) -> None:
        while len(self._remembered) > 1 and (len(self._remembered) > KEPT or self._ids_kept() > IDS_KEPT):
            self._remembered.popitem(last=False)

    def _ids_kept(self) -> int:
        return sum(len(one.ids) for one in self._remembered.values() if one.ids is not None)

    def _require_keys(self, where: Condition) -> None:
        """Raises UsageError for a metadata key that no item has, or none with a value that could be meant.

        Either may be a typing error, and would be answered by nothing in silence.
        """
        for leaf in leaves_of(where):
            key, kinds = leaf.column, kinds_of(leaf)
            if isinstance(key, Field) or (key, kinds) in self._keys:
                continue
            if not self.store.has_key(key, kinds) and self.store.last_item_id():
                raise self._of_other_type(key, kinds) if self.store.has_key(key) else self._unknown(key)
            self._keys.add((key, kinds))

    def _unknown(self, key: Key) -> UsageError:
        names = self.store.metadata_keys()
        close = difflib.get_close_matches(str(key), [*FIELDS, *names], n=1)
        meant = f"; did you mean {close[0]}?" if close else "."
        listed = f" Metadata keys are {', '.join(names)}." if names else " No item has metadata."
        return UsageError(f"where: no item has the metadata key {key}{meant} Fields are {', '.join(FIELDS)}.{listed}")

    def _of_other_type(self, key: Key, kinds: frozenset[type]) -> UsageError:
        there = [name for kind, name in KINDS.items() if self.store.has_key(key, (kind,))] or ["lists, objects or null"]
        asked = " or ".join(name for kind, name in KINDS.items() if kind in kinds)
        return UsageError(
            f"where: the values of {key} are {' and '.join(there)}, none are {asked}; write texts in single quotes, "
            "numbers and true or false in none"
        )
