"""What a collection is made of: its folder, store, index and encoder, and the writer's lock."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from simsearch.collection import pinning, upkeep
from simsearch.collection.cache.opening import open_index
from simsearch.collection.cache.writing import bring_up, forget_newer, sweep_temporaries
from simsearch.collection.places import STORE_NAME
from simsearch.collection.switching import finish_rebuild
from simsearch.errors import LockedError, StoreError, UsageError
from simsearch.store import Store

if TYPE_CHECKING:
    from simsearch.types import Encoder, VectorIndex


class OpenCollection:
    """An open collection: its parts, opened when they are first needed, until `close`."""

    def __init__(self, folder: Path, encoder: str | Path | Encoder | None = None) -> None:
        self.folder = folder
        self._given = encoder
        self._store: Store | None = Store.open(folder / STORE_NAME)
        self._index: VectorIndex | None = None
        self.index_notes: tuple[str, ...] = ()

    def close(self) -> None:
        if self._store is not None:
            self._store.close()
        self._store = self._index = None

    @contextlib.contextmanager
    def reopening(self, encoder: Encoder | None) -> Iterator[None]:
        """Closes the collection while its files are replaced and reopens it, with this encoder if that succeeded."""
        self.store.close()
        self._store = self._index = None
        try:
            yield
            self._given = encoder
            for cached in ("encoder", "dim"):
                self.__dict__.pop(cached, None)
        finally:
            finish_rebuild(self.folder)
            self._store = Store.open(self.folder / STORE_NAME)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return upkeep.description(self.folder, self._store)

    @property
    def store(self) -> Store:
        if self._store is None:
            raise UsageError(f"The collection {self.folder} was closed")
        return self._store

    @cached_property
    def dim(self) -> int:
        """The length of the vectors."""
        return int(pinning.setting(self.folder, self.store, "dim"))

    @cached_property
    def encoder(self) -> Encoder:
        """The encoder that the collection is pinned to. Raises EncoderMismatchError when its fingerprint differs.

        One that was given by its place is remembered there when the recorded one has gone.
        """
        opened = pinning.pinned_encoder(self.folder, self.store, self._given)
        if isinstance(self._given, (str, Path)):
            from simsearch.collection import making

            self._try_remembering(making.reference(self._given, opened), opened.fingerprint)
        return opened

    def _try_remembering(self, place: str, fingerprint: str) -> None:
        """Records where the encoder is now, if no process is writing and the folder is writable."""
        if pinning.leads_to(pinning.setting(self.folder, self.store, "encoder"), fingerprint):
            return
        with contextlib.suppress(LockedError, StoreError), self.writing() as store:
            if store.setting("fingerprint") == fingerprint:
                store.set_settings({"encoder": place})

    @property
    def index(self) -> VectorIndex:
        """The vectors of all contents; loaded at first use."""
        if self._index is None:
            self._index = open_index(self.folder, self.store, self.dim, self._try_bringing_up)
        return self._index

    def _try_bringing_up(self) -> None:
        """Writes the index files for the next reader, if no process is writing and the folder is writable."""
        with contextlib.suppress(LockedError, StoreError, OSError), self.writing() as store:
            bring_up(self.folder, store, self.dim)

    def refresh(self) -> None:
        """Forgets the loaded index, so that the next query sees what other processes have written."""
        self._index = None

    @contextlib.contextmanager
    def writing(self, encoder: Encoder | None = None) -> Iterator[Store]:
        """The store opened for writing, under the writer's lock.

        Raises EncoderMismatchError when the collection is pinned to another encoder than the given one: another process
        may have changed that since this one opened it.
        """
        from simsearch.collection import locking

        with locking.writing(self.folder) as store:
            if encoder is not None:
                pinning.require(self.folder, store, encoder)
            yield store

    def bind(self, encoder: str | Path | Encoder | None, dim: int | None) -> None:
        """Pins an empty collection to an encoder, or to own vectors of `dim` numbers; another one stays as it is."""
        from simsearch.collection import making

        held = self.store.counts()
        if (encoder is None and dim is None) or held.items or held.examples:
            return
        _, settings = making.pin(encoder, dim)
        pinned = ("fingerprint", "dim")
        if all(self.store.setting(key) == settings[key] for key in pinned):
            return
        with self.writing() as store:
            store.set_settings(settings, if_empty=True)
        for cached in ("encoder", "dim"):
            self.__dict__.pop(cached, None)
        self._index = None

    @contextlib.contextmanager
    def changing(self, encoder: Encoder | None = None) -> Iterator[Store]:
        """Like `writing`; afterwards the index file is brought up to date, also when the work was interrupted."""
        with self.writing(encoder) as store:
            sweep_temporaries(self.folder)
            forget_newer(self.folder, store)
            try:
                yield store
            finally:
                self._index = None
                self.index_notes = bring_up(self.folder, store, self.dim)
