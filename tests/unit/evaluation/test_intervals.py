"""Intervals: their formulas, what they cover, and resamples told by counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simsearch.errors import UsageError, VectorError
from simsearch.evaluation.statistics import intervals
from simsearch.evaluation.statistics.intervals import Figure, bootstrap, mean_figures, mean_interval, resamples


def test_mean_interval_is_that_of_the_normal_distribution() -> None:
    mean, half = mean_interval([1.0, 2.0, 3.0, 4.0])
    # s = 1.2909944, z = 1.9599640, n = 4
    assert (mean, half) == (2.5, pytest.approx(1.2651513, abs=1e-6))
    assert mean_interval([5.0, 5.0], level=0.5) == (5.0, 0.0)


def test_mean_interval_covers_the_mean_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    covered = 0
    for sample in rng.normal(3.0, 2.0, size=(2000, 50)):
        mean, half = mean_interval(sample, level=0.9)
        covered += abs(mean - 3.0) <= half
    assert 0.87 < covered / 2000 < 0.92


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 30), st.integers(1, 20), st.integers(0, 2**32 - 1), st.sampled_from([1, 7, 100, 10_000]))
def test_a_resample_draws_each_unit_as_often_as_it_says(units: int, rounds: int, seed: int, width: int) -> None:
    blocks = list(resamples(units, rounds, seed, width))
    counts = np.concatenate(blocks)
    assert counts.shape == (rounds, units) and (counts >= 0).all() and (counts.sum(axis=1) == units).all()
    np.testing.assert_array_equal(counts, np.concatenate(list(resamples(units, rounds, seed, width))))


def test_resamples_come_in_blocks_that_fit_and_draw_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intervals, "CELLS", 100)
    assert [len(block) for block in resamples(10, 25, 0)] == [10, 10, 5]
    assert [len(block) for block in resamples(10, 5, 0, width=50)] == [2, 2, 1]
    assert [len(block) for block in resamples(10, 2, 0, width=1000)] == [1, 1]
    # 10,000 draws of each of ten units, with a standard deviation of about 95.
    total = sum(block.sum(axis=0) for block in resamples(10, 10_000, 0))
    assert abs(np.asarray(total) - 10_000).max() < 400


def test_the_interval_of_a_mean_agrees_with_its_formula() -> None:
    sample = np.random.default_rng(2).normal(size=(400, 1))
    (figure,) = mean_figures(sample, seed=3, rounds=4000)
    mean, half = mean_interval(sample[:, 0])
    assert figure.value == pytest.approx(mean)
    assert figure.low == pytest.approx(mean - half, abs=0.1 * half)
    assert figure.high == pytest.approx(mean + half, abs=0.1 * half)
    assert (figure,) == mean_figures(sample, seed=3, rounds=4000)
    assert (figure,) != mean_figures(sample, seed=4, rounds=4000)


def test_means_are_those_of_the_resampled_rows() -> None:
    values = np.random.default_rng(0).normal(size=(7, 2))
    found = mean_figures(values, seed=5, rounds=50, level=0.8)
    rows = [np.repeat(np.arange(7), count.astype(int)) for count in np.concatenate(list(resamples(7, 50, 5)))]
    means = np.array([values[drawn].mean(axis=0) for drawn in rows])
    for column, figure in enumerate(found):
        assert (figure.low, figure.high) == pytest.approx(tuple(np.quantile(means[:, column], [0.1, 0.9])))


def test_clusters_are_drawn_whole() -> None:
    clusters = np.array(["a", "b", "a", "c", "b", "a"])
    values = np.array([1.0, 0.0, 0.5, 1.0, 0.0, 0.0])[:, None]
    (figure,) = mean_figures(values, clusters, seed=1, rounds=60, level=0.9)
    members = [np.flatnonzero(clusters == name) for name in "abc"]
    means = []
    for counts in np.concatenate(list(resamples(3, 60, 1))):
        drawn = np.concatenate([np.tile(rows, int(count)) for rows, count in zip(members, counts, strict=True)])
        means.append(values[drawn].mean())
    assert figure.value == pytest.approx(values.mean())
    assert (figure.low, figure.high) == pytest.approx(tuple(np.quantile(means, [0.05, 0.95])))


def test_the_interval_of_clustered_rows_covers_the_mean_where_that_of_rows_does_not() -> None:
    rng = np.random.default_rng(6)
    covered = np.zeros(2)
    for _ in range(200):
        rows = np.repeat(rng.normal(size=30), 20)[:, None] + 0.1 * rng.normal(size=(600, 1))
        for place, clusters in enumerate((np.repeat(np.arange(30), 20), None)):
            (figure,) = mean_figures(rows, clusters, seed=0, rounds=200)
            covered[place] += figure.low <= 0 <= figure.high
    assert 0.87 < covered[0] / 200 < 0.99
    assert covered[1] / 200 < 0.6


def test_equal_values_have_no_width() -> None:
    assert mean_figures(np.full((5, 1), 0.25), seed=0) == (Figure(0.25, 0.25, 0.25),)


def test_a_resample_without_a_figure_is_left_out() -> None:
    def first(counts: np.ndarray) -> np.ndarray:
        return np.where(counts[:, 0] > 0, 7.0, np.nan)

    assert bootstrap(first, 4, seed=0).tolist() == [7.0, 7.0]
    with pytest.raises(VectorError, match="all 9 resamples of 4 units"):
        bootstrap(lambda counts: np.full(len(counts), np.nan), 4, seed=0, rounds=9)


@pytest.mark.parametrize("level", [0.0, 1.0, -1.0])
def test_a_level_that_is_no_share_is_refused(level: float) -> None:
    with pytest.raises(UsageError, match="between 0 and 1"):
        mean_interval([1.0, 2.0], level=level)
    with pytest.raises(UsageError, match="between 0 and 1"):
        mean_figures(np.ones((2, 1)), seed=0, level=level)


def test_intervals_of_too_little_are_refused() -> None:
    with pytest.raises(VectorError, match="two or more"):
        mean_interval([1.0])
    with pytest.raises(VectorError, match="no values"):
        mean_interval([])
    with pytest.raises(VectorError, match="at least one unit"):
        mean_figures(np.empty((0, 2)), seed=0)
    with pytest.raises(VectorError, match="not finite"):
        mean_figures(np.array([[1.0], [np.nan]]), seed=0)
    with pytest.raises(VectorError, match="clusters of shape"):
        mean_figures(np.ones((3, 1)), np.arange(2), seed=0)
    with pytest.raises(VectorError, match="no values"):
        list(resamples(0, 5, 0))
    with pytest.raises(UsageError, match="0 bootstrap resamples"):
        mean_figures(np.ones((2, 1)), seed=0, rounds=0)
