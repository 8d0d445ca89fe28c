"""The part of a collection's facade that looks around in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

# What draws maps and reads files is imported where it is needed: a query must not wait for it.
from simsearch.collection.queries.methods import QueryMethods
from simsearch.errors import UsageError
from simsearch.media.arguments import COUNT, as_progress, require

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from simsearch.collection.browsing.mapping import CollectionMap
    from simsearch.progress import Progress
    from simsearch.types import Example, Item


@dataclass(frozen=True, slots=True)
class Facets:
    """What items can be told apart by: their labels and the folders of their files, each with its number of items.

    `keys` are those of the metadata of the first ones.
    """

    labels: Mapping[str, int]
    folders: Mapping[str, int]
    keys: tuple[str, ...] = ()


class BrowsingMethods(QueryMethods):
    """Items by id and page by page, their files, and a map of all."""

    def item(self, item_id: int) -> Item | None:
        """The item of an id, or None when there is none (any more)."""
        found = self.items_with([item_id])
        return found[0] if found else None

    def items_with(self, ids: Sequence[int]) -> list[Item]:
        """The items that there are of those asked for, by ascending id."""
        return self.store.items(np.array(ids, dtype=np.int64))

    def items_named(self, uris: Sequence[str]) -> dict[str, Item]:
        """The items that there are under those paths or uris."""
        return self.store.items_by_uri(uris)

    def picture_sizes(self, items: Iterable[Item]) -> dict[int, tuple[int, int]]:
        """Width and height in pixels of those items that are pictures, by the id of the item."""
        contents = {item.id: item.content_id for item in items}
        sizes = self.store.picture_sizes(sorted(set(contents.values())))
        return {item: sizes[content] for item, content in contents.items() if content in sizes}

    def page(self, after: int = 0, limit: int = 100, *, where: str | None = None) -> list[Item]:
        """The next items with an id above `after`, by ascending id, at most `limit`; only those that fit a filter."""
        require(COUNT, after=after, limit=limit)
        if limit < 1:
            raise UsageError(f"limit must be at least 1, not {limit}")
        return self.store.page(after, limit, self.condition(where))

    def facets(self, where: str | None = None) -> Facets:
        """The labels and the folders that there are among the items, or those that fit a filter."""
        condition, store = self.condition(where), self.store
        return Facets(store.label_counts(condition), store.folder_counts(condition), tuple(store.metadata_keys()))

    def read(self, item: Item | Example) -> bytes:
        """The bytes of the file of an item, or of that which an example was enrolled from.

        Raises MediaError when it has none, cannot be read, or leads out of the collection, see `files.read_item`.
        """
        from simsearch.collection.browsing import files
        from simsearch.types import Item

        return files.read_item(self.store, item) if isinstance(item, Item) else files.read_example(self.store, item)

    def map(self, *, progress: Progress | bool | None = None) -> CollectionMap:
        """All items as points of a plane, and how far each lies from the others; see `CollectionMap`."""
        from simsearch.collection.browsing.mapping import map_of

        return map_of(self.store, as_progress(progress))
