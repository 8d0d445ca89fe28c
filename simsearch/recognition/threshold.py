"""Thresholds for a false-accept rate: guaranteed by independent impostors, or estimated."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from simsearch.errors import UsageError
from simsearch.recognition.binomial import check_rates, impostors_needed, largest_exceeding, promised_rate

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROUNDING = 2e-6
"""The cosine of two vectors differs by less than this between matrix products of different shapes."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """The least score that is accepted, for a false-accept rate of unknown queries against the whole gallery."""

    score: float
    rate: float
    confidence: float | None
    """With this confidence in the draw of the impostors the rate is met; None for an estimate without a guarantee."""
    impostors: int
    """The identities whose scores the threshold is computed from."""
    exceeding: int
    """How many of them score higher."""

    @property
    def guaranteed(self) -> bool:
        """Whether the rate is met with a stated confidence."""
        return self.confidence is not None


def guaranteed_threshold(tops: NDArray[np.floating[Any]], rate: float, confidence: float) -> Threshold:
    """The threshold that keeps the false-accept rate at `rate`, with `confidence` in the draw of the impostors.

    `tops`, shape (n,), has the best score of one query of each of n impostors against the gallery. They must be
    independent draws of identities that are not enrolled. The threshold lies above the (k + 1)-th largest of them, k
    by `largest_exceeding`, so that equal scores are rejected.
    Raises UsageError if there are too few impostors, with the number that is needed and what can be promised.
    """
    exceeding = largest_exceeding(len(tops), rate, confidence)
    if exceeding is None:
        raise UsageError(too_few(len(tops), rate, confidence))
    return Threshold(_above(tops, exceeding), rate, confidence, len(tops), exceeding)


def too_few(count: int, rate: float, confidence: float) -> str:
    """Why this many impostors cannot promise the rate, and what they can promise."""
    needed = impostors_needed(rate, confidence)
    best = f"; {count:,} can promise {_rounded_up(promised_rate(count, confidence))}" if count else ""
    return (
        f"a false-accept rate of {rate:g} at confidence {confidence:g} needs at least {needed:,} impostors, there are "
        f"{count:,}{best}. Add impostors, or choose a larger --far"
    )


def estimated_threshold(tops: NDArray[np.floating[Any]], rate: float) -> Threshold:
    """The empirical quantile: the least threshold that at most the share `rate` of `tops` reach. No guarantee.

    Raises UsageError if there are fewer than two scores.
    """
    check_rates(rate, 0.5)
    if len(tops) < 2:
        raise UsageError(f"{len(tops)} identities give no estimate; enroll at least 2, or give impostors")
    exceeding = math.floor(len(tops) * rate)
    return Threshold(_above(tops, exceeding), rate, None, len(tops), exceeding)


def _above(tops: NDArray[np.floating[Any]], exceeding: int) -> float:
    """A score just above the (exceeding + 1)-th largest, by more than the error of rounding."""
    place = len(tops) - 1 - exceeding
    return float(np.partition(tops.astype(np.float64), place)[place]) + ROUNDING


def _rounded_up(rate: float) -> str:
    """Two significant digits, never below the rate."""
    digits = 1 - math.floor(math.log10(rate))
    return f"{math.ceil(rate * 10**digits) / 10**digits:g}"


def impostor_p_values(tops: NDArray[np.floating[Any]], scores: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """(1 + the number of impostors that score at least as high) / (n + 1) for each score: a conformal p-value.

    Under exchangeability an unknown query has a p-value at or below p with a probability of at most p (Vovk, Gammerman
    and Shafer 2005).
    """
    reached = len(tops) - np.searchsorted(np.sort(tops), scores, side="left")
    return np.asarray((1 + reached) / (len(tops) + 1), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Projection:
    """The false-accept rate against a gallery `times` as large. Not measured."""

    times: int
    rate: float
    """If the identities that are added are as independent of the query as those there: 1 - (1 - rate)^times."""
    worst: float
    """The union bound, times * rate, which holds for any dependence between identities of the same kind."""


def projections(rate: float, times: tuple[int, ...] = (10, 100)) -> tuple[Projection, ...]:
    """The rate projected to larger galleries."""
    return tuple(Projection(n, -math.expm1(n * math.log1p(-rate)), min(1.0, n * rate)) for n in times)
