"""What is given in place of many sources."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TypeVar

from simsearch.errors import UsageError

T = TypeVar("T")


def several(sources: Iterable[T]) -> list[T]:
    """The sources as a list. Raises UsageError for one text, path or content: its signs are no sources."""
    if isinstance(sources, (str, bytes, os.PathLike)):
        said = os.fspath(sources)
        raise UsageError(f"{said if len(said) < 40 else said[:40]!r} is one source; give a list, as [it]")
    return list(sources)
