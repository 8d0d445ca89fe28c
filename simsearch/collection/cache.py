"""The index file as a cache of the store: loaded, updated or rebuilt, never trusted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.errors import DamagedError, SimsearchError
from simsearch.manifest import MANIFEST_NAME, IndexFile, read_manifest, replacing, write_manifest
from simsearch.vectors.choose import DEFAULT_KIND, load_index, new_index

if TYPE_CHECKING:
    from simsearch.store import Store
    from simsearch.types import VectorIndex

PATTERN = "vectors-*.faiss"


@dataclass(frozen=True, slots=True)
class Cached:
    """An index that agrees with the store at `generation`. `behind` is whether the file on disk does not."""

    index: VectorIndex
    generation: int
    behind: bool


def load(folder: Path, store: Store, dim: int) -> Cached:
    """The vectors of all contents, from the index file as far as it is good, the rest from the store.

    Costs reading the file; a rebuild reads every vector of the store, n x dim x 4 bytes.
    """
    with store.snapshot():
        generation = store.generation()
        try:
            recorded = read_manifest(folder)
            if recorded is None:
                return Cached(_rebuilt(store, dim), generation, True)
            if recorded.generation > generation:
                raise DamagedError(f"{folder / MANIFEST_NAME}: newer than the database, from another copy of it")
            index = load_index(recorded.kind, recorded.verify(folder))
            if len(index) != recorded.count or index.dim != dim:
                raise DamagedError(f"{folder / recorded.name}: {len(index)} vectors of {index.dim}, not as recorded")
        except (DamagedError, OSError):
            return Cached(_rebuilt(store, dim), generation, True)
        if recorded.generation == generation and recorded.last_content_id == store.last_content_id():
            return Cached(index, generation, False)
        removed = store.removed_since(recorded.generation)
        if removed is None:
            # The journal no longer reaches back to that file.
            return Cached(_rebuilt(store, dim), generation, True)
        index.remove(removed)
        for ids, vectors in store.vectors(after=recorded.last_content_id):
            index.add(ids, vectors)
        return Cached(index, generation, True)


def _rebuilt(store: Store, dim: int) -> VectorIndex:
    index = new_index(DEFAULT_KIND, dim)
    for ids, vectors in store.vectors():
        index.add(ids, vectors)
    return index


def save(folder: Path, store: Store, cached: Cached) -> None:
    """Writes the index beside the old file, switches the manifest to it, and drops the files before.

    The caller holds the writer's lock, and the store is still at `cached.generation`.
    """
    path = folder / f"vectors-{cached.generation:08d}.faiss"
    with replacing(path) as temporary:
        cached.index.save(temporary)
    record = IndexFile.of(
        path,
        kind=DEFAULT_KIND,
        generation=cached.generation,
        last_content_id=store.last_content_id(),
        count=len(cached.index),
    )
    write_manifest(folder, record)
    store.trim_journal(cached.generation)
    for old in folder.glob(PATTERN):
        if old.name != path.name:
            _forget(old)


def forget_newer(folder: Path, store: Store) -> None:
    """Removes the manifest of an index that is newer than the database, which then was put back from a copy.

    Done before anything is written: later the generation would reach that of the manifest, with other contents.
    """
    try:
        recorded = read_manifest(folder)
    except DamagedError:
        return
    if recorded is not None and recorded.generation > store.generation():
        (folder / MANIFEST_NAME).unlink(missing_ok=True)


def sweep_temporaries(folder: Path) -> None:
    """Removes incomplete files of a writer that was killed. The caller holds the writer's lock."""
    for leftover in folder.glob(".*.tmp"):
        _forget(leftover)


def _forget(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        # Another process may still have it open (Windows); the next save tries again.
        return


def problems(folder: Path, store: Store, dim: int) -> list[str]:
    """The problems of the index file, as sentences. Being behind the store is none: it is updated when it is loaded."""
    try:
        recorded = read_manifest(folder)
        if recorded is None:
            return []
        index = load_index(recorded.kind, recorded.verify(folder, thorough=True))
        if len(index) != recorded.count or index.dim != dim:
            return [f"{folder / recorded.name}: holds {len(index)} vectors, the manifest has {recorded.count}"]
        if recorded.generation > store.generation():
            return [f"{folder / MANIFEST_NAME}: newer than the database"]
    except SimsearchError as error:
        return [str(error)]
    return _differences(folder, store, index) if recorded.generation == store.generation() else []


def _differences(folder: Path, store: Store, index: VectorIndex) -> list[str]:
    """Compares ids and vectors of the index, through what it answers, with those of the store. Streams."""
    import numpy as np

    known = np.sort(index.ids)
    count = 0
    for ids, vectors in store.vectors():
        count += len(ids)
        if not np.isin(ids, known).all():
            return [f"{folder}: the index file lacks vectors of the database"]
        _, scores = index.search(vectors[:1], 1)
        if len(scores) and scores[0, 0] < 0.999:
            return [f"{folder}: the index file holds other vectors than the database"]
    return [] if count == len(index) else [f"{folder}: the index file holds {len(index)} vectors, the database {count}"]
