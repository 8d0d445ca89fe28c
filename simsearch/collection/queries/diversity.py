"""Results that differ from one another: maximal marginal relevance, near copies folded into one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from simsearch.types import Scores, Vectors

POOL = 500
"""Nearest contents among which diverse results are chosen; the same for every page."""
COPY = 0.95
"""Contents with this cosine or more count as near copies of one another."""
EQUAL = 1e-6
"""Values that differ by less count as equal: by rounding alone, where a query is itself the first that is chosen."""


def chosen(scores: Scores, vectors: Vectors, count: int, diversity: float) -> list[tuple[int, list[int]]]:
    """The places of `count` candidates in the order of choice, each with those of the near copies folded into it.

    Each time the one is chosen with the largest (1 - diversity) x score - diversity x its largest cosine to one that
    is chosen already (Carbonell & Goldstein 1998); of equal ones the first. Those with a cosine of `COPY` or more to
    it are folded into it and not chosen any more. `scores` descend; a smaller `count` gives a beginning of the list.
    """
    precise = vectors.astype(np.float64)
    cosines = precise @ precise.T
    left = np.ones(len(scores), dtype=np.bool_)
    nearest = np.full(len(scores), -1.0)
    order: list[tuple[int, list[int]]] = []
    while len(order) < count and left.any():
        gain = (1 - diversity) * scores.astype(np.float64) - (diversity * nearest if order else 0.0)
        gain[~left] = -np.inf
        best = int((gain >= gain.max() - EQUAL).argmax())
        copies = left & (cosines[best] >= COPY)
        copies[best] = False
        left &= ~copies
        left[best] = False
        nearest = np.maximum(nearest, cosines[best])
        order.append((best, np.flatnonzero(copies).tolist()))
    return order
