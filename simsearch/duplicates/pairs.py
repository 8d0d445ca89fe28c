"""Pairs of rows and their scores, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from simsearch.types import Ids, Scores


@dataclass(frozen=True, slots=True)
class Pairs:
    """Three arrays of one length: the row on the left, the row on the right, and the cosine of the two."""

    left: Ids
    right: Ids
    scores: Scores

    def __len__(self) -> int:
        return len(self.left)

    @classmethod
    def none(cls) -> Pairs:
        return cls(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))

    @classmethod
    def joined(cls, parts: Iterable[Pairs]) -> Pairs:
        """All of them, in the order given."""
        several = [cls.none(), *parts]
        return cls(
            np.concatenate([part.left for part in several]),
            np.concatenate([part.right for part in several]),
            np.concatenate([part.scores for part in several]),
        )
