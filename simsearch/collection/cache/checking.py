"""Whether the index files hold what the store holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.collection.cache.opening import open_main, require_same
from simsearch.errors import SimsearchError
from simsearch.manifest import MANIFEST_NAME, read_manifest

if TYPE_CHECKING:
    from simsearch.store import Store
    from simsearch.vectors.faiss_index import FaissFlatIndex


def problems(folder: Path, store: Store, dim: int) -> list[str]:
    """The problems of the index files, as sentences; reads all of them.

    Lacking what is newer than they are is none: that is read from the store.
    """
    try:
        manifest = read_manifest(folder)
        if manifest is None:
            return []
        require_same(folder, manifest, store)
        if manifest.generation > store.generation():
            return [f"{folder / MANIFEST_NAME}: newer than the database"]
        main = open_main(folder, manifest, dim, thorough=True)
        removed = store.removed_since(manifest.generation)
    except SimsearchError as error:
        return [str(error)]
    return [] if removed is None else _differences(folder, store, main.exact, manifest.last_content_id)


def _differences(folder: Path, store: Store, rows: FaissFlatIndex, last: int) -> list[str]:
    """Compares ids and vectors of the files with those of the store, up to the id `last`. Streams."""
    import numpy as np

    for ids, vectors in store.vectors():
        old = ids <= last
        places = np.searchsorted(rows.ids, ids[old])
        if len(places) and (places[-1] >= len(rows) or (rows.ids[places] != ids[old]).any()):
            return [f"{folder}: the index files lack vectors of the database"]
        if not np.array_equal(rows.rows[places], vectors[old]):
            return [f"{folder}: the index files hold other vectors than the database"]
    return []
