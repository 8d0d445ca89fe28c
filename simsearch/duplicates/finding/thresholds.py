"""The score from which on pairs count as copies, from pairs that a person has labeled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simsearch.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Chosen:
    """A threshold, and what it does to the labeled pairs: pairs at or above it are accepted."""

    score: float
    accepted: int
    wrong: int
    """Accepted pairs that are no copies."""
    copies: int
    """Pairs that are copies, accepted or not."""

    @property
    def precision(self) -> float:
        return 1 - self.wrong / self.accepted

    @property
    def recall(self) -> float:
        return (self.accepted - self.wrong) / self.copies


def lowest_threshold(scores: NDArray[np.float64], same: NDArray[np.bool_], precision: float) -> Chosen:
    """The lowest threshold at which the labeled pairs reach the precision; pairs of equal score are taken together.

    It lies midway to the next lower score, or to 0. Pairs with a score of 0 are never accepted. Raises UsageError
    without pairs of both kinds, for a precision outside (0, 1], and where no threshold reaches it.
    """
    if not 0 < precision <= 1:
        raise UsageError(f"the precision is {precision:g}; it must be above 0 and at most 1")
    if not same.any() or same.all():
        kind = "different" if same.any() else "the same"
        raise UsageError(f"none of the {len(same):,} labeled pairs is {kind}; give pairs of both kinds")
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], np.cumsum(same[order])
    accepted = np.arange(1, len(order) + 1)
    last = np.append(ranked[1:] != ranked[:-1], True) & (ranked > 0)
    reached = np.flatnonzero(last & (hits >= precision * accepted))
    if not len(reached):
        best = (hits[last] / accepted[last]).max() if last.any() else 0.0
        raise UsageError(
            f"no threshold has a precision of {precision:g} on these pairs; the highest that can be had is {best:.3f}"
        )
    place = int(reached[-1])
    below = float(ranked[place + 1]) if place + 1 < len(ranked) else 0.0
    count = int(accepted[place])
    return Chosen((float(ranked[place]) + below) / 2, count, count - int(hits[place]), int(same.sum()))
