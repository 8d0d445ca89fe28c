"""Teach a machine what "similar" means to you, then search, recognize and compare images or texts with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

_HOMES = {
    "simsearch.collection": ("Collection",),
    "simsearch.collection.duplicates.report": (
        "DuplicateGroup",
        "DuplicateMember",
        "DuplicatePair",
        "DuplicateReport",
    ),
    "simsearch.collection.adding.roots": ("MoveReport",),
    "simsearch.collection.identities.enrolling": ("EnrollReport",),
    "simsearch.collection.results": ("Matches", "sheet", "sheets", "to_records"),
    "simsearch.collection.upkeep": ("CheckReport", "CompactReport", "IndexInfo", "Info"),
    "simsearch.encoders": ("open_encoder",),
    "simsearch.encoders.converting": ("OnnxOptions", "convert"),
    "simsearch.errors": ("SimsearchError",),
    "simsearch.evaluation.evaluate": ("evaluate",),
    "simsearch.evaluation.judging": ("EvaluationOptions",),
    "simsearch.evaluation.results": ("Evaluation",),
    "simsearch.evaluation.selection": ("Selection",),
    "simsearch.labelled.reading": ("Reading",),
    "simsearch.mixes": ("Mix",),
    "simsearch.recognition.review": ("Finding",),
    "simsearch.training": ("Changes", "Trained", "train"),
    "simsearch.types": ("AddReport", "Evidence", "Example", "Item", "Match", "Recognition", "Remark", "Skip", "Text"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "AddReport",
    "Changes",
    "CheckReport",
    "Collection",
    "CompactReport",
    "DuplicateGroup",
    "DuplicateMember",
    "DuplicatePair",
    "DuplicateReport",
    "EnrollReport",
    "Evaluation",
    "EvaluationOptions",
    "Evidence",
    "Example",
    "Finding",
    "IndexInfo",
    "Info",
    "Item",
    "Match",
    "Matches",
    "Mix",
    "MoveReport",
    "OnnxOptions",
    "Reading",
    "Recognition",
    "Remark",
    "Selection",
    "SimsearchError",
    "Skip",
    "Text",
    "Trained",
    "__version__",
    "convert",
    "evaluate",
    "open_encoder",
    "sheet",
    "sheets",
    "to_records",
    "train",
]

if TYPE_CHECKING:
    from simsearch.collection import Collection
    from simsearch.collection.adding.roots import MoveReport
    from simsearch.collection.duplicates.report import (
        DuplicateGroup,
        DuplicateMember,
        DuplicatePair,
        DuplicateReport,
    )
    from simsearch.collection.identities.enrolling import EnrollReport
    from simsearch.collection.results import Matches, sheet, sheets, to_records
    from simsearch.collection.upkeep import CheckReport, CompactReport, IndexInfo, Info
    from simsearch.encoders import open_encoder
    from simsearch.encoders.converting import OnnxOptions, convert
    from simsearch.errors import SimsearchError
    from simsearch.evaluation.evaluate import evaluate
    from simsearch.evaluation.judging import EvaluationOptions
    from simsearch.evaluation.results import Evaluation
    from simsearch.evaluation.selection import Selection
    from simsearch.labelled.reading import Reading
    from simsearch.mixes import Mix
    from simsearch.recognition.review import Finding
    from simsearch.training import Changes, Trained, train
    from simsearch.types import AddReport, Evidence, Example, Item, Match, Recognition, Remark, Skip, Text


def __getattr__(name: str) -> Any:
    """Public names are imported when they are first used: `import simsearch` itself loads nothing."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'simsearch' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
