"""A backup of a collection: a collection of its own, consistent while others write."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.collection.places import BACKUP_NAME, STORE_NAME, is_collection
from simsearch.errors import StoreError, UsageError
from simsearch.manifest import write_atomically
from simsearch.space import telling_full_disk
from simsearch.store import Store
from simsearch.store.exchange.copying import verified

if TYPE_CHECKING:
    from simsearch.store.records import Counts

TEMPORARY = ".backup.tmp"


@dataclass(frozen=True, slots=True)
class BackupReport:
    """What a backup holds; it was read as a whole after it was written."""

    folder: Path
    items: int
    contents: int
    examples: int
    size: int
    """Bytes."""


def back_up(store_path: Path, target: Path, *, force: bool = False) -> BackupReport:
    """Makes the folder `target` a copy of a collection as it is at one moment, whole or not at all, and checks it.

    The index file, a cache, is left out. A backup that is there is replaced once the new one is complete; another
    folder only with `force`, if it is a collection. Raises UsageError.
    """
    _check_target(store_path.parent, target, force=force)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with telling_full_disk(target.parent, StoreError), _made_beside(target) as made:
            counts = _write(store_path, made)
            size = (made / STORE_NAME).stat().st_size
    except OSError as error:
        raise StoreError(f"{target} cannot be written: {error.strerror or error}") from error
    return BackupReport(target, counts.items, counts.contents, counts.examples, size)


def _check_target(folder: Path, target: Path, *, force: bool) -> None:
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return
    if target.is_dir() and folder.exists() and target.samefile(folder):
        raise UsageError(f"{target} is the collection itself; give another folder")
    if not (target / BACKUP_NAME).is_file() and not (force and is_collection(target)):
        raise UsageError(f"{target} is there and no backup; give a new folder, or --force to replace a collection")


def _write(store_path: Path, made: Path) -> Counts:
    copy = made / STORE_NAME
    with Store.open(store_path) as store:
        store.copy_to(copy)
    counts = verified(copy)
    about = {"collection": str(store_path.parent.absolute()), "made_at": int(time.time())}
    write_atomically(made / BACKUP_NAME, json.dumps(about).encode())
    return counts


@contextlib.contextmanager
def _made_beside(target: Path) -> Iterator[Path]:
    """A new folder that takes the place of `target` at the end, or is removed again."""
    named = target.absolute()
    for leftover in named.parent.glob(f".{named.name}.*{TEMPORARY}"):
        shutil.rmtree(leftover, ignore_errors=True)
    made = named.with_name(f".{named.name}.{os.getpid()}.{secrets.token_hex(4)}{TEMPORARY}")
    made.mkdir()
    try:
        yield made
        if named.exists():
            old = made.with_name(made.name.removesuffix(TEMPORARY) + f".old{TEMPORARY}")
            named.replace(old)
            made.replace(named)
            shutil.rmtree(old, ignore_errors=True)
        else:
            made.replace(named)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
