"""Exact binomial bounds on false-accept rates."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from simsearch.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def log_cumulative(count: int, rate: float, most: int) -> NDArray[np.float64]:
    """log P(Binomial(count, rate) <= k) for k = 0 ... most, shape (most + 1,). O(most)."""
    successes = np.arange(1, most + 1, dtype=np.float64)
    steps = np.log(count - successes + 1) - np.log(successes) + math.log(rate) - math.log1p(-rate)
    terms = np.concatenate([[0.0], np.cumsum(steps)]) + count * math.log1p(-rate)
    cumulative: NDArray[np.float64] = np.minimum(np.logaddexp.accumulate(terms), 0.0)
    return cumulative


def largest_exceeding(count: int, rate: float, confidence: float) -> int | None:
    """The largest k with P(Binomial(count, rate) <= k) <= 1 - confidence, or None if there is none.

    The (k + 1)-th largest of `count` independent scores is then at or above the (1 - rate) quantile of their
    distribution with at least this confidence (Wilks 1941; Tong, Feng and Li 2018, proposition 1).
    """
    check_rates(rate, confidence)
    if count < 1:
        return None
    # P(Binomial <= k) is about one half at the mean, so no larger k can be the answer for a confidence above a half.
    most = min(count, math.ceil(count * rate) + 1) if confidence >= 0.5 else count
    allowed = log_cumulative(count, rate, most) <= math.log1p(-confidence)
    return int(np.count_nonzero(allowed)) - 1 if allowed[0] else None


def impostors_needed(rate: float, confidence: float) -> int:
    """The least number of impostors for which some threshold has this rate at this confidence.

    It solves (1 - rate)^n <= 1 - confidence, about 3 / rate at 95 %.
    """
    check_rates(rate, confidence)
    return math.ceil(math.log1p(-confidence) / math.log1p(-rate))


def promised_rate(count: int, confidence: float) -> float:
    """The least false-accept rate that `count` impostors can show at this confidence: 1 - (1 - confidence)^(1/n)."""
    check_rates(0.5, confidence)
    return 1.0 if count < 1 else -math.expm1(math.log1p(-confidence) / count)


def rate_bound(count: int, exceeding: int, confidence: float) -> float:
    """The largest rate at which `exceeding` of `count` or fewer are not yet too unlikely: the rate is below it.

    The one-sided upper limit of Clopper and Pearson (1934), by bisection; 1 where all exceed, or there are none.
    """
    check_rates(0.5, confidence)
    if exceeding >= count:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(50):
        rate = (low + high) / 2
        if log_cumulative(count, rate, exceeding)[exceeding] > math.log1p(-confidence):
            low = rate
        else:
            high = rate
    return high


def check_rates(rate: float, confidence: float) -> None:
    """Raises UsageError unless both are strictly between 0 and 1."""
    for name, value in (("false-accept rate", rate), ("confidence", confidence)):
        if not 0 < value < 1:
            raise UsageError(f"the {name} is {value:g}; it must be above 0 and below 1")
