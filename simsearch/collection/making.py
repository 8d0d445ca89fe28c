"""A new collection."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.collection.places import STORE_NAME, check_place, is_collection
from simsearch.encoders import open_encoder
from simsearch.errors import StoreError, UsageError
from simsearch.store import Store

if TYPE_CHECKING:
    from simsearch.types import Encoder

FORMAT = "1"


def make(folder: Path, encoder: str | Path | Encoder | None, dim: int | None) -> Encoder | None:
    """Makes an empty collection and returns its encoder, opened; None when it is for own vectors."""
    if (encoder is None) == (dim is None):
        raise UsageError("a new collection needs either an encoder or dim, the length of your own vectors")
    if is_collection(folder):
        raise UsageError(f"{folder} is a collection already; open it, or choose another name")
    check_place(folder)
    opened = open_encoder(encoder) if isinstance(encoder, (str, Path)) else encoder
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{folder} cannot be made: {error.strerror or error}") from error
    settings = {"format": FORMAT, "dim": str(dim), "encoder": "", "fingerprint": "", "modality": "vector"}
    if opened is not None:
        settings |= {
            "dim": str(opened.dim),
            "encoder": _reference(encoder, opened),
            "fingerprint": opened.fingerprint,
            "modality": opened.modality,
        }
    Store.create(folder / STORE_NAME, settings).close()
    return opened


def _reference(encoder: str | Path | Encoder | None, opened: Encoder) -> str:
    """What finds the encoder again: the bundled name, the name on the hub, or the absolute path of its folder."""
    from simsearch.encoders.folder import bundled_names

    name = str(encoder) if isinstance(encoder, (str, Path)) else opened.name
    if not isinstance(encoder, (str, Path)) or name in bundled_names() or not Path(name).is_dir():
        return name
    return str(Path(name).absolute())
