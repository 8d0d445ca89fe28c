"""The cache of converted hub models: each is converted once, when it is first opened by name."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sys
from pathlib import Path

import filelock

from simsearch.encoders.folder import is_encoder
from simsearch.encoders.pretrained_folder import is_hub_format, read_folder
from simsearch.errors import EncoderError
from simsearch.manifest import write_atomically

BITS = 16
VERSION = 1
"""Version of the conversion; increased when models are converted differently, so that older folders are not used."""
CONVERTING = ".converting"


def cache_home() -> Path:
    """`$SIMSEARCH_CACHE`, or the user's cache directory of the operating system."""
    given = os.environ.get("SIMSEARCH_CACHE")
    if given:
        return Path(given)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "simsearch" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "simsearch"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "simsearch"


def cached_folder(name: str) -> Path | None:
    """The encoder folder that a model was converted to, or None. Needs no library and no network.

    A folder in the hub's format is looked up by the checksum of its contents; one that no longer exists, and a name on
    the hub, by the record of its conversion. Raises EncoderError for a folder that could not be converted.
    """
    if is_hub_format(Path(name)):
        found = _place(read_folder(Path(name), name).fingerprint)
    else:
        try:
            found = _models() / _note(name).read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            return None
    return found if found.parent == _models() and is_encoder(str(found)) else None


def converted_folder(name: str) -> Path:
    """The encoder folder of a model, converted now if it is not cached; may download the model.

    Raises EncoderError, MissingExtraError.
    """
    found = cached_folder(name)
    if found is not None:
        with contextlib.suppress(OSError):
            _remember(_full(name), found)
        return found
    from simsearch.encoders.pretrained_hub import find_pretrained

    source = find_pretrained(name)
    place = _place(source.fingerprint)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(place.parent / "lock"):
            for unfinished in place.parent.glob(f"*{CONVERTING}"):
                shutil.rmtree(unfinished, ignore_errors=True)
            if not is_encoder(str(place)):
                from simsearch.encoders.converting.models import convert_pretrained

                own = Path(name).name if is_hub_format(Path(name)) else name
                convert_pretrained(source, place, own, BITS)
            _remember(_full(name), place)
    except OSError as error:
        raise EncoderError(
            f"{name} cannot be converted into {cache_home()}: {error.strerror or error}; set the environment variable "
            "SIMSEARCH_CACHE to another folder, or convert it explicitly: simsearch convert"
        ) from error
    return place


def _models() -> Path:
    return cache_home() / "converted"


def _place(fingerprint: str) -> Path:
    return _models() / f"{fingerprint}-{BITS}-{VERSION}"


def _remember(name: str, place: Path) -> None:
    """Records which folder a model of this name was converted to."""
    note = _note(name)
    if not note.is_file() or note.read_text(encoding="ascii") != place.name:
        note.parent.mkdir(exist_ok=True)
        write_atomically(note, place.name.encode("ascii"))


def _full(name: str) -> str:
    return str(Path(name).absolute()) if is_hub_format(Path(name)) else name


def _note(name: str) -> Path:
    return cache_home() / "names" / hashlib.sha256(os.fsencode(name)).hexdigest()[:32]
