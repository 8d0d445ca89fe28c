"""Replacing a collection by a rebuilt one, in steps that can be interrupted anywhere."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

from simsearch.errors import StoreError

REBUILDING = ".rebuilding"
REPLACED = ".replaced"
COMPLETE = "complete"


def rebuilding_folder(folder: Path) -> Path:
    """Where a collection is rebuilt, beside the old one."""
    return _beside(folder, REBUILDING)


def replaced_folder(folder: Path) -> Path:
    """Where the old collection is while the new one takes its place."""
    return _beside(folder, REPLACED)


def _beside(folder: Path, suffix: str) -> Path:
    # The current folder has a name too, but not as "."; the root of a disk has none.
    named = folder if folder.name else folder.absolute()
    return named.with_name(named.name + suffix) if named.name else named / suffix


def replace_by_rebuilt(folder: Path) -> None:
    """Replaces the old collection by the rebuilt one. An interrupted replacement is completed at the next opening."""
    rebuilt = rebuilding_folder(folder)
    try:
        (rebuilt / COMPLETE).touch()
        folder.replace(replaced_folder(folder))
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
        if (folder / COMPLETE).exists():
            shutil.rmtree(replaced_folder(folder), ignore_errors=True)
            (folder / COMPLETE).unlink(missing_ok=True)


def finish_rebuilds(home: Path) -> None:
    """Completes the interrupted replacements of all collections in a folder."""
    for complete in home.glob(f"*{REBUILDING}/{COMPLETE}"):
        rebuilt = complete.parent
        finish_rebuild(rebuilt.with_name(rebuilt.name.removesuffix(REBUILDING)))
