"""Reliability of probabilities, against scikit-learn and against a loop over bins."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from simsearch.errors import UsageError, VectorError
from simsearch.evaluation.statistics.reliability import expected_calibration_error, reliability


def drawn(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    probabilities = rng.permutation(np.linspace(0.01, 0.99, count)) ** 1.5
    return probabilities, rng.random(count) < probabilities


def test_bins_of_equal_count_are_those_of_scikit_learn() -> None:
    probabilities, right = drawn(600)
    observed, predicted = calibration_curve(right, probabilities, n_bins=15, strategy="quantile")
    found = reliability(probabilities, right)
    np.testing.assert_allclose(found.predicted, predicted)
    np.testing.assert_allclose(found.observed, observed)
    np.testing.assert_allclose(found.share, 1 / 15)
    assert expected_calibration_error(probabilities, right) == pytest.approx(np.abs(observed - predicted).mean())


def test_weights_count_as_repetitions() -> None:
    probabilities, right = drawn(90)
    counts = np.random.default_rng(1).integers(0, 3, (4, 90)).astype(np.float64)
    order = np.argsort(probabilities)
    expected = []
    for weights in counts:
        bins = np.array_split(order, 15)
        gaps = [abs((weights[rows] * (probabilities[rows] - right[rows])).sum()) for rows in bins]
        expected.append(sum(gaps) / weights.sum())
    np.testing.assert_allclose(reliability(probabilities, right, counts).error(), expected)


def test_equal_probabilities_share_a_bin_whatever_their_order() -> None:
    probabilities = np.repeat([0.25, 0.75], 40)
    right = np.concatenate([np.arange(40) < 10, np.arange(40) < 30])
    found = reliability(probabilities, right)
    np.testing.assert_allclose(found.observed, [0.25, 0.75])
    assert expected_calibration_error(probabilities, right) == pytest.approx(0)
    assert expected_calibration_error(probabilities, ~right) == pytest.approx(0.5)


def test_a_bin_without_weight_has_no_part_in_the_error() -> None:
    probabilities, right = np.array([0.1, 0.9]), np.array([True, True])
    assert expected_calibration_error(probabilities, right, np.array([0.0, 2.0])) == pytest.approx(0.1)


def test_what_is_no_probability_is_refused() -> None:
    truth = np.array([True, False])
    for values in (np.array([0.5, 1.5]), np.array([0.5, np.nan]), np.array([0.5])):
        with pytest.raises(VectorError):
            reliability(values, truth)
    with pytest.raises(UsageError, match="at least 1"):
        reliability(np.array([0.5, 0.1]), truth, bins=0)
