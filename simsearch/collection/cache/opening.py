"""From index files and store to an index that agrees with the store, reading only what has changed since."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.collection.cache.policy import most_beside
from simsearch.errors import DamagedError
from simsearch.manifest import MANIFEST_NAME, Manifest, read_manifest
from simsearch.vectors.arrays import places_of
from simsearch.vectors.choose import Design, design_of

if TYPE_CHECKING:
    from simsearch.store import Store
    from simsearch.types import Ids
    from simsearch.vectors.faiss_index import FaissFlatIndex
    from simsearch.vectors.layered import LayeredIndex, MainPart

ROWS, IDS, CODES = "rows", "ids", "codes"
ATTEMPTS = 4


@dataclass(frozen=True, slots=True)
class Files:
    """The main part, mapped, and which of its ids have gone since, ascending."""

    manifest: Manifest
    main: MainPart
    removed: Ids


class OvertakenError(Exception):
    """A writer has replaced the files since the snapshot of the store began."""


def open_index(folder: Path, store: Store, dim: int, write: Callable[[], None]) -> LayeredIndex:
    """The vectors of all contents: the files mapped, and from the store what is newer than they are.

    Where much is newer, or the files cannot be used, `write` is called first, which brings them up to date if it can.
    If not, what is not in usable files is read from the store, n x dim x 4 bytes.
    """
    from simsearch.vectors.layered import LayeredIndex

    tried = False
    for attempt in range(1, ATTEMPTS + 1):
        with store.snapshot():
            try:
                files = usable_files(folder, store, dim)
            except OvertakenError:
                if attempt < ATTEMPTS - 1:
                    # A newer snapshot goes with the manifest that is there by now, unless it is of another database.
                    continue
                files = None
            if tried or attempt == ATTEMPTS or not _is_behind(files, store):
                if files is None:
                    return LayeredIndex(_rows_after(store, dim, 0))
                return LayeredIndex(files.main, _rows_after(store, dim, files.manifest.last_content_id), files.removed)
        write()
        tried = True
    raise AssertionError


def _is_behind(files: Files | None, store: Store) -> bool:
    """Whether the next reader should find newer files."""
    if files is None:
        return bool(store.last_content_id())
    return store.last_content_id() - files.manifest.last_content_id > most_beside(files.manifest.count)


def usable_files(folder: Path, store: Store, dim: int) -> Files | None:
    """The files of the manifest, if they can be used with this snapshot of the store.

    Raises OvertakenError when a writer has just replaced them, or the manifest is newer than the store.
    """

    manifest = None
    try:
        manifest = read_manifest(folder)
        if manifest is None:
            return None
        require_same(folder, manifest, store)
        if manifest.generation > store.generation():
            raise OvertakenError
        main = open_main(folder, manifest, dim)
        removed = store.removed_since(manifest.generation)
        if removed is None:
            raise DamagedError(f"{folder / MANIFEST_NAME}: older than the journal of removals")
    except (DamagedError, OSError) as error:
        if manifest is not None and _is_replaced(folder, manifest):
            raise OvertakenError from error
        return None
    ids = main.ids
    return Files(manifest, main, ids[places_of(removed, ids)])


def require_same(folder: Path, manifest: Manifest, store: Store) -> None:
    """Raises DamagedError for the manifest of another database, which may have the same generation."""
    if manifest.database != store.identity():
        raise DamagedError(f"{folder / MANIFEST_NAME}: of another database")


def _is_replaced(folder: Path, manifest: Manifest) -> bool:
    try:
        return read_manifest(folder) != manifest
    except DamagedError:
        return False


def _rows_after(store: Store, dim: int, last: int) -> FaissFlatIndex:
    """The vectors of contents that came after the id `last`, in memory."""
    import numpy as np

    from simsearch.vectors.faiss_index import FaissFlatIndex

    pages = list(store.vectors(after=last))
    if not pages:
        return FaissFlatIndex(dim)
    ids, rows = (np.concatenate(parts) for parts in zip(*pages, strict=True))
    return FaissFlatIndex.over(ids, rows)


def open_main(folder: Path, manifest: Manifest, dim: int, *, thorough: bool = False) -> MainPart:
    """The main part in the files of the manifest. Raises DamagedError when they are not as recorded."""
    from simsearch.vectors.files import open_rows

    design = design_of(manifest.chosen)
    wanted = {ROWS, IDS, CODES} if design.kind == "lists" else {ROWS, IDS}
    if set(manifest.files) != wanted:
        raise DamagedError(
            f"{folder / MANIFEST_NAME}: names files of {sorted(manifest.files)}, not of {sorted(wanted)}"
        )
    paths = {part: file.verify(folder, thorough=thorough) for part, file in manifest.files.items()}
    rows = open_rows(paths[ROWS], paths[IDS])
    if len(rows) != manifest.count or rows.dim != dim:
        raise DamagedError(f"{paths[ROWS]}: {len(rows)} vectors of {rows.dim}, not as recorded")
    return rows if design.kind == "flat" else _with_lists(paths[CODES], rows, design)


def _with_lists(path: Path, rows: FaissFlatIndex, design: Design) -> MainPart:
    from simsearch.vectors.inverted import InvertedIndex, open_lists

    if min(design.probes, design.factor) < 1:
        raise DamagedError(f"{path}: the manifest does not record how many lists to read")
    return InvertedIndex(rows, open_lists(path, rows), design.probes, design.factor, design.near)


def free_name(folder: Path, stem: str, generation: int, suffix: str = ".npy") -> Path:
    """The path of a new index file: a name is never used again as long as a file has it."""
    path, number = folder / f"{stem}-{generation:08d}{suffix}", 1
    while path.exists():
        number += 1
        path = folder / f"{stem}-{generation:08d}-{number}{suffix}"
    return path
