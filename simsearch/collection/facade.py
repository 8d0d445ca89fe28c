"""Collection: everything that can be done with an index, in one place."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.collection import pinning
from simsearch.collection.browsing.facade import BrowsingMethods
from simsearch.collection.duplicates.facade import DuplicateMethods
from simsearch.collection.exchange.methods import ExchangeMethods
from simsearch.collection.following.methods import FollowingMethods
from simsearch.collection.identities.methods import IdentityCollection
from simsearch.collection.places import is_collection
from simsearch.collection.reindexing.methods import ReindexMethods
from simsearch.collection.switching import finish_rebuild
from simsearch.collection.upkeep.methods import UpkeepMethods
from simsearch.errors import CollectionNotFoundError, SimsearchError, UsageError
from simsearch.media.arguments import (
    COUNT,
    FLAG,
    PATH,
    TEXT,
    TEXTS,
    allow,
    as_progress,
    path_list,
    require,
    require_encoder,
)
from simsearch.media.files import refuse_url
from simsearch.progress import Progress

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from simsearch.collection.adding.roots import MoveReport
    from simsearch.types import AddReport, Encoder, Metadata


class Collection(
    BrowsingMethods,
    ReindexMethods,
    ExchangeMethods,
    FollowingMethods,
    DuplicateMethods,
    IdentityCollection,
    UpkeepMethods,
):
    """A folder with a store, an index file and the name of its encoder. Use `create`, `open` or `open_or_create`.

    Any number of processes may read; one at a time may write, others get LockedError. Reading answers from the
    state that was there when the collection was opened or last written through this object; `refresh` looks again.
    """

    @classmethod
    def create(
        cls, folder: str | Path, encoder: str | Path | Encoder | None = None, *, dim: int | None = None
    ) -> Collection:
        """A new, empty collection for an encoder (its name, folder or object), or with `dim` for your own vectors.

        Raises UsageError when there is one already.
        """
        from simsearch.collection.making import make

        folder = _place(folder)
        if is_collection(folder) or not (made := make(folder, encoder, dim)).is_new:
            raise UsageError(f"{folder} is a collection already; open it, or choose another name")
        return cls(folder, made.encoder)

    @classmethod
    def open(cls, folder: str | Path, encoder: str | Path | Encoder | None = None) -> Collection:
        """The collection in `folder`. `encoder` stands in for the recorded one; its fingerprint must be the same.

        Given as a name or folder, it is also remembered, if the recorded one has gone.
        """
        folder = _place(folder)
        if encoder is not None and not isinstance(encoder, (str, Path)):
            require_encoder(encoder)
        finish_rebuild(folder)
        if not is_collection(folder):
            raise CollectionNotFoundError(f"No collection at {folder}. Make one: simsearch index FOLDER")
        return cls(folder, encoder)

    @classmethod
    def open_or_create(
        cls, folder: str | Path, encoder: str | Path | Encoder | None = None, *, dim: int | None = None
    ) -> Collection:
        """The collection in `folder`, made by `create` if there is none.

        An empty one is bound to the given encoder or `dim`. Raises EncoderMismatchError or UsageError when there is one
        that holds something, with another encoder or another `dim`.
        """
        from simsearch.collection.making import make

        folder = _place(folder)
        finish_rebuild(folder)
        if not is_collection(folder) and (made := make(folder, encoder, dim)).is_new:
            return cls(folder, made.encoder)
        opened = cls.open(folder, encoder)
        try:
            opened.bind(encoder, dim)
            pinning.require_pinned(folder, opened.store, encoder, dim)
        except SimsearchError:
            opened.close()
            raise
        return opened

    def add(
        self,
        sources: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
        *,
        labels: str | os.PathLike[str] | None = None,
        metadata: str | os.PathLike[str] | None = None,
        text_column: str | None = None,
        id_column: str | None = None,
        label_column: str | None = None,
        by: str | None = None,
        encoding: str | None = None,
        overlap: int | None = None,
        exclude: Sequence[str] | None = None,
        include_hidden: bool | None = None,
        strict: bool = False,
        prune: bool = False,
        verify_content: bool = False,
        progress: Progress | bool | None = None,
    ) -> AddReport:
        """Brings the collection up to date with folders or files; see `indexing.add_files` for what is removed.

        `labels="folder"` labels each item with the name of its folder, `labels="FILE.csv"` from a table with the
        columns `path` (relative to the table) and `label`. `metadata="FILE.csv"` gives items, also old ones, the values
        of the other columns of such a table. Only files whose size, mtime, inode or ctime has changed are read, or all
        with `verify_content`, and only new contents are encoded. Of texts, `by="line"` makes each line of a .txt or .md
        file an item, `by="paragraph"` each paragraph, of long ones parts; each row of a table is one, by the columns
        named. `encoding` is that of files without a byte order mark, by default UTF-8. `exclude` holds patterns as in
        .gitignore. These settings are kept until others are given. A file whose end is missing is read as far as
        possible, with a remark; `strict` skips it. `progress=True` shows a bar on standard error.
        """
        from simsearch.collection.adding import indexing
        from simsearch.media.text_rows import Reading

        given, shown = path_list(sources), as_progress(progress)
        allow(PATH, labels=labels, metadata=metadata)
        require(FLAG, prune=prune, verify_content=verify_content, strict=strict)
        allow(FLAG, include_hidden=include_hidden)
        allow(TEXTS, exclude=exclude)
        allow(COUNT, overlap=overlap)
        allow(TEXT, by=by, text_column=text_column, id_column=id_column, label_column=label_column, encoding=encoding)
        reading, encoder = Reading(by, text_column, id_column, label_column, encoding, overlap), self.encoder
        with self.changing(encoder) as store:
            if store.removals.unsettled():
                from simsearch.collection.duplicates.settling import settle

                settle(store, lambda: encoder)
            report = indexing.add_sources(
                store,
                encoder,
                given,
                labels=None if labels is None else os.fspath(labels),
                metadata=None if metadata is None else os.fspath(metadata),
                reading=reading,
                prune=prune,
                verify=verify_content,
                progress=shown,
                exclude=exclude,
                include_hidden=include_hidden,
                strict=strict,
            )
        return self._noted(report)

    def _noted(self, report: AddReport) -> AddReport:
        """The report with what was done to the index."""
        return replace(report, notes=(*report.notes, *self.index_notes))

    def add_texts(
        self, uris: Iterable[str], texts: Iterable[str], metadata: Sequence[Metadata] | None = None
    ) -> AddReport:
        """Stores texts that are in no file, under uris as they are given, in a collection with an encoder for texts.

        A uri that is there already gets the new text. All are checked before the first is stored. Metadata are texts,
        numbers, booleans, None, dates, and lists and dicts of these; numbers of numpy are taken too.
        """
        from simsearch.collection.adding import texts_in

        encoder = self.encoder
        with self.changing(encoder) as store:
            report = texts_in.add_texts(store, encoder, uris, texts, metadata)
        return self._noted(report)

    def add_vectors(
        self, uris: Iterable[str], vectors: ArrayLike, metadata: Sequence[Metadata] | None = None
    ) -> AddReport:
        """Stores your own embeddings, shape (len(uris), dim), in a collection made with `dim`.

        Rows are normalized; a zero or non-finite row is refused with its number and nothing is stored. A uri that is
        there already gets the new vector.
        """
        from simsearch.collection.adding import vectors_in

        with self.changing() as store:
            report = vectors_in.add_vectors(store, self.dim, uris, vectors, metadata)
        return self._noted(report)

    def set_metadata(self, metadata: Mapping[str | os.PathLike[str], Metadata], *, replace: bool = False) -> int:
        """Sets metadata of items, as {path or uri: {key: value}}; returns how many have changed.

        Keys that are not given stay as they are, unless `replace`. Raises UsageError, with nothing done, for one that
        is not there, and for values that JSON cannot hold.
        """
        from simsearch.collection.adding import metadata as changing

        with self.changing() as store:
            return changing.set_metadata(store, metadata, replace=replace)

    def move(self, old: str | Path, new: str | Path) -> MoveReport:
        """Records that a folder or file that was indexed is now at another path; its items keep what they have.

        An item that is at the new path already takes over label and metadata that it has not. Raises UsageError when
        the collection has nothing at `old`, or nothing of that is at `new`.
        """
        from simsearch.collection.adding import roots

        require(PATH, old=old, new=new)
        with self.changing() as store:
            return roots.move(store, old, new)

    def remove(
        self,
        paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] | None = None,
        *,
        where: str | None = None,
    ) -> int:
        """Removes items by path, or all those under a folder, or for which a filter holds; returns how many.

        With both, those under the paths for which it holds. The files stay.
        """
        from simsearch.collection.adding import roots

        condition = self.condition(where)
        if condition is None and paths is None:
            raise UsageError("nothing is named that would be removed; give paths, or a filter with where")
        with self.changing() as store:
            return roots.remove(store, None if paths is None else path_list(paths), condition)

    def __len__(self) -> int:
        return self.store.counts().items


def _place(folder: str | Path) -> Path:
    """The folder of a collection. Raises UsageError for what is no path, and for a URL."""
    require(PATH, folder=folder)
    refuse_url(folder, "the folder of a collection")
    return Path(folder)
