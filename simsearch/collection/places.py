"""Where collections are."""

from __future__ import annotations

import os
import re
from pathlib import Path

from simsearch.collection.switching import BESIDE, COMPLETE, RETURNING, finish_rebuild, finish_rebuilds
from simsearch.errors import CollectionNotFoundError, DamagedError, UsageError
from simsearch.manifest import MANIFEST_NAME, read_manifest
from simsearch.media.files import refuse_url
from simsearch.outputs import first_foreign

STORE_NAME = "collection.sqlite"
LOCK_NAME = "lock"
HOLDER_NAME = "lock.pid"
INDEX_FILES = ("vectors-*.npy", "vectors-*.faiss", "ids-*.npy", "codes-*.faiss")
"""The names of all files of an index, also of those of older versions."""
BACKUP_NAME = "backup.json"
"""Marks a collection that is a backup, and names what it is a backup of."""
SERVING = "serving"
"""The folder in a collection that a server keeps its jobs and plans in."""
_MARKS = (COMPLETE, RETURNING, BACKUP_NAME, SERVING)
OWN = (f"{STORE_NAME}*", LOCK_NAME, HOLDER_NAME, MANIFEST_NAME, *INDEX_FILES, ".*.tmp", *_MARKS)
"""The names of the files of a collection."""


def home() -> Path:
    """The folder of collections: `$SIMSEARCH_HOME`, or `indexes` in the current folder."""
    folder = os.environ.get("SIMSEARCH_HOME") or "indexes"
    refuse_url(folder, "a folder as SIMSEARCH_HOME")
    return Path(folder)


def is_collection(folder: Path) -> bool:
    return (folder / STORE_NAME).is_file()


def check_place(folder: Path) -> None:
    """Raises UsageError when a folder holds what is not of a collection: making one there would overwrite or mix it."""
    if not folder.is_dir():
        return
    other = first_foreign(folder, OWN)
    try:
        read_manifest(folder)
    except DamagedError:
        other = MANIFEST_NAME
    if other is not None:
        raise UsageError(f"{folder} holds other files ({other}); a collection needs a new or empty folder")


def existing() -> list[Path]:
    """The collections under the home folder, sorted by name."""
    finish_rebuilds(home())
    return sorted(path.parent for path in home().glob(f"*/{STORE_NAME}") if path.parent.suffix not in BESIDE)


def named(name: str) -> Path:
    """The folder that `--index NAME|PATH` means: a path if it has a separator or is a collection, else a name."""
    refuse_url(name, "a name or a folder")
    has_separator = any(mark in name for mark in ("/", os.sep, os.altsep) if mark)
    if has_separator or name in (".", "..") or is_collection(Path(name)):
        return Path(name)
    return home() / name


def default_name(source: str) -> str:
    """The name of the collection for a folder: that of the folder, without what is awkward in a file name."""
    base = Path(os.path.abspath(source)).name  # noqa: PTH100  (resolve would follow links)
    return re.sub(r"[^\w.-]+", "-", base).strip("-.") or "collection"


def the_one(index: str | None) -> Path:
    """The collection that a command means: the named one, or the only one there is."""
    if index is not None:
        folder = named(index)
        finish_rebuild(folder)
        if not is_collection(folder):
            raise CollectionNotFoundError(f"No collection at {folder}{_others()}")
        return folder
    found = existing()
    if not found:
        raise CollectionNotFoundError(f"No collection in {home()} yet. Make one: simsearch index FOLDER")
    if len(found) > 1:
        names = ", ".join(folder.name for folder in found)
        raise UsageError(f"There are {len(found)} collections in {home()}: {names}. Say which: --index NAME")
    return found[0]


def _others() -> str:
    names = ", ".join(folder.name for folder in existing())
    return f". There are in {home()}: {names}" if names else ". Make one: simsearch index FOLDER"
