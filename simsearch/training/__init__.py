"""Learning a similarity: from labelled pictures to an encoder folder. Needs the extra `train`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simsearch.errors import MissingExtraError

if TYPE_CHECKING:
    from simsearch.training.distil_loop import Distilling
    from simsearch.training.distilling import Distilled, distil
    from simsearch.training.recipes import Changes
    from simsearch.training.session import Reading, Trained, train

__all__ = ["Changes", "Distilled", "Distilling", "Reading", "Trained", "distil", "train"]


def __getattr__(name: str) -> Any:
    """`train` brings torch with it, so it is imported when it is first used; the table of losses is read without."""
    if name not in __all__:
        raise AttributeError(f"module 'simsearch.training' has no attribute {name!r}")
    try:
        import torch  # noqa: F401  (all that follows needs it)
    except ImportError:
        raise MissingExtraError("Training", "train") from None
    from simsearch.training import distilling, session

    return getattr(distilling if "istil" in name else session, name)
