"""Teach a machine what "similar" means to you, then search, recognise and compare pictures with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

_HOMES = {
    "Collection": "simsearch.collection",
    "convert": "simsearch.encoders.converting",
    "open_encoder": "simsearch.encoders",
    "train": "simsearch.training",
    "AddReport": "simsearch.types",
    "Item": "simsearch.types",
    "Match": "simsearch.types",
    "Recognition": "simsearch.types",
    "Skip": "simsearch.types",
    "SimsearchError": "simsearch.errors",
}

__all__ = [
    "AddReport",
    "Collection",
    "Item",
    "Match",
    "Recognition",
    "SimsearchError",
    "Skip",
    "__version__",
    "convert",
    "open_encoder",
    "train",
]

if TYPE_CHECKING:
    from simsearch.collection import Collection
    from simsearch.encoders import open_encoder
    from simsearch.encoders.converting import convert
    from simsearch.errors import SimsearchError
    from simsearch.training import train
    from simsearch.types import AddReport, Item, Match, Recognition, Skip


def __getattr__(name: str) -> Any:
    """Public names are imported when they are first used: `import simsearch` itself loads nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'simsearch' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
