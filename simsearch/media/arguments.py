"""Checks of arguments that must be lists of sources."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TypeVar

from simsearch.errors import UsageError

T = TypeVar("T")


def source_list(sources: Iterable[T]) -> list[T]:
    """The sources as a list. Raises UsageError for a single text, path or content."""
    if isinstance(sources, (str, bytes, os.PathLike)):
        given = os.fspath(sources)
        raise UsageError(f"{given if len(given) < 40 else given[:40]!r} is one source; give a list, as [it]")
    return list(sources)
