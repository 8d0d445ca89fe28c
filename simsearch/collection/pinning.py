"""The encoder that a collection is pinned to, and what is refused in its place."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.encoders import open_encoder
from simsearch.errors import EncoderError, EncoderMismatchError, StoreError, UsageError
from simsearch.media.arguments import COUNT, allow, require_encoder

if TYPE_CHECKING:
    from simsearch.store import Store
    from simsearch.types import Encoder


def setting(folder: Path, store: Store, key: str) -> str:
    """A setting that every collection has. Raises StoreError when it is missing."""
    value = store.setting(key)
    if value is None:
        raise StoreError(f"{folder}: the database lacks the setting {key!r}: not a collection of simsearch")
    return value


def pinned_encoder(folder: Path, store: Store, given: str | Path | Encoder | None) -> Encoder:
    """The recorded encoder, or `given` in its place. Raises EncoderMismatchError for another fingerprint."""
    name, fingerprint = setting(folder, store, "encoder"), setting(folder, store, "fingerprint")
    if not fingerprint:
        raise UsageError(f"{folder} holds your own vectors and has no encoder: query it with vectors")
    if given is None:
        opened: Encoder = _recorded(folder, name, fingerprint)
    else:
        opened = open_encoder(given) if isinstance(given, (str, Path)) else given
    require(folder, store, opened)
    return opened


def _recorded(folder: Path, name: str, fingerprint: str) -> Encoder:
    from simsearch.encoders.folder import is_encoder

    try:
        return open_encoder(name)
    except EncoderError as error:
        if Path(name).is_absolute() and not is_encoder(name):
            raise EncoderError(
                f"{folder} was built with the encoder {name} ({fingerprint}), which is not there any more. Say where "
                "it is now, which is remembered: --encoder FOLDER"
            ) from error
        raise


def require(folder: Path, store: Store, encoder: Encoder) -> None:
    """Raises EncoderMismatchError unless the collection is pinned to this encoder."""
    name, fingerprint = setting(folder, store, "encoder"), setting(folder, store, "fingerprint")
    if encoder.fingerprint != fingerprint:
        command = ["simsearch", "reindex", "--index", str(folder), "--encoder", name]
        raise EncoderMismatchError(
            f"Index was built with encoder {name} ({fingerprint}), but {encoder.name} ({encoder.fingerprint}) is "
            f"loaded. If the first was moved, say where it is: --encoder FOLDER. Re-index: {shlex.join(command)}"
        )


def leads_to(name: str, fingerprint: str) -> bool:
    """Whether an encoder of this fingerprint is found again by its recorded name."""
    from simsearch.encoders.folder import encoder_folder, is_encoder, read_config

    if not is_encoder(name):
        return not Path(name).is_absolute()
    try:
        return read_config(encoder_folder(name)).fingerprint == fingerprint
    except EncoderError:
        return False


def require_pinned(folder: Path, store: Store, encoder: str | Path | Encoder | None, dim: int | None) -> None:
    """Raises EncoderMismatchError unless the collection is pinned to `encoder`, or UsageError unless it holds vectors
    of `dim` numbers of the user's own. None allows any."""
    name, fingerprint = setting(folder, store, "encoder"), setting(folder, store, "fingerprint")
    allow(COUNT, dim=dim)
    if dim is not None and (fingerprint or dim != int(setting(folder, store, "dim"))):
        held = f"was built with encoder {name}" if fingerprint else f"holds vectors of {setting(folder, store, 'dim')}"
        raise UsageError(f"{folder} {held}, which dim={dim} does not fit; open it without dim, or choose another name")
    if encoder is None:
        return
    opened = open_encoder(encoder) if isinstance(encoder, (str, Path)) else encoder
    require_encoder(opened)
    if not fingerprint:
        raise EncoderMismatchError(f"{folder} holds your own vectors, not those of encoder {opened.name}")
    if opened.fingerprint != fingerprint:
        raise EncoderMismatchError(
            f"{folder} was built with encoder {name} ({fingerprint}), not with {opened.name} ({opened.fingerprint}). "
            "To encode everything again: Collection.reindex(encoder=...)"
        )
