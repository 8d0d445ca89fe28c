"""Correlations against SciPy, and their resamples against the resampled pairs themselves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from simsearch.errors import VectorError
from simsearch.evaluation.statistics.correlation import graded_figures, pearson, ranks, spearman
from simsearch.evaluation.statistics.intervals import resamples

VALUES = [-3.0, -1.0, 0.0, 0.25, 0.5, 1.0, 2.0]


@st.composite
def graded(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Scores and grades with many ties, neither constant, in float32 or float64.

    No two differ by less than a millionth: of a resample in which all do, there would be nothing but rounding.
    """
    score = st.one_of(st.sampled_from(VALUES), st.integers(-(2**20), 2**20).map(lambda number: number / 2**20))
    rows = draw(st.lists(st.tuples(score, st.sampled_from(VALUES)), min_size=2, max_size=30))
    left = np.array([row[0] for row in rows], dtype=draw(st.sampled_from([np.float32, np.float64])))
    right = np.array([row[1] for row in rows])
    left[0], left[1], right[0], right[1] = 4.0, -4.0, draw(st.sampled_from([5.0, -5.0])), 0.1
    return left, right


@settings(max_examples=60, deadline=None)
@given(graded())
def test_correlations_are_those_of_scipy(pairs: tuple[np.ndarray, np.ndarray]) -> None:
    left, right = pairs
    assert spearman(left, right) == pytest.approx(stats.spearmanr(left, right).statistic, abs=1e-12)
    assert pearson(left, right) == pytest.approx(stats.pearsonr(left.astype(float), right).statistic, abs=1e-9)
    assert spearman(left, right) == pytest.approx(spearman(right, left), abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(graded(), st.integers(0, 2**32 - 1))
def test_ranks_in_a_resample_are_those_of_its_pairs(pairs: tuple[np.ndarray, np.ndarray], seed: int) -> None:
    values = pairs[1]
    (counts,) = resamples(len(values), 4, seed)
    for found, count in zip(ranks(values, counts), counts, strict=True):
        drawn = np.repeat(np.arange(len(values)), count.astype(int))
        np.testing.assert_allclose(found[drawn], stats.rankdata(values[drawn]))


@settings(max_examples=25, deadline=None)
@given(graded(), st.integers(0, 1000))
def test_intervals_are_those_of_resampled_pairs(pairs: tuple[np.ndarray, np.ndarray], seed: int) -> None:
    left, right = pairs
    figures = graded_figures(left, right, seed=seed, rounds=30, level=0.8)
    for name, naive in (("spearman", spearman), ("pearson", pearson)):
        found = []
        for count in np.concatenate(list(resamples(len(left), 30, seed))):
            drawn = np.repeat(np.arange(len(left)), count.astype(int))
            if len(set(left[drawn])) > 1 and len(set(right[drawn])) > 1:
                found.append(naive(left[drawn], right[drawn]))
        assert figures[name].value == naive(left, right)
        ends = (figures[name].low, figures[name].high)
        assert ends == pytest.approx(tuple(np.quantile(found, [0.1, 0.9])), abs=1e-9)


def test_perfect_and_reversed_orders() -> None:
    rising = np.arange(50.0)
    assert spearman(rising**3, rising) == pytest.approx(1.0)
    assert spearman(-np.exp(rising), rising) == pytest.approx(-1.0)
    assert pearson(2 * rising + 1, rising) == pytest.approx(1.0)
    assert pearson(-rising, rising) == pytest.approx(-1.0)


def test_large_and_small_numbers_do_no_harm() -> None:
    rng = np.random.default_rng(0)
    left, right = rng.normal(size=100), rng.normal(size=100)
    expected = pearson(left, right)
    for scale, shift in ((1e300, 0.0), (1e-300, 0.0), (1.0, 1e6), (1e-9, 1.0)):
        assert pearson(left * scale + shift, right) == pytest.approx(expected, abs=1e-5)
    assert pearson(np.array([-1.7e308, 1.7e308]), np.array([0.0, 1.0])) == 1.0


def test_the_interval_holds_the_figure_and_shrinks_with_more_pairs() -> None:
    rng = np.random.default_rng(1)
    widths = []
    for count in (50, 5000):
        truth = rng.normal(size=count)
        figure = graded_figures(truth + rng.normal(size=count), truth, seed=0)["spearman"]
        assert figure.low < figure.value < figure.high
        widths.append(figure.high - figure.low)
    assert widths[1] < widths[0] / 5


@pytest.mark.parametrize(
    ("scores", "truth", "message"),
    [
        (np.array([0.1]), np.array([1.0]), "two or more"),
        (np.array([0.1, 0.2]), np.array([1.0]), r"truth of shape \(1,\)"),
        (np.array([0.1, np.nan]), np.array([1.0, 2.0]), "a score is not finite"),
        (np.array([0.1, 0.2]), np.array([np.inf, 2.0]), "a grade is not finite"),
        (np.array([0.5, 0.5]), np.array([1.0, 2.0]), "all 2 scores are 0.5"),
        (np.array([0.1, 0.2]), np.array([3.0, 3.0]), "all 2 grades are 3"),
    ],
)
def test_what_has_no_correlation_is_refused(scores: np.ndarray, truth: np.ndarray, message: str) -> None:
    for figure in (spearman, pearson):
        with pytest.raises(VectorError, match=message):
            figure(scores, truth)
