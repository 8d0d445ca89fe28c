"""What callers give to be stored: uris and metadata, checked and made plain before anything is written."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, time
from typing import Any

import numpy as np

from simsearch.errors import UsageError
from simsearch.media.arguments import shown, source_list
from simsearch.types import JSONValue, Metadata

CURE = "give texts, numbers, booleans, None, dates, and lists and dicts of these"


def checked_uris(uris: Iterable[str | os.PathLike[str]]) -> list[str]:
    """The uris as texts. Raises UsageError for one that is no text, is empty, or is in the list twice."""
    found: dict[str, int] = {}
    for number, uri in enumerate(source_list(uris)):
        text = os.fspath(uri) if isinstance(uri, os.PathLike) else uri
        if not isinstance(text, str):
            raise UsageError(f"uri {number} is {shown(uri)}; give a text, as str(...)")
        if not text:
            raise UsageError(f"uri {number} is empty; each item needs a name")
        if text in found:
            raise UsageError(f"uri {text!r} is in the list twice, as {found[text]} and {number}; each needs its own")
        found[text] = number
    return list(found)


def plain_metadata(metadata: Sequence[Metadata] | None) -> list[Metadata] | None:
    """The metadata of each item as it is stored: numbers of numpy as numbers, dates as texts like 2026-11-29.

    Raises UsageError, with the row and the key, for what JSON cannot hold, such as nan.
    """
    if metadata is None:
        return None
    if isinstance(metadata, (str, bytes, Mapping)):
        raise UsageError(f"metadata is {shown(metadata)}; give a list with a dict for each item")
    rows: list[Metadata] = []
    for number, about in enumerate(source_list(metadata)):
        if not isinstance(about, Mapping):
            raise UsageError(f"metadata {number} is {shown(about)}; give a dict, or {{}} for none")
        try:
            rows.append(
                {
                    _key(key, f"metadata {number}"): _plain(value, f"metadata {number}, {key!r}")
                    for key, value in about.items()
                }
            )
        except RecursionError:
            raise UsageError(f"metadata {number} is nested too deeply, or holds itself; {CURE}") from None
    return rows


def _key(key: object, where: str) -> str:
    if not isinstance(key, str):
        raise UsageError(f"{where} has the key {shown(key)}; keys must be texts")
    return str(key)


def _plain(value: Any, where: str) -> JSONValue:
    if isinstance(value, np.ndarray | np.generic):
        value = _date(value, where) if isinstance(value, np.datetime64) else value.tolist()
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise UsageError(f"{where} is {value}, which JSON lacks; leave the key out, or give None")
        return value
    if isinstance(value, (date, time)):
        return _date(value, where)
    if isinstance(value, Mapping):
        return {_key(key, where): _plain(inner, f"{where}, {key!r}") for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner, where) for inner in value]
    raise UsageError(f"{where} is {shown(value)}, which JSON cannot hold; {CURE}")


def _date(value: date | time | np.datetime64, where: str) -> str:
    # The date of numpy and pandas that is none equals nothing.
    if value != value:  # noqa: PLR0124
        raise UsageError(f"{where} is no date; leave the key out, or give None")
    return str(value) if isinstance(value, np.datetime64) else value.isoformat()
