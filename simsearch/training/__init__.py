"""Training of encoders, from labelled material to an encoder folder. Needs the extra `train`."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from simsearch.errors import MissingExtraError

if TYPE_CHECKING:
    from simsearch.labelled.reading import Reading
    from simsearch.training.distillation.loop import Distilling
    from simsearch.training.distillation.session import Distilled, distill
    from simsearch.training.finishing import Trained
    from simsearch.training.presets import preset_rows
    from simsearch.training.recipes import Changes
    from simsearch.training.session import train

_HOMES = {
    "Changes": "recipes",
    "Distilled": "distillation.session",
    "Distilling": "distillation.loop",
    "Reading": "session",
    "Trained": "finishing",
    "distill": "distillation.session",
    "preset_rows": "presets",
    "train": "session",
}
__all__ = ["Changes", "Distilled", "Distilling", "Reading", "Trained", "distill", "preset_rows", "train"]


def __getattr__(name: str) -> Any:
    """Imports on first use, since all but the tables of losses and settings needs torch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'simsearch.training' has no attribute {name!r}")
    try:
        import torch  # noqa: F401  (all that follows needs it)
    except ImportError:
        raise MissingExtraError("Training", "train") from None
    return getattr(importlib.import_module(f"simsearch.training.{_HOMES[name]}"), name)
