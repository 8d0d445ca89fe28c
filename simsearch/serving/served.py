"""The collections of a server: open all the time, and always as other processes have left them."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.collection.facade import Collection
from simsearch.collection.places import SERVING
from simsearch.errors import UsageError
from simsearch.serving.answers import ApiError
from simsearch.store.database import can_write

if TYPE_CHECKING:
    from simsearch.types import Encoder


@dataclass(slots=True, eq=False)
class Served:
    """One collection. `encoder` stands in for the recorded one."""

    name: str
    folder: Path
    encoder: str | Path | Encoder | None = None
    keeps: bool = True
    """Whether jobs and plans are kept in its folder."""
    _collection: Collection | None = field(default=None, repr=False)
    _generation: int = -1
    _turn: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def reading(self) -> Collection:
        """The collection, for what is read from its store: that is never older than the call."""
        with self._turn:
            return self._current()

    def searching(self) -> Collection:
        """The collection with an index no older than the call."""
        with self._turn:
            collection = self._current()
            generation = collection.store.generation()
            if generation != self._generation:
                collection.refresh()
                self._generation = generation
            return collection

    def _current(self) -> Collection:
        if self._collection is None:
            self._collection = Collection.open(self.folder, self.encoder)
        elif self._collection.replaced:
            self._collection.refresh()
            self._generation = -1
        return self._collection

    @property
    def state_folder(self) -> Path | None:
        """Where jobs and plans are kept; None where nothing is, as in a folder that cannot be written."""
        return self.folder / SERVING if self.keeps and can_write(self.folder) else None

    def modality(self) -> str:
        """What it holds: image, text or vector."""
        return self.reading().store.setting("modality") or ""

    @contextmanager
    def own(self) -> Iterator[Collection]:
        """Another opening of the collection, for long work; it shares the encoder."""
        shared = self.reading()
        encoder = None if shared.store.setting("modality") == "vector" else shared.encoder
        with Collection.open(self.folder, encoder) as collection:
            yield collection

    def close(self) -> None:
        if self._collection is not None:
            self._collection.close()


class Registry:
    """The served collections by name."""

    def __init__(self, served: Sequence[Served]) -> None:
        if not served:
            raise UsageError("nothing to serve; name a collection with --index")
        self._by_name = {one.name: one for one in served}
        if len(self._by_name) < len(served):
            raise UsageError("two collections of one name cannot be served together; rename the folder of one")

    def __iter__(self) -> Iterator[Served]:
        return iter(self._by_name.values())

    def get(self, name: str | None) -> Served:
        """The collection of a name; without one the only one. Raises ApiError 404 or 400."""
        if name is None:
            if len(self._by_name) > 1:
                several = f"several collections are served: {', '.join(self._by_name)}; choose by ?collection=NAME"
                raise ApiError(400, "collection", several, "collection")
            return next(iter(self))
        if name not in self._by_name:
            raise ApiError(404, "no_collection", f"no collection {name[:100]!r} is served here", "collection")
        return self._by_name[name]

    def close(self) -> None:
        for one in self:
            one.close()
