"""What a collection is made of: its folder, store, index and encoder, and the writer's lock."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from simsearch.collection import pinning
from simsearch.collection.cache.opening import open_index
from simsearch.collection.cache.writing import bring_up, forget_newer, sweep_temporaries
from simsearch.collection.places import STORE_NAME
from simsearch.collection.switching import finish_rebuild, previous_folder, rebuilding_folder
from simsearch.errors import CollectionNotFoundError, LockedError, SimsearchError, StoreError, UsageError
from simsearch.store import Store

if TYPE_CHECKING:
    from simsearch.types import Encoder, VectorIndex


T = TypeVar("T")
GONE = "gone"
"""The name of no file: where an index file is looked for when there can be none."""


class OpenCollection:
    """An open collection: its parts, opened when they are first needed, until `close`."""

    def __init__(self, folder: Path, encoder: str | Path | Encoder | None = None) -> None:
        self.folder = folder
        self._given = encoder
        self._writer: Store | None = None
        self._writer_file: object = None
        self._values = dict[str, Any]()
        self._turns = 0
        self.index_notes: tuple[str, ...] = ()
        self._retired: list[Store] = []
        self._store: Store | None
        self._store, self._file = _open_store(folder)

    def close(self) -> None:
        self._close_writer()
        for store in (*self._retired, *([self._store] if self._store else ())):
            store.close()
        self._retired = []
        self._store = self._file = None
        self._values = {}

    def reopen(self, encoder: str | Path | Encoder | None = None) -> None:
        """Turns to the collection that is in the folder now, with this encoder, or the one given before if it fits.

        The store before stays open until `close`: other threads may be in the middle of an answer.
        """
        self._retired.append(self.store)
        opened, file = _open_store(self.folder)
        if encoder is None and getattr(self._given, "fingerprint", None) == opened.setting("fingerprint"):
            encoder = self._given
        self._turns += 1
        self._store, self._file, self._given = opened, file, encoder
        # Last: a thread that has met the new one reads for it what is current now.
        self._values = {}
        self._turns += 1

    def steadily(self, answer: Callable[[], T]) -> T:
        """What `answer` returns from one state of the collection.

        It is called again where `reopen`, in another thread, has turned to another state meanwhile.
        """
        while True:
            before = self._turns
            try:
                found = answer()
            except SimsearchError:
                if self._is_steady(before):
                    raise
            else:
                if self._is_steady(before):
                    return found

    def _is_steady(self, before: int) -> bool:
        # Odd in the middle of a turn.
        return self._turns == before and not before % 2

    def _value_of(self, name: str, make: Callable[[], T]) -> T:
        """A value of the state that is open, made when it is first needed."""
        values = self._values
        if name not in values:
            values[name] = make()
        found: T = values[name]
        return found

    @property
    def replaced(self) -> bool:
        """Whether another state of the collection has taken the place of the one that is open here."""
        return _identity(self.folder / STORE_NAME) != self._file

    def _close_writer(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._writer = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return _described(self.folder, self._store)

    @property
    def store(self) -> Store:
        if self._store is None:
            raise UsageError(f"The collection {self.folder} was closed")
        return self._store

    @property
    def dim(self) -> int:
        """The length of the vectors."""
        return self._value_of("dim", lambda: int(pinning.setting(self.folder, self.store, "dim")))

    @property
    def modality(self) -> str:
        """What it holds: "image", "text", or "vector" for vectors of the user's own."""
        return self._value_of("modality", lambda: self.store.setting("modality") or "image")

    @property
    def encoder(self) -> Encoder:
        """The encoder that the collection is pinned to. Raises EncoderMismatchError when its fingerprint differs.

        One that was given by its place is remembered there when the recorded one has gone.
        """
        return self._value_of("encoder", self._pinned_encoder)

    def _pinned_encoder(self) -> Encoder:
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
        return self._value_of("index", self._open_index)

    def _open_index(self) -> VectorIndex:
        while True:
            place = self._place()
            index = open_index(place, self.store, self.dim, self._try_bringing_up)
            # Else another state took its place meanwhile, and the files may have been that one's.
            if self._place() == place:
                return index

    def _place(self) -> Path:
        """The folder in which the files of the open store are; one that is not there when they have gone."""
        places = (self.folder, previous_folder(self.folder), rebuilding_folder(self.folder))
        return next((place for place in places if _identity(place / STORE_NAME) == self._file), self.folder / GONE)

    def _try_bringing_up(self) -> None:
        """Writes the index files for the next reader, if no process is writing and the folder is writable."""
        from simsearch.collection import locking

        with contextlib.suppress(LockedError, StoreError, OSError), locking.writing(self.folder, brief=True) as store:
            if not self.replaced:
                bring_up(self.folder, store, self.dim)

    def refresh(self) -> None:
        """Forgets the loaded index, so that the next query sees what other processes have written.

        Where another state of the collection has taken its place, for instance with another encoder, that is opened.
        """
        self._values.pop("index", None)
        if self.replaced:
            self.reopen()

    @contextlib.contextmanager
    def writing(self, encoder: Encoder | None = None) -> Iterator[Store]:
        """The store opened for writing, under the writer's lock.

        Raises EncoderMismatchError when the collection is pinned to another encoder than the given one: another process
        may have changed that since this one opened it.
        """
        from simsearch.collection import locking

        with locking.held(self.folder):
            if self.replaced:
                self.reopen()
            try:
                store = self._open_writer()
                if encoder is not None:
                    pinning.require(self.folder, store, encoder)
                yield store
            except BaseException:
                # What went wrong may be the connection.
                self._close_writer()
                raise

    def _open_writer(self) -> Store:
        """The store for writing. It is kept open, as opening it takes longer than most changes."""
        path = self.folder / STORE_NAME
        file = _identity(path)
        if self._writer is None or self._writer_file != file:
            self._close_writer()
            self._writer, self._writer_file = Store.open(path, write=True), file
        return self._writer

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
        self._values = {}

    @contextlib.contextmanager
    def changing(self, encoder: Encoder | None = None) -> Iterator[Store]:
        """Like `writing`; afterwards the index file is brought up to date, also when the work was interrupted."""
        with self.writing(encoder) as store:
            sweep_temporaries(self.folder)
            forget_newer(self.folder, store)
            try:
                yield store
            finally:
                self._values.pop("index", None)
                self.index_notes = bring_up(self.folder, store, self.dim)


def _described(folder: Path, store: Store | None) -> str:
    """What `repr` shows of a collection; `store` is None when it is closed."""
    if store is None:
        return f"<Collection {folder}: closed>"
    try:
        items, encoder = store.counts().items, store.setting("encoder")
    except SimsearchError as error:
        return f"<Collection {folder}: {error}>"
    return f"<Collection {folder}: {items:,} items, {f'encoder {encoder}' if encoder else 'own vectors'}>"


def _identity(path: Path) -> tuple[int, int] | None:
    """Device and inode of a file, which another of its name does not have; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _open_store(folder: Path) -> tuple[Store, tuple[int, int] | None]:
    """The store in the folder, and what its file is. Waits out that another state of it takes its place meanwhile."""
    path = folder / STORE_NAME
    while True:
        file = _identity(path)
        try:
            store = Store.open(path)
        except CollectionNotFoundError:
            finish_rebuild(folder)
            if not path.is_file():
                raise
            continue
        if _identity(path) == file:
            return store, file
        store.close()
