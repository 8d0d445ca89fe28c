"""Maps from scores to probabilities against scikit-learn, and joint decisions against all permutations."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from simsearch.recognition.decisions import Decisions
from simsearch.recognition.joint import UNKNOWN, assigned
from simsearch.recognition.probability import (
    _weights,
    at_prior,
    enough,
    fit_isotonic,
    fit_logistic,
    fit_mean,
    fitted_map,
)

DRAWS = st.lists(st.tuples(st.integers(-20, 20), st.booleans(), st.integers(1, 5)), min_size=2, max_size=60)


def columns(draws: list[tuple[int, bool, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    scores, right, weights = zip(*draws, strict=True)
    return np.array(scores) / 20, np.array(right), np.array(weights, dtype=np.float64)


@given(DRAWS)
def test_the_isotonic_map_is_that_of_scikit_learn(draws: list[tuple[int, bool, int]]) -> None:
    scores, right, weights = columns(draws)
    least = 1 / (len(scores) + 2)
    expected = IsotonicRegression(out_of_bounds="clip").fit(scores, right, weights).predict(scores)
    found = fit_isotonic(scores, right, weights)
    np.testing.assert_allclose(found(scores), expected.clip(least, 1 - least), atol=1e-6)
    assert list(found.scores) == sorted(found.scores)


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1))
def test_the_logistic_map_is_that_of_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=300)
    right = rng.random(300) < 1 / (1 + np.exp(-2 * scores - 0.3))
    weights = rng.integers(1, 5, 300).astype(np.float64)
    positives, negatives = right.sum(), (~right).sum()
    target = np.where(right, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    twice = np.concatenate([scores, scores])[:, None]
    reference = LogisticRegression(C=1e6, tol=1e-10).fit(
        twice, np.repeat([1, 0], 300), np.concatenate([weights * target, weights * (1 - target)])
    )
    at = np.linspace(scores.min(), scores.max(), 40)
    np.testing.assert_allclose(
        fit_logistic(scores, right, weights)(at), reference.predict_proba(at[:, None])[:, 1], atol=3e-3
    )


def test_a_falling_relation_gives_a_constant_map_not_a_falling_one() -> None:
    scores, right = np.linspace(0, 1, 100), np.arange(100) < 50
    found = fit_logistic(scores, right, np.ones(100))
    assert np.ptp(found(scores)) < 1e-9


def decisions(count: int, unknown: int, seed: int) -> Decisions:
    rng = np.random.default_rng(seed)
    known = np.arange(count + unknown) < count
    scores = np.where(known, rng.normal(0.8, 0.1, count + unknown), rng.normal(0.5, 0.1, count + unknown))
    right = known & (rng.random(count + unknown) < 1 / (1 + np.exp(-20 * (scores - 0.6))))
    return Decisions(scores.astype(np.float32), right, known, np.arange(count + unknown) // 2)


@pytest.mark.parametrize("prior", [0.1, 0.5, 0.9])
def test_the_probability_holds_at_the_stated_prior(prior: float) -> None:
    found = fitted_map(decisions(2000, 2000, 0), prior)
    assert found.log_loss is not None
    fresh = decisions(20_000, 20_000, 1)
    weights, predicted = fresh.weights(prior), found(fresh.scores)
    assert float(weights @ predicted) == pytest.approx(float(weights @ fresh.right), abs=0.02)
    high = predicted > 0.8
    share = np.average(fresh.right[high], weights=weights[high])
    assert share == pytest.approx(np.average(predicted[high], weights=weights[high]), abs=0.03)


def test_few_decisions_are_not_enough_for_a_map() -> None:
    none = np.zeros(40, np.bool_)
    assert not enough(decisions(9, 0, 0))
    assert enough(decisions(40, 0, 0))
    assert not enough(replace(decisions(40, 0, 0), right=none))


def test_the_mean_of_both_maps_lies_between_them() -> None:
    given = decisions(200, 200, 3)
    scores, weights = given.scores.astype(np.float64), given.weights(0.5)
    found = fit_mean(scores, given.right, weights)(scores)
    parts = [fit(scores, given.right, weights)(scores) for fit in (fit_isotonic, fit_logistic)]
    np.testing.assert_allclose(found, np.mean(parts, axis=0), atol=1e-9)


@pytest.mark.parametrize("times", [1, 50])
def test_unknown_identities_weigh_alike(times: int) -> None:
    """One of two unknown identities has many queries of the same score; that changes nothing."""
    known = decisions(400, 0, 4)
    none = np.zeros(times + 1, np.bool_)
    scores = np.append(np.full(times, 0.9), 0.3).astype(np.float32)
    unknown = Decisions(scores, none, none, np.append(np.zeros(times, np.int64), 1))
    weights = _weights(known.joined(unknown), 0.5)
    assert weights[-1] == pytest.approx(0.25)
    assert weights[400:-1].sum() == pytest.approx(0.25)
    assert weights[:400].sum() == pytest.approx(0.5)


def test_bayes_rule_moves_a_probability_to_another_prior() -> None:
    found = at_prior(np.array([0.5, 0.8]), 0.9)
    assert found.tolist() == pytest.approx([0.1, 0.8 * 0.1 / (0.8 * 0.1 + 0.2 * 0.9)])
    assert at_prior(np.array([0.3]), 0.5).tolist() == pytest.approx([0.3])


@given(
    st.lists(st.lists(st.integers(0, 10), min_size=3, max_size=3), min_size=1, max_size=4),
    st.sampled_from([None, 0.0, 0.45, 0.8, 1.1]),
)
def test_joint_decisions_are_the_best_of_all_assignments(rows: list[list[int]], threshold: float | None) -> None:
    scores = np.array(rows, dtype=np.float32) / 10
    found = assigned(scores, threshold)
    given_labels = [label for label in found.tolist() if label != UNKNOWN]
    assert len(given_labels) == len(set(given_labels))

    def gain(labels: tuple[int, ...] | list[int]) -> float:
        floor = -2 if threshold is None else threshold
        return sum(float(scores[row, label]) - floor for row, label in enumerate(labels) if label != UNKNOWN)

    def allowed(labels: tuple[int, ...]) -> bool:
        some = [label for label in labels if label != UNKNOWN]
        enough = threshold is None or all(
            scores[row, label] >= threshold for row, label in enumerate(labels) if label != UNKNOWN
        )
        return enough and len(some) == len(set(some))

    best = max(gain(labels) for labels in itertools.product([UNKNOWN, 0, 1, 2], repeat=len(rows)) if allowed(labels))
    assert allowed(tuple(found.tolist()))
    assert gain(found.tolist()) == pytest.approx(best, abs=1e-5)
