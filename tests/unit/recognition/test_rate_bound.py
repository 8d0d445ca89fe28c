"""The upper limit of a rate from a count, against its definition and against the threshold that is promised."""

from __future__ import annotations

from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simsearch.recognition.binomial import largest_exceeding, promised_rate, rate_bound


def at_most(count: int, rate: float, most: int) -> float:
    return sum(comb(count, k) * rate**k * (1 - rate) ** (count - k) for k in range(most + 1))


@given(st.integers(1, 60), st.data(), st.sampled_from([0.5, 0.8, 0.95, 0.99]))
def test_at_the_bound_so_few_are_as_unlikely_as_the_confidence_says(
    count: int, data: st.DataObject, confidence: float
) -> None:
    exceeding = data.draw(st.integers(0, count - 1))
    bound = rate_bound(count, exceeding, confidence)
    assert at_most(count, bound, exceeding) == pytest.approx(1 - confidence, rel=1e-6)
    assert bound > exceeding / count or confidence == 0.5


@given(st.integers(1, 2000), st.floats(0.01, 0.3))
def test_it_agrees_with_the_threshold_that_is_promised(count: int, rate: float) -> None:
    exceeding = largest_exceeding(count, rate, 0.95)
    if exceeding is None:
        assert promised_rate(count, 0.95) > rate
    else:
        assert rate_bound(count, exceeding, 0.95) <= rate + 1e-9
        if exceeding + 1 < count:
            assert rate_bound(count, exceeding + 1, 0.95) > rate - 1e-9
    assert rate_bound(count, 0, 0.95) == pytest.approx(promised_rate(count, 0.95))


def test_where_nothing_is_known_the_bound_is_one() -> None:
    assert rate_bound(0, 0, 0.95) == rate_bound(5, 5, 0.95) == 1.0
