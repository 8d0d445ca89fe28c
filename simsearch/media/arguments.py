"""Checks of arguments: what a caller gave in place of what is needed, in words."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from simsearch.errors import MediaError, UsageError, rows_of
from simsearch.progress import Bar, Progress, Silent
from simsearch.types import Item, Match, Text

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from simsearch.types import Query

T = TypeVar("T")
SOURCES = (
    "a path, the bytes of a file, a file opened in binary mode, a PIL image, an array of pixels, a vector as an array, "
    "a text or an item"
)


@dataclass(frozen=True, slots=True)
class Form:
    """What an argument must be: in words, and as a test."""

    what: str
    fits: Callable[[Any], bool]


TEXT = Form("a text", lambda value: isinstance(value, str))
PATH = Form("a path", lambda value: isinstance(value, (str, os.PathLike)) and value != "")
NUMBER = Form("a number", lambda value: _is_number(value, Real) and not math.isnan(value))
COUNT = Form("a whole number", lambda value: _is_number(value, Integral))
FLAG = Form("True or False", lambda value: isinstance(value, (bool, np.bool_, Integral)) and value in (0, 1))
TEXTS = Form("a list of texts", lambda value: _is_list(value, TEXT))
NUMBERS = Form("a list of numbers", lambda value: _is_list(value, NUMBER))
COUNTS = Form("a list of whole numbers", lambda value: _is_list(value, COUNT))
FORMS = {
    "str": TEXT,
    "str | Path": PATH,
    "Path": PATH,
    "int": COUNT,
    "float": NUMBER,
    "bool": FLAG,
    "tuple[str, ...]": TEXTS,
    "tuple[int, ...]": COUNTS,
    "tuple[int, int]": COUNTS,
    "tuple[float, ...]": NUMBERS,
    "tuple[float, float]": NUMBERS,
    "tuple[float, float, float]": NUMBERS,
}
"""The form of a field, by its annotation."""


def _is_number(value: object, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _is_list(value: object, form: Form) -> bool:
    return isinstance(value, (list, tuple)) and all(form.fits(one) for one in value)


def require(form: Form, **given: object) -> None:
    """Raises UsageError, with the name, for an argument that is not of this form."""
    for name, value in given.items():
        if not form.fits(value):
            raise UsageError(f"{name} is {shown(value)}; give {form.what}")


def allow(form: Form, **given: object) -> None:
    """Like `require`, but None is taken too."""
    require(form, **{name: value for name, value in given.items() if value is not None})


def require_instance(kind: type, what: str, **given: object) -> None:
    """Raises UsageError for an argument that is neither None nor of this class; `what` names the class for users."""
    allow(Form(what, lambda value: isinstance(value, kind)), **given)


def check_fields(record: DataclassInstance) -> None:
    """Raises UsageError for a field of a dataclass that is not of the type of its annotation, if `FORMS` has that."""
    for field in fields(record):
        kind, value = str(field.type), getattr(record, field.name)
        form = FORMS.get(kind.removesuffix(" | None"))
        if form is not None and not (value is None and kind.endswith(" | None")):
            require(form, **{field.name: value})
            if form in (COUNTS, NUMBERS) and "..." not in kind and len(value) != kind.count(",") + 1:
                raise UsageError(f"{field.name} is {shown(value)}; give {kind.count(',') + 1} numbers")


def shown(value: object) -> str:
    """A value in an error: as it is where that is short, with its type unless it is None."""
    if value is None:
        return "None"
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype} with shape {value.shape}"
    text = repr(value) if isinstance(value, (str, bytes, int, float, os.PathLike, list, tuple, dict)) else ""
    kind = type(value).__name__
    return f"{text} ({kind})" if 0 < len(text) <= 40 else f"{'an' if kind[:1] in 'AEIOaeio' else 'a'} {kind}"


def require_encoder(encoder: object) -> None:
    """Raises UsageError for what is not an opened encoder."""
    if not all(hasattr(encoder, name) for name in ("name", "fingerprint", "modality", "dim")):
        raise UsageError(f"encoder is {shown(encoder)}; give the name or folder of an encoder, or an opened one")


def source_list(sources: Iterable[T]) -> list[T]:
    """The sources as a list. Raises UsageError for a single text, path, content, image or vector."""
    one = isinstance(sources, (str, bytes, bytearray, os.PathLike, Item, Match)) or hasattr(sources, "read")
    if one or _is_image(sources) or (isinstance(sources, np.ndarray) and sources.ndim < 2):
        given = os.fspath(sources) if isinstance(sources, (str, bytes, os.PathLike)) else None
        short = shown(sources) if given is None else repr(given if len(given) < 40 else given[:40])
        raise UsageError(f"{short} is one source; give a list, as [it]")
    try:
        return list(sources)
    except TypeError:
        raise UsageError(f"{shown(sources)} is no list; give a list of sources") from None


def path_list(paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> list[str]:
    """One path or several, as a list. Raises UsageError for what is neither."""
    if isinstance(paths, (str, os.PathLike)):
        return [os.fspath(paths)]
    found = source_list(paths)
    for number, path in enumerate(found):
        require(PATH, **{f"path {number}": path})
    return [os.fspath(path) for path in found]


def one_source(source: object, row: int | None = None) -> Query:
    """What a source given by a user is, with the content of an open file in place of the file.

    Raises UsageError for what is no source at all, MediaError for a file that cannot be read as bytes; they name the
    row, if one is given.
    """
    if isinstance(source, (str, bytes, Item, np.ndarray)) or _is_image(source):
        return source  # type: ignore[return-value]
    if isinstance(source, os.PathLike):
        from pathlib import Path

        return Path(source)
    if isinstance(source, Match):
        return source.item
    if isinstance(source, (bytearray, memoryview)):
        return bytes(source)
    if callable(getattr(source, "read", None)) and not isinstance(source, type):
        with rows_of([row]):
            return _read(source)
    raise UsageError(f"{'' if row is None else f'row {row}: '}{shown(source)} is no source; give {SOURCES}")


def _read(file: Any) -> bytes | Text:
    """What an open file holds from where it stands: bytes, or the text of one in text mode."""
    try:
        content = file.read()
    except (OSError, ValueError, TypeError) as error:
        cure = "open it in binary mode, as open(path, 'rb')"
        raise MediaError(f"the open file cannot be read ({error}); {cure}", 0) from error
    if isinstance(content, str):
        return Text(content)
    if not isinstance(content, (bytes, bytearray, memoryview)):
        raise UsageError(f"{shown(file)} reads {shown(content)}, not bytes; open the file in binary mode")
    return bytes(content)


def _is_image(source: object) -> bool:
    # An image in memory can only be given where Pillow is loaded.
    pillow = sys.modules.get("PIL.Image")
    return pillow is not None and isinstance(source, pillow.Image)


def as_progress(progress: Progress | bool | None) -> Progress:
    """The progress display that a caller means: True is a bar on standard error, False and None are none.

    Raises UsageError for what is none of these.
    """
    if isinstance(progress, bool) or progress is None:
        return Bar() if progress else Silent()
    if all(callable(getattr(progress, name, None)) for name in ("start", "advance", "note", "close")):
        return progress
    raise UsageError(
        f"progress is {shown(progress)}; give True for a bar on standard error, or an object with the "
        "methods start, advance, note and close"
    )
