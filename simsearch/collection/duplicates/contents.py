"""The contents that are compared, and their items; those of the collection first, then those of a reference."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection as Sized
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from simsearch.collection.duplicates.companions import Folders
from simsearch.duplicates.removal.places import Roots
from simsearch.types import Skip

if TYPE_CHECKING:
    from simsearch.store import ContentRow, Store
    from simsearch.types import Item, Vectors

OUTDATED = "has vanished or changed since it was indexed; bring the collection up to date: simsearch index"


@dataclass(frozen=True, slots=True)
class Contents:
    """Contents by number. Numbers from `own` on are of the reference; the same bytes may be in both.

    `items` has those of each content whose files are as they were indexed; a content without any takes no part.
    """

    rows: list[ContentRow]
    vectors: Vectors
    own: int
    items: dict[int, list[Item]]
    files: frozenset[tuple[int, str]] = frozenset()
    """Number and uri of the items that are whole files."""
    skipped: tuple[Skip, ...] = ()
    numbers: dict[bytes, list[int]] = field(default_factory=dict)
    """The numbers of each sha256: one, or one of the collection and one of the reference."""

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def reference(self) -> range:
        return range(self.own, len(self.rows))

    def shared(self) -> list[tuple[int, int]]:
        """The contents that are both in the collection and in the reference, with items in both."""
        both = ((one[0], one[1]) for one in self.numbers.values() if len(one) == 2)
        return [(own, other) for own, other in both if own in self.items and other in self.items]

    def paths(self, number: int) -> list[str]:
        """The files that hold a content."""
        return [item.uri for item in self.items.get(number, ()) if (number, item.uri) in self.files]


def load(store: Store, reference: Store | None = None) -> Contents:
    """The contents of a store, and of a reference. Items that lie in the folders of the reference are left to it."""
    theirs = Roots.of(reference.roots() if reference is not None else ())
    skipped: list[Skip] = []
    own = _Side.of(store, skipped, theirs)
    other = None if reference is None else _Side.of(reference, skipped, Roots.of(()))
    sides = [own] if other is None else [own, other]
    rows = [row for side in sides for row in side.rows]
    items: dict[int, list[Item]] = {}
    files: set[tuple[int, str]] = set()
    for start, side in zip((0, len(own.rows)), sides, strict=False):
        for number, row in enumerate(side.rows, start):
            if row.id in side.items:
                items[number] = side.items[row.id]
                files.update((number, item.uri) for item in side.items[row.id] if item.id in side.whole)
    numbers = defaultdict(list)
    for number, row in enumerate(rows):
        numbers[row.sha256].append(number)
    vectors = np.concatenate([side.vectors for side in sides])
    return Contents(rows, vectors, len(own.rows), items, frozenset(files), tuple(skipped), dict(numbers))


@dataclass(frozen=True, slots=True)
class _Side:
    """What one store has; `whole` are the ids of items that are whole files."""

    rows: list[ContentRow]
    vectors: Vectors
    items: dict[int, list[Item]]
    whole: set[int]

    @classmethod
    def of(cls, store: Store, skipped: list[Skip], elsewhere: Roots) -> _Side:
        with store.snapshot():
            rows = store.comparisons.contents()
            parts = [vectors for _, vectors in store.vectors()]
            items, whole, folders = defaultdict(list), set(), Folders()
            for item, is_file in _each_item(store):
                if is_file and (elsewhere.holding(item.uri) is not None or folders.is_beside_picture(item.uri)):
                    continue
                if is_file and not _as_indexed(item):
                    skipped.append(Skip(item.uri, OUTDATED))
                    continue
                items[item.content_id].append(item)
                if is_file:
                    whole.add(item.id)
        vectors = np.concatenate(parts) if parts else np.empty((0, store.dim), np.float32)
        return cls(rows, vectors, dict(items), whole)


def _each_item(store: Store) -> Iterator[tuple[Item, bool]]:
    """Each item, and whether it is a whole file (and no row of one, nor a text under a name of its own)."""
    for batch in store.iterate_items():
        rows = store.files_of([item.id for item in batch])
        for item in batch:
            yield item, item.id not in rows and os.path.isabs(item.uri)  # noqa: PTH117


def _as_indexed(item: Item) -> bool:
    try:
        seen = Path(item.uri).stat()
    except (OSError, ValueError):
        return False
    return (seen.st_size, seen.st_mtime_ns) == (item.size, item.mtime_ns)


def repeated(contents: Contents, numbers: Iterable[int] | None = None) -> int:
    """How many pairs of items have equal bytes; of `numbers`, or of all contents."""
    wanted: Iterable[int] = contents.items if numbers is None else numbers
    counts = (len(contents.items.get(number, ())) for number in wanted)
    return sum(count * (count - 1) // 2 for count in counts)


def pairs_of_items(contents: Contents, pairs: Sized[tuple[int, int]]) -> int:
    """How many pairs of items some pairs of contents stand for."""
    return sum(len(contents.items.get(a, ())) * len(contents.items.get(b, ())) for a, b in pairs)
