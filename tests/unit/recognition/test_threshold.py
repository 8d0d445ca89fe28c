"""Binomial bounds against fractions and SciPy, and the guarantee against the exact law of order statistics."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from simsearch.errors import UsageError
from simsearch.recognition.binomial import impostors_needed, largest_exceeding, log_cumulative, promised_rate
from simsearch.recognition.threshold import (
    ROUNDING,
    estimated_threshold,
    guaranteed_threshold,
    impostor_p_values,
    projections,
)

RATES = st.sampled_from([1e-4, 1e-3, 0.01, 0.03, 0.1, 0.25, 0.5, 0.9])
CONFIDENCES = st.sampled_from([0.3, 0.5, 0.8, 0.95, 0.99])


@settings(max_examples=30)
@given(st.integers(1, 150), RATES)
def test_the_cumulative_binomial_is_that_of_exact_fractions(count: int, rate: float) -> None:
    p = Fraction(rate)
    terms = [math.comb(count, k) * p**k * (1 - p) ** (count - k) for k in range(min(count, 20) + 1)]
    exact = [math.log(total.numerator) - math.log(total.denominator) for total in itertools.accumulate(terms)]
    np.testing.assert_allclose(log_cumulative(count, rate, len(exact) - 1), exact, rtol=1e-9, atol=1e-9)


@given(st.integers(0, 3000), RATES, CONFIDENCES)
def test_the_number_that_may_exceed_is_the_largest_that_is_allowed(count: int, rate: float, confidence: float) -> None:
    found = largest_exceeding(count, rate, confidence)
    # Where the probability equals 1 - confidence either answer is right.
    surely, perhaps = (
        np.flatnonzero(stats.binom.cdf(np.arange(count), count, rate) <= (1 - confidence) * factor)
        for factor in (1 - 1e-6, 1 + 1e-6)
    )
    assert found in {int(rows[-1]) if len(rows) else None for rows in (surely, perhaps)}


@pytest.mark.parametrize(("rate", "confidence", "needed"), [(0.05, 0.95, 59), (0.01, 0.95, 299), (0.001, 0.95, 2995)])
def test_the_number_of_impostors_needed(rate: float, confidence: float, needed: int) -> None:
    assert impostors_needed(rate, confidence) == needed
    assert largest_exceeding(needed, rate, confidence) == 0
    assert largest_exceeding(needed - 1, rate, confidence) is None
    assert promised_rate(needed, confidence) <= rate < promised_rate(needed - 1, confidence)


def test_a_million_impostors_take_no_time_and_no_underflow() -> None:
    found = largest_exceeding(1_000_000, 0.001, 0.95)
    assert found == int(stats.binom.ppf(0.05, 1_000_000, 0.001)) - 1


@pytest.mark.parametrize("count", [59, 100, 400])
def test_the_rate_is_exceeded_no_more_often_than_the_confidence_allows(count: int) -> None:
    """The false-accept rate of a threshold between uniform scores is 1 - threshold, exactly."""
    draws = np.random.default_rng(3).random((4000, count))
    rates = 1 - np.array([guaranteed_threshold(row, 0.05, 0.95).score for row in draws])
    exceeding = largest_exceeding(count, 0.05, 0.95)
    assert exceeding is not None
    chance = stats.binom.cdf(exceeding, count, 0.05)
    least, most = stats.binom.ppf([1e-4, 1 - 1e-4], len(draws), chance)
    assert least <= np.count_nonzero(rates > 0.05) <= most
    assert chance <= 0.05 < stats.binom.cdf(exceeding + 1, count, 0.05)


def test_equal_scores_are_rejected() -> None:
    tops = np.full(100, 0.75, np.float32)
    assert guaranteed_threshold(tops, 0.05, 0.95).score > 0.75 + ROUNDING / 2
    assert estimated_threshold(tops, 0.05).score > 0.75 + ROUNDING / 2


def test_too_few_impostors_say_what_is_needed_and_what_can_be_had() -> None:
    with pytest.raises(UsageError, match=r"needs at least 2,995 impostors, there are 100; 100 can promise 0\.03\."):
        guaranteed_threshold(np.zeros(100), 0.001, 0.95)
    with pytest.raises(UsageError, match=r"there are 0\. Add"):
        guaranteed_threshold(np.zeros(0), 0.001, 0.95)
    assert guaranteed_threshold(np.zeros(100), 0.03, 0.95).exceeding == 0
    with pytest.raises(UsageError, match="rate is 0"):
        guaranteed_threshold(np.zeros(100), 0, 0.95)
    with pytest.raises(UsageError, match="at least 2"):
        estimated_threshold(np.zeros(1), 0.1)


@given(st.lists(st.integers(0, 20), min_size=2, max_size=60), st.sampled_from([0.01, 0.1, 0.5]))
def test_an_estimate_is_reached_by_no_more_than_the_rate(tops: list[int], rate: float) -> None:
    scores = np.array(tops) / 20
    found = estimated_threshold(scores, rate)
    assert np.count_nonzero(scores >= found.score) <= len(tops) * rate
    assert found.confidence is None and not found.guaranteed


@given(st.lists(st.integers(0, 20), max_size=60), st.integers(-1, 21))
def test_a_p_value_counts_the_impostors_that_score_as_high(tops: list[int], score: int) -> None:
    (found,) = impostor_p_values(np.array(tops, dtype=np.float64), np.array([float(score)]))
    assert found == (1 + sum(top >= score for top in tops)) / (len(tops) + 1)


def test_projections_are_between_the_rate_and_the_union_bound() -> None:
    ten, hundred = projections(0.01)
    assert (ten.times, ten.worst, hundred.worst) == (10, pytest.approx(0.1), 1.0)
    assert ten.rate == pytest.approx(1 - 0.99**10)
    assert hundred.rate == pytest.approx(1 - 0.99**100)
