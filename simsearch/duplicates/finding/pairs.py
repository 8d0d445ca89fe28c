"""Pairs of rows and their scores, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simsearch.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

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


def strongest(pairs: Pairs, most: int, *, of_left: bool = False) -> Pairs:
    """Those of the pairs that are among the `most` best of one of their two rows (or of the left), in their order.

    Of equal scores those with the smaller other row count first.
    """
    if most < 1:
        raise UsageError(f"most {most}: at least 1")
    kept = _among_best(pairs.left, pairs.right, pairs.scores, most)
    if not of_left:
        kept |= _among_best(pairs.right, pairs.left, pairs.scores, most)
    return Pairs(pairs.left[kept], pairs.right[kept], pairs.scores[kept])


def _among_best(rows: Ids, others: Ids, scores: Scores, most: int) -> NDArray[np.bool_]:
    """Whether each pair is among the best of its row, counting pairs in which the row is on the other side too."""
    ends = np.concatenate([rows, others])
    partners, both = np.concatenate([others, rows]), np.concatenate([scores, scores])
    order = np.lexsort((partners, -both, ends))
    starts = np.flatnonzero(np.r_[True, np.diff(ends[order]) != 0]) if len(ends) else np.empty(0, np.int64)
    ranks = np.empty(len(ends), np.int64)
    ranks[order] = np.arange(len(ends)) - np.repeat(starts, np.diff(np.r_[starts, len(ends)]))
    best: NDArray[np.bool_] = ranks[: len(rows)] < most
    return best
