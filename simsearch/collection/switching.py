"""Replacing a collection by another state of it, in steps that can be interrupted anywhere."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

from simsearch.errors import StoreError

REBUILDING = ".rebuilding"
PREVIOUS = ".previous"
BESIDE = (REBUILDING, PREVIOUS)
"""The endings of folders that belong to the collection beside them."""
COMPLETE = "complete"
RETURNING = "rollback"
"""Marks a state to be rolled back to that is being brought up to date in the place of a new one."""


def rebuilding_folder(folder: Path) -> Path:
    """Where a collection is encoded again, beside the old one."""
    return _beside(folder, REBUILDING)


def previous_folder(folder: Path) -> Path:
    """Where the state before the last switch is kept, to be rolled back to."""
    return _beside(folder, PREVIOUS)


def kept_folders(folder: Path) -> list[Path]:
    """The folders beside a collection that hold another state of it."""
    return [place for place in (rebuilding_folder(folder), previous_folder(folder)) if place.is_dir()]


def _beside(folder: Path, suffix: str) -> Path:
    # The current folder has a name too, but not as "."; the root of a disk has none.
    named = folder if folder.name else folder.absolute()
    return named.with_name(named.name + suffix) if named.name else named / suffix


def replace_by_rebuilt(folder: Path) -> None:
    """Makes the rebuilt collection the current one and keeps the other as the previous state, in place of an older.

    Readers that have the other open go on with it. An interrupted replacement is completed at the next opening.
    """
    rebuilt, previous = rebuilding_folder(folder), previous_folder(folder)
    try:
        (rebuilt / COMPLETE).touch()
        if previous.exists():
            shutil.rmtree(previous)
        folder.replace(previous)
    except OSError as error:
        raise StoreError(f"{folder} cannot be replaced by {rebuilt}: {error.strerror or error}") from error
    finish_rebuild(folder)


def finish_rebuild(folder: Path) -> None:
    """Completes a replacement that was interrupted: the new collection was finished, the old one moved away.

    Where the folders cannot be written, everything stays as it is.
    """
    rebuilt = rebuilding_folder(folder)
    with contextlib.suppress(OSError):
        if not folder.exists() and (rebuilt / COMPLETE).exists():
            rebuilt.replace(folder)
        for mark in (COMPLETE, RETURNING):
            (folder / mark).unlink(missing_ok=True)


def finish_rebuilds(home: Path) -> None:
    """Completes the interrupted replacements of all collections in a folder."""
    for complete in home.glob(f"*{REBUILDING}/{COMPLETE}"):
        rebuilt = complete.parent
        finish_rebuild(rebuilt.with_name(rebuilt.name.removesuffix(REBUILDING)))


def discard(folder: Path) -> bool:
    """Deletes the previous state of a collection; returns whether there was one."""
    previous = previous_folder(folder)
    if not previous.exists():
        return False
    try:
        shutil.rmtree(previous)
    except OSError as error:
        raise StoreError(f"{previous} cannot be deleted: {error.strerror or error}") from error
    return True
