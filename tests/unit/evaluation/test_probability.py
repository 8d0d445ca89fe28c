from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from simsearch.errors import VectorError
from simsearch.evaluation.statistics.probability import SameCurve, isotonic, same_curve

PAIRS = st.lists(st.tuples(st.integers(-20, 20), st.booleans()), min_size=2, max_size=80)


@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(0.01, 10)), min_size=1, max_size=60))
def test_isotonic_is_that_of_scikit_learn(pairs: list[tuple[float, float]]) -> None:
    values, weights = (np.array(column) for column in zip(*pairs, strict=True))
    expected = IsotonicRegression().fit_transform(np.arange(len(values)), values, sample_weight=weights)
    np.testing.assert_allclose(isotonic(values, weights), expected, atol=1e-9)


@given(PAIRS)
def test_a_curve_is_the_weighted_isotonic_regression_at_the_scores_that_it_keeps(pairs: list[tuple[int, bool]]) -> None:
    scores, same = np.array([score / 20 for score, _ in pairs]), np.array([truth for _, truth in pairs])
    if same.all() or not same.any():
        with pytest.raises(VectorError):
            same_curve(scores, same, "pairs")
        return
    made = same_curve(scores, same, "pairs")
    weights = np.where(same, 0.5 / same.sum(), 0.5 / (~same).sum())
    expected = IsotonicRegression(out_of_bounds="clip").fit(scores, same, sample_weight=weights).predict(made.scores)
    np.testing.assert_allclose(made.p_same, expected, atol=2e-5)
    for score, far, tar in zip(made.scores, made.far, made.tar, strict=True):
        assert far == pytest.approx(np.mean(scores[~same] >= score - 1e-9), abs=2e-5)
        assert tar == pytest.approx(np.mean(scores[same] >= score - 1e-9), abs=2e-5)


def test_same_and_different_pairs_weigh_equally_however_many_there_are() -> None:
    scores = np.array([0.9, 0.9] + [0.9] * 10 + [0.1] * 90)
    same = np.array([True, True] + [False] * 100)
    made = same_curve(scores, same, "few of many")
    assert made.probability(0.9) == pytest.approx(1.0 / 1.1, abs=1e-5)
    assert made.probability(0.1) == 0.0
    assert (made.same_pairs, made.different_pairs) == (2, 100)


def test_between_two_scores_it_is_a_line_and_beyond_them_it_stays() -> None:
    made = SameCurve("two", 1, 1, (0.2, 0.6), (0.1, 0.9), (1.0, 0.0), (1.0, 1.0))
    np.testing.assert_allclose(made.probability(np.array([-1.0, 0.2, 0.4, 0.6, 1.0])), [0.1, 0.1, 0.5, 0.9, 0.9])


def test_what_a_document_keeps_is_the_curve() -> None:
    rng = np.random.default_rng(0)
    made = same_curve(rng.normal(size=500).astype(np.float32), rng.random(500) < 0.3, "noise")
    assert SameCurve.of_document(made.document()) == made
    assert len(made.scores) <= 40
    assert list(made.p_same) == sorted(made.p_same)
    assert list(made.tar) == sorted(made.tar, reverse=True)


def test_low_false_accept_rates_have_points_of_their_own() -> None:
    rng = np.random.default_rng(1)
    same = np.arange(40_000) % 2 == 0
    scores = rng.normal(size=len(same)) + 2 * same
    made = same_curve(scores, same, "noise")
    points = made.operating_points((0.001, 0.01, 0.02))
    assert [far for _, _, far, _ in points] == pytest.approx([0.001, 0.01, 0.02], abs=6e-5)
    assert [score for score, *_ in points] == sorted((score for score, *_ in points), reverse=True)
    assert len(made.operating_points((0.5, 0.5))) == 1
    assert SameCurve("two", 1, 1, (0.2, 0.6), (0.1, 0.9), (1.0, 0.5), (1.0, 1.0)).operating_points((0.1,)) == []


@pytest.mark.parametrize("edit", [{"scores": []}, {"p_same": [0.1]}, {"far": ["much"]}])
def test_what_is_no_curve_is_refused(edit: dict[str, object]) -> None:
    document = SameCurve("two", 1, 1, (0.2, 0.6), (0.1, 0.9), (1.0, 0.0), (1.0, 1.0)).document()
    with pytest.raises((ValueError, TypeError)):
        SameCurve.of_document({**document, **edit})
