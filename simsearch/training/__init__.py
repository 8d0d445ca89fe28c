"""Learning a similarity: from labelled pictures to an encoder folder. Needs the extra `train`."""

from __future__ import annotations

from simsearch.errors import MissingExtraError

try:
    import torch  # noqa: F401  (all that follows needs it)
except ImportError:
    raise MissingExtraError("Training", "train") from None

from simsearch.training.session import Trained, train

__all__ = ["Trained", "train"]
