"""The part of a collection's facade that writes it to files, and reads from them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.collection.queries.methods import QueryMethods
from simsearch.media.arguments import FLAG, PATH, TEXT, allow, as_progress, require

if TYPE_CHECKING:
    from simsearch.collection.exchange.backing_up import BackupReport
    from simsearch.collection.exchange.exporting import ExportReport
    from simsearch.progress import Progress
    from simsearch.types import AddReport


class ExchangeMethods(QueryMethods):
    """Writing vectors to files, and reading them."""

    def export(
        self,
        path: str | os.PathLike[str],
        *,
        where: str | None = None,
        force: bool = False,
        progress: Progress | bool | None = None,
    ) -> ExportReport:
        """Writes the vectors of all items with ids, uris, labels and metadata, as they are at one moment.

        With `where` only of the items for which that holds. The suffix names the form: `.npz`, `.parquet` or `.jsonl`;
        `.npy` or `.faiss` with what they cannot hold in a file of the same name and `.jsonl`. Memory does not grow with
        the number of items. Raises UsageError for a file that is there and no export, unless `force`.
        """
        from simsearch.collection.exchange.exporting import export
        from simsearch.store import Store

        require(PATH, path=path)
        require(FLAG, force=force)
        allow(TEXT, where=where)
        shown, condition = as_progress(progress), self.condition(where)
        # A connection of its own: the moment lasts as long as the writing, and other threads must not wait for it.
        with Store.open(self.store.path) as store:
            return export(store, Path(path), shown, where=condition, force=force)

    def backup(self, folder: str | os.PathLike[str], *, force: bool = False) -> BackupReport:
        """Makes a folder a copy of the collection as it is at one moment, also while others write, and checks it.

        The copy is a collection without an index file, which is made when it is first needed. A backup that is there
        is replaced; a collection that is none only with `force`.
        """
        from simsearch.collection.exchange.backing_up import back_up

        require(PATH, folder=folder)
        require(FLAG, force=force)
        return back_up(self.store.path, Path(folder), force=force)

    def import_vectors(self, path: str | os.PathLike[str], *, progress: Progress | bool | None = None) -> AddReport:
        """Stores the items of an exported file, or of one from elsewhere that has vectors, under their uris.

        Into a collection of own vectors any file with vectors of its dim; into one with an encoder only an export of a
        collection with the same fingerprint. A FAISS file is read by another process, with a limit on its memory.
        """
        from simsearch.collection.exchange.importing import import_vectors

        require(PATH, path=path)
        shown = as_progress(progress)
        with self.changing() as store:
            return import_vectors(store, self.folder, Path(path), shown)
