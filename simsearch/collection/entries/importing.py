"""From a file of vectors to a collection."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.collection.entry import Indexed
from simsearch.collection.exchange.importing import dim_of
from simsearch.collection.facade import Collection
from simsearch.collection.making import withdraw
from simsearch.collection.places import default_name, home, is_collection, named
from simsearch.errors import SimsearchError

if TYPE_CHECKING:
    from simsearch.progress import Progress


def import_file(file: str, *, index: str | None, encoder: str | None, progress: Progress) -> Indexed:
    """Reads vectors from a file into a collection, by default one of the name of the file, made if there is none."""
    path = Path(file)
    folder = named(index) if index is not None else home() / default_name(path.stem)
    is_new = not is_collection(folder)
    dim = dim_of(path) if is_new and encoder is None else None
    with Collection.open_or_create(folder, encoder, dim=dim) if is_new else Collection.open(folder, encoder) as opened:
        try:
            report = opened.import_vectors(path, progress=progress)
        except SimsearchError:
            if is_new:
                withdraw(folder)
            raise
        return Indexed(folder, report, len(opened))
