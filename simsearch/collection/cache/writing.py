"""Bringing the index files up to date: only when it pays, a step at a time, each of which may be the last."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.collection.cache.opening import CODES, IDS, ROWS, Files, OvertakenError, free_name, usable_files
from simsearch.collection.cache.policy import rows_due, training_due, tuning_due, wish_of
from simsearch.collection.cache.tuning import flat, train_lists, tune_lists
from simsearch.collection.places import INDEX_FILES
from simsearch.errors import DamagedError
from simsearch.manifest import MANIFEST_NAME, Manifest, PartFile, read_manifest, replacing, write_manifest
from simsearch.vectors.choose import Design, chosen, design_of, fitting

if TYPE_CHECKING:
    from simsearch.store import Store
    from simsearch.types import Ids, Vectors

ROWS_AT_ONCE = 1 << 16


def bring_up(folder: Path, store: Store, dim: int, *, everything: bool = False) -> tuple[str, ...]:
    """Writes the index files that are due, or with `everything` whatever they lack; returns notes for the user.

    The caller holds the writer's lock. Rows are written before lists are made of them: a kill between the two leaves an
    index that compares with every row, and the next writer makes the lists.
    """
    try:
        files = usable_files(folder, store, dim)
    except OvertakenError:
        # Nobody else writes, so the manifest is one of another copy of the database.
        files = None
    if files is None or _is_due(store, files, everything=everything):
        _write_rows(folder, store, dim, files)
        files = usable_files(folder, store, dim)
    if files is None:
        raise DamagedError(f"{folder}: the index files were changed while they were written; run it again")
    wish, count = wish_of(store), files.manifest.count
    wanted, codes = chosen(count, dim, wish), fitting(count, dim, wish)
    if training_due(files.manifest, wanted, codes):
        manifest, note = train_lists(folder, store.generation(), files, wanted, codes)
    elif tuning_due(files.manifest, wanted):
        from simsearch.vectors.inverted import InvertedIndex

        assert isinstance(files.main, InvertedIndex)
        manifest, note = tune_lists(files, files.main, wanted)
    elif wanted.kind == "flat" and wanted != design_of(files.manifest.chosen):
        manifest, note = flat(files.manifest, wanted), ""
    else:
        return ()
    switch(folder, store, manifest)
    return (note,) if note else ()


def _is_due(store: Store, files: Files, *, everything: bool) -> bool:
    """Whether the rows are to be written again."""
    # The ids that were given since are no fewer than the contents that are there of them; counting takes long.
    added = store.last_content_id() - files.manifest.last_content_id
    if everything:
        return bool(added or len(files.removed))
    return rows_due(files.manifest, added, len(files.removed))


def rewrite(folder: Path, store: Store, dim: int) -> None:
    """Makes all index files anew from the store. The caller holds the writer's lock."""
    (folder / MANIFEST_NAME).unlink(missing_ok=True)
    bring_up(folder, store, dim)


def _write_rows(folder: Path, store: Store, dim: int, files: Files | None) -> None:
    """Writes ids and rows of all contents and switches to them. Lists are carried over, to be measured again."""
    from simsearch.vectors.files import write_rows

    generation, count = store.generation(), store.counts().contents
    rows_path, ids_path = free_name(folder, "vectors", generation), free_name(folder, "ids", generation)
    with replacing(rows_path) as rows_file, replacing(ids_path) as ids_file:
        write_rows(rows_file, ids_file, dim, count, _batches(store, files))
    written = {ROWS: PartFile.of(rows_path), IDS: PartFile.of(ids_path)}
    wanted = chosen(count, dim, wish_of(store))
    design = Design("flat", reason=wanted.reason)
    manifest = Manifest(generation, store.last_content_id(), count, written, design.document(), {}, store.identity())
    if files is not None and wanted.kind == "lists":
        manifest = _carried(folder, manifest, files, wanted.reason)
    switch(folder, store, manifest)


def _carried(folder: Path, manifest: Manifest, old: Files, reason: str) -> Manifest:
    """The manifest with the older lists refilled, if there are any; or with what is known of lists that failed."""
    from simsearch.vectors.files import open_rows
    from simsearch.vectors.inverted import InvertedIndex, write_lists
    from simsearch.vectors.quantizing import refilled

    if not isinstance(old.main, InvertedIndex):
        return replace(manifest, chosen=old.manifest.chosen)
    rows = open_rows(*(folder / manifest.files[part].name for part in (ROWS, IDS)))
    path = free_name(folder, "codes", manifest.generation, ".faiss")
    with replacing(path) as temporary:
        write_lists(temporary, refilled(folder / old.manifest.files[CODES].name, rows))
    chosen = {**old.manifest.chosen, "reason": reason}
    return replace(manifest, files={**manifest.files, CODES: PartFile.of(path)}, chosen=chosen)


def _batches(store: Store, files: Files | None) -> Iterator[tuple[Ids, Vectors]]:
    """The rows of all contents by ascending id: those of the files that are left, then those of the store."""
    import numpy as np

    last = 0
    if files is not None:
        last, main = files.manifest.last_content_id, files.main.exact
        for start in range(0, len(main), ROWS_AT_ONCE):
            ids, rows = main.ids[start : start + ROWS_AT_ONCE], main.rows[start : start + ROWS_AT_ONCE]
            stays = ~np.isin(ids, files.removed)
            yield ids[stays], rows[stays]
    yield from store.vectors(after=last)


def switch(folder: Path, store: Store, manifest: Manifest) -> None:
    """Makes the manifest the current one and drops the files before it."""
    write_manifest(folder, manifest)
    store.trim_journal(manifest.generation)
    kept = {file.name for file in manifest.files.values()}
    for pattern in INDEX_FILES:
        for old in folder.glob(pattern):
            if old.name not in kept:
                _forget(old)


def forget_newer(folder: Path, store: Store) -> None:
    """Removes the manifest of an index of another database, or one newer than the database, put back from a copy.

    Done before anything is written: later the generation would reach that of the manifest, with other contents.
    """
    try:
        recorded = read_manifest(folder)
    except DamagedError:
        return
    if recorded is None:
        return
    if recorded.database != store.identity() or recorded.generation > store.generation():
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
