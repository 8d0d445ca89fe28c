"""A new collection, made under the writer's lock, and taken away again when nothing could be stored in it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.collection import locking
from simsearch.collection.places import HOLDER_NAME, INDEX_FILES, LOCK_NAME, STORE_NAME, check_place, is_collection
from simsearch.encoders import open_encoder
from simsearch.errors import LockedError, StoreError, UsageError
from simsearch.manifest import MANIFEST_NAME
from simsearch.media.arguments import COUNT, allow, require_encoder
from simsearch.store import Store

if TYPE_CHECKING:
    from simsearch.types import Encoder

FORMAT = "1"
PATIENCE = 10.0
"""Seconds to wait for another process that makes a collection at the same place, which takes milliseconds."""


@dataclass(frozen=True, slots=True)
class Made:
    """A collection that was made; `encoder` is None when it is for own vectors.

    `is_new` is False when another process has made one at the same moment.
    """

    encoder: Encoder | None
    is_new: bool


def make(folder: Path, encoder: str | Path | Encoder | None, dim: int | None) -> Made:
    """Makes an empty collection, unless another process makes one there meanwhile, which is waited for.

    Raises LockedError naming that process when it goes on writing.
    """
    opened, settings = pin(encoder, dim)
    check_place(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{folder} cannot be made: {error.strerror or error}") from error
    try:
        with locking.held(folder, PATIENCE):
            if is_collection(folder):
                return Made(opened, is_new=False)
            Store.create(folder / STORE_NAME, {"format": FORMAT, **settings}).close()
    except LockedError:
        if not is_collection(folder):
            raise
        return Made(opened, is_new=False)
    return Made(opened, is_new=True)


def pin(encoder: str | Path | Encoder | None, dim: int | None) -> tuple[Encoder | None, dict[str, str]]:
    """The encoder, opened, and the settings that bind a collection to it, or with `dim` to own vectors."""
    allow(COUNT, dim=dim)
    if dim is not None and dim < 1:
        raise UsageError(f"dim is {dim}; give the length of your vectors, 1 or more")
    if (encoder is None) == (dim is None):
        raise UsageError("a new collection needs either an encoder or dim, the length of your own vectors")
    opened = open_encoder(encoder) if isinstance(encoder, (str, Path)) else encoder
    if opened is None:
        return None, {"dim": str(dim), "encoder": "", "fingerprint": "", "modality": "vector"}
    require_encoder(opened)
    return opened, {
        "dim": str(opened.dim),
        "encoder": reference(encoder, opened),
        "fingerprint": opened.fingerprint,
        "modality": opened.modality,
    }


def reference(encoder: str | Path | Encoder | None, opened: Encoder) -> str:
    """What finds the encoder again: the bundled name, the name on the hub, or the absolute path of its folder."""
    from simsearch.encoders.folder import bundled_names

    name = str(encoder) if isinstance(encoder, (str, Path)) else opened.name
    if not isinstance(encoder, (str, Path)) or name in bundled_names() or not Path(name).is_dir():
        return name
    return str(Path(name).absolute())


def withdraw(folder: Path) -> None:
    """Removes a collection that holds nothing, and its folder if nothing else is in it.

    One that holds something stays, and one that another process is writing to.
    """
    with contextlib.suppress(LockedError, StoreError, OSError), locking.held(folder):
        with Store.open(folder / STORE_NAME) as store:
            held = store.counts()
        if held.items or held.examples:
            return
        # The database goes first: without it nothing else of the folder counts.
        for pattern in (STORE_NAME, f"{STORE_NAME}-*", MANIFEST_NAME, *INDEX_FILES, HOLDER_NAME):
            for path in folder.glob(pattern):
                path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            # Windows removes it when the lock is released.
            (folder / LOCK_NAME).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        folder.rmdir()
