"""Collection: everything that can be done with an index, in one place."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from simsearch.collection import cache, identities, indexing, locking, querying, texts_in, upkeep, vectors_in
from simsearch.collection.making import make
from simsearch.collection.places import STORE_NAME, is_collection
from simsearch.collection.switching import finish_rebuild
from simsearch.encoders import open_encoder
from simsearch.errors import CollectionNotFoundError, EncoderMismatchError, LockedError, StoreError, UsageError
from simsearch.manifest import MANIFEST_NAME
from simsearch.media.text_rows import Reading
from simsearch.progress import Progress, Silent
from simsearch.store import Store

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from simsearch.collection.identities import EnrollReport
    from simsearch.collection.querying import Query
    from simsearch.collection.upkeep import CheckReport, Info
    from simsearch.types import AddReport, Encoder, Ids, Item, Match, Metadata, Recognition, Scores, VectorIndex


class Collection:
    """A folder with a store, an index file and the name of its encoder. Use `create` or `open`.

    Any number of processes may read; one at a time may write, others get LockedError. Reading answers from the
    state that was there when the collection was opened or last written through this object; `refresh` looks again.
    """

    def __init__(self, folder: Path, encoder: Encoder | None = None) -> None:
        self.folder = folder
        self._given = encoder
        self._store: Store | None = Store.open(folder / STORE_NAME)
        self._index: VectorIndex | None = None

    @classmethod
    def create(
        cls, folder: str | Path, encoder: str | Path | Encoder | None = None, *, dim: int | None = None
    ) -> Collection:
        """A new, empty collection for an encoder (its name, folder or object), or with `dim` for your own vectors.

        Raises UsageError when there is one already.
        """
        return cls(Path(folder), make(Path(folder), encoder, dim))

    @classmethod
    def open(cls, folder: str | Path, encoder: Encoder | None = None) -> Collection:
        """The collection in `folder`. `encoder` stands in for the recorded one; its fingerprint must be the same."""
        folder = Path(folder)
        finish_rebuild(folder)
        if not is_collection(folder):
            raise CollectionNotFoundError(f"No collection at {folder}. Make one: simsearch index FOLDER")
        return cls(folder, encoder)

    def close(self) -> None:
        if self._store is not None:
            self._store.close()
        self._store = self._index = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # -- what it is made of ------------------------------------------------------------------------------------

    @property
    def store(self) -> Store:
        if self._store is None:
            raise UsageError(f"The collection {self.folder} was closed")
        return self._store

    @cached_property
    def dim(self) -> int:
        return int(self._setting("dim"))

    def _setting(self, key: str) -> str:
        value = self.store.setting(key)
        if value is None:
            raise StoreError(f"{self.folder / STORE_NAME} lacks the setting {key!r}: not a collection of simsearch")
        return value

    @cached_property
    def encoder(self) -> Encoder:
        """The encoder that the collection is pinned to. Raises EncoderMismatchError when it is another by now."""
        name, fingerprint = self._setting("encoder"), self._setting("fingerprint")
        if not fingerprint:
            raise UsageError(f"{self.folder} holds your own vectors and has no encoder: ask with vectors")
        opened = self._given or open_encoder(name)
        if opened.fingerprint != fingerprint:
            raise EncoderMismatchError(
                f"Index was built with encoder {name} ({fingerprint}), but {opened.name} ({opened.fingerprint}) is "
                f"loaded. Re-index: {self._command_to_rebuild(name)}"
            )
        return opened

    def _command_to_rebuild(self, encoder: str) -> str:
        source = next(iter(self.store.roots()), "FOLDER")
        words = ["simsearch", "index", source, "--index", str(self.folder), "--encoder", encoder, "--rebuild"]
        return shlex.join(words)

    @property
    def index(self) -> VectorIndex:
        """The vectors of all contents; loaded at first use."""
        if self._index is None:
            cached = cache.load(self.folder, self.store, self.dim)
            self._index = cached.index
            if cached.behind:
                self._try_saving(cached)
        return self._index

    def _try_saving(self, cached: cache.Cached) -> None:
        """Spares the next reader the catching up, if nobody is writing and the folder can be written."""
        with contextlib.suppress(LockedError, StoreError, OSError), self.writing() as store:
            if store.generation() == cached.generation:
                cache.save(self.folder, store, cached)

    def refresh(self) -> None:
        """Forgets the loaded index, so that the next question sees what other processes have written."""
        self._index = None

    def writing(self) -> AbstractContextManager[Store]:
        """The store opened for writing, under the writer's lock."""
        return locking.writing(self.folder)

    @contextlib.contextmanager
    def changing(self) -> Iterator[Store]:
        """Like `writing`; afterwards the index file is brought up to date, also when the work was interrupted."""
        with self.writing() as store:
            cache.sweep_temporaries(self.folder)
            cache.forget_newer(self.folder, store)
            before = store.generation()
            try:
                yield store
            finally:
                if store.generation() != before or not (self.folder / MANIFEST_NAME).exists():
                    cached = cache.load(self.folder, store, self.dim)
                    self._index = cached.index
                    cache.save(self.folder, store, cached)

    # -- putting in and taking out -----------------------------------------------------------------------------

    def add(
        self,
        sources: str | Path | Sequence[str | Path],
        *,
        labels: str | None = None,
        text_column: str | None = None,
        id_column: str | None = None,
        label_column: str | None = None,
        by: str | None = None,
        encoding: str | None = None,
        prune: bool = False,
        progress: Progress | None = None,
    ) -> AddReport:
        """Brings the collection up to date with folders or files; see `indexing.add_files` for what is removed.

        `labels="folder"` labels each item with the name of its folder, `labels="FILE.csv"` from a table with the
        columns `path` (relative to the table) and `label`. Costs a look at each file; only changed ones are read.
        Of texts, `by="line"` makes each line of a .txt or .md file an item; each row of a table (.csv, .tsv, .jsonl,
        .json) is one, by the columns named (see `Reading`). `encoding` is that of files without a byte order mark, by
        default UTF-8. What was set once holds until it is set anew.
        """
        given = [sources] if isinstance(sources, (str, Path)) else sources
        reading, encoder = Reading(by, text_column, id_column, label_column, encoding), self.encoder
        with self.changing() as store:
            return indexing.add_sources(
                store, encoder, given, labels=labels, reading=reading, prune=prune, progress=progress or Silent()
            )

    def add_texts(
        self, uris: Sequence[str], texts: Sequence[str], metadata: Sequence[Metadata] | None = None
    ) -> AddReport:
        """Stores texts that are in no file, under uris as they are given, in a collection with an encoder for texts.

        A uri that is there already gets the new text. All are checked before the first is stored.
        """
        encoder = self.encoder
        with self.changing() as store:
            return texts_in.add_texts(store, encoder, uris, texts, metadata)

    def add_vectors(
        self, uris: Sequence[str], vectors: ArrayLike, metadata: Sequence[Metadata] | None = None
    ) -> AddReport:
        """Stores your own embeddings, shape (len(uris), dim), in a collection made with `dim`.

        Rows are normalized; a zero or non-finite row is refused with its number and nothing is stored. A uri that is
        there already gets the new vector.
        """
        with self.changing() as store:
            return vectors_in.add_vectors(store, self.dim, uris, vectors, metadata)

    def remove(self, paths: str | Path | Iterable[str | Path]) -> int:
        """Takes items out of the collection, by path, or all those under a folder; returns how many. The files stay."""
        wanted = [paths] if isinstance(paths, (str, Path)) else list(paths)
        with self.changing() as store:
            return sum(store.remove_items(upkeep.ids_of(store, path)) for path in wanted)

    # -- asking --------------------------------------------------------------------------------------------------

    def query(
        self, source: Query, k: int = 10, *, min_score: float | None = None, exclude_self: bool = False
    ) -> list[Match]:
        """The k items nearest to a path, image, text, stored item or vector, best first.

        A str is a path if such a file exists, else the name of a stored item, else a text; a `Path` is always a file,
        a `types.Text` always a text. A stored item finds itself first unless `exclude_self`. Raises MediaError when
        the file cannot be read.
        """
        return self.query_many([source], k, min_score=min_score, exclude_self=exclude_self)[0]

    def query_many(
        self, sources: Sequence[Query], k: int = 10, *, min_score: float | None = None, exclude_self: bool = False
    ) -> list[list[Match]]:
        """`query` for several sources, encoded and searched together."""
        vectors, own = querying.resolve(self, sources)
        return querying.matches(
            self.store, self.index, vectors, own, k=k, min_score=min_score, exclude_self=exclude_self
        )

    def search(self, vectors: ArrayLike, k: int = 10) -> tuple[Ids, Scores]:
        """Content ids and scores as arrays of shape (n, min(k, contents)), for programs that need speed."""
        from simsearch.vectors.arrays import as_vectors

        return self.index.search(as_vectors(vectors, self.dim), k)

    def items(self) -> Iterator[Item]:
        """All items, by rising id; streams."""
        for batch in self.store.iterate_items():
            yield from batch

    def __len__(self) -> int:
        return self.store.counts().items

    # -- identities ----------------------------------------------------------------------------------------------

    def enroll(self, label: str, sources: Iterable[Query]) -> EnrollReport:
        """Makes each source an example of `label`, to be recognised from now on without any training."""
        encoder = self.encoder
        with self.writing() as store:
            return identities.enroll(store, encoder, label, sources)

    def forget(self, label: str) -> int:
        """Removes the examples of a label; returns how many there were."""
        with self.writing() as store:
            return store.remove_label(label)

    def labels(self) -> dict[str, int]:
        """The enrolled labels with their numbers of examples."""
        return self.store.labels()

    def recognize(self, source: Query, *, threshold: float | None = None) -> Recognition:
        """The label of the nearest enrolled example, or None ("unknown") when its score is below `threshold`."""
        return self.recognize_many([source], threshold=threshold)[0]

    def recognize_many(self, sources: Sequence[Query], *, threshold: float | None = None) -> list[Recognition]:
        """`recognize` for several sources, encoded together."""
        return identities.recognise(self, sources, threshold)

    # -- upkeep --------------------------------------------------------------------------------------------------

    def info(self) -> Info:
        """What the collection holds and how it was made."""
        return upkeep.info(self.folder, self.store)

    def check(self, *, repair: bool = False) -> CheckReport:
        """Looks for damage in the database and the index file, reading all of both.

        With `repair` the index file is made anew when it is damaged. A database that is damaged is only told of.
        """
        report = upkeep.check(self.folder, self.store, self.dim)
        if not (repair and report.index_problems):
            return report
        with self.writing() as store:
            upkeep.rebuild_index(self.folder, store, self.dim)
        self.refresh()
        return upkeep.check(self.folder, self.store, self.dim, repaired=report.index_problems)
