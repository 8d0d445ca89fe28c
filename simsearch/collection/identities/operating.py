"""What each threshold would do: how many impostors it lets in, how many of the known it loses, what it promises."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simsearch.recognition.binomial import rate_bound
from simsearch.recognition.decisions import known_decisions
from simsearch.recognition.gallery import RULE
from simsearch.recognition.threshold import ROUNDING

if TYPE_CHECKING:
    from simsearch.collection.identities.deciding import Decider

POINTS = 100
"""At most so many thresholds are listed."""


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A threshold on the examples and impostors of the collection itself.

    `known_lost` of the examples, each left out in turn, would not get their label. `promised` is the false-accept rate
    that holds at the confidence asked for, whatever the distribution of the scores.
    """

    threshold: float
    impostors_let_in: int
    known_lost: int
    promised: float


@dataclass(frozen=True, slots=True)
class OperatingCurve:
    """Points by falling threshold, and of how many impostors and known examples they are counted."""

    impostors: int
    known: int
    points: tuple[OperatingPoint, ...]


def operating_curve(decider: Decider, confidence: float) -> OperatingCurve:
    """The thresholds at which one impostor more is let in, from none on; empty where no calibration has impostors."""
    if not decider.gallery.examples:
        return OperatingCurve(0, 0, ())
    tops = np.sort(decider.tops.astype(np.float64))[::-1]
    known = known_decisions(decider.gallery, RULE)
    scores = np.sort(known.scores[known.right].astype(np.float64))
    wrong = len(known.scores) - len(scores)
    points = []
    for let_in in _counts(len(tops)):
        threshold = float(tops[let_in]) + ROUNDING
        lost = wrong + int(np.searchsorted(scores, threshold, side="left"))
        exceeding = int(np.count_nonzero(tops >= threshold))
        points.append(OperatingPoint(threshold, exceeding, lost, rate_bound(len(tops), exceeding, confidence)))
    return OperatingCurve(len(tops), len(known.scores), tuple(points))


def _counts(impostors: int) -> list[int]:
    """From none to half of the impostors, denser where few are let in."""
    if not impostors:
        return []
    counts = np.geomspace(1, max(1, impostors // 2), POINTS).astype(np.int64) - 1
    return sorted(set(counts.tolist()))
