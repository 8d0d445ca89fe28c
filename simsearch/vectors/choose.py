"""Which index, by name. Only the one that is used is imported."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.errors import DamagedError, UsageError

if TYPE_CHECKING:
    from simsearch.types import VectorIndex
    from simsearch.vectors.exact import ExactIndex
    from simsearch.vectors.faiss_index import FaissFlatIndex

KINDS = ("flat", "exact")
DEFAULT_KIND = "flat"
"""The kind of the index files of collections: it compares a query with every vector."""


def new_index(kind: str, dim: int) -> VectorIndex:
    """An empty index. Raises UsageError for a kind that there is not."""
    if kind not in KINDS:
        raise UsageError(f"There is no index of kind {kind!r}; choose one of: {', '.join(KINDS)}")
    return _implementation(kind)(dim)


def load_index(kind: str, path: Path) -> VectorIndex:
    """The index in a file that was compared with its manifest. Raises DamagedError when it is not of that kind.

    An unknown kind is one of a newer simsearch: a cache that this one cannot use.
    """
    if kind not in KINDS:
        raise DamagedError(f"{path}: an index of kind {kind!r}, which this simsearch does not read")
    return _implementation(kind).load(path)


def _implementation(kind: str) -> type[ExactIndex] | type[FaissFlatIndex]:
    if kind == "exact":
        from simsearch.vectors.exact import ExactIndex

        return ExactIndex
    from simsearch.vectors.faiss_index import FaissFlatIndex

    return FaissFlatIndex
