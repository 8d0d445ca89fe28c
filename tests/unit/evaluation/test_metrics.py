"""Figures of scored pairs against scikit-learn and against loops over every threshold."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, confusion_matrix, roc_auc_score, roc_curve

from simsearch.errors import UsageError, VectorError
from simsearch.evaluation import metrics

CUTS = [-1.0, -0.5, -0.25, 0.0, 0.25, 0.5, 1.0]


@st.composite
def scored(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Scores with many ties and of both kinds, in float32 or float64."""
    score = st.one_of(st.sampled_from(CUTS), st.floats(-1, 1, width=32))
    rows = draw(st.lists(st.tuples(score, st.booleans()), min_size=0, max_size=25))
    rows += [(draw(score), True), (draw(score), False)]
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    order = draw(st.permutations(range(len(rows))))
    return np.array([rows[i][0] for i in order], dtype=dtype), np.array([rows[i][1] for i in order])


def thresholds(scores: np.ndarray) -> list[float]:
    """One threshold for every way in which a threshold can part the scores."""
    return [2.0, *sorted(set(scores.tolist()), reverse=True)]


@settings(max_examples=60, deadline=None)
@given(scored(), st.sampled_from(CUTS))
def test_confusion_is_that_of_scikit_learn(pairs: tuple[np.ndarray, np.ndarray], threshold: float) -> None:
    scores, same = pairs
    tn, fp, fn, tp = confusion_matrix(same, scores >= threshold, labels=[False, True]).ravel().tolist()
    found = metrics.confusion(scores, same, threshold)
    assert found == metrics.Confusion(tp=tp, fp=fp, tn=tn, fn=fn)
    assert metrics.accuracy_at(scores, same, threshold) == found.accuracy == (tp + tn) / len(scores)


@settings(max_examples=60, deadline=None)
@given(scored())
def test_auc_is_that_of_scikit_learn_and_of_all_comparisons(pairs: tuple[np.ndarray, np.ndarray]) -> None:
    scores, same = pairs
    above, below = scores[same][:, None], scores[~same][None, :]
    naive = ((above > below) + 0.5 * (above == below)).mean()
    assert metrics.roc_auc(scores, same) == pytest.approx(naive, abs=1e-12)
    assert metrics.roc_auc(scores, same) == pytest.approx(roc_auc_score(same, scores.astype(np.float64)), abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(scored())
def test_best_threshold_is_the_highest_of_the_best_of_all(pairs: tuple[np.ndarray, np.ndarray]) -> None:
    scores, same = pairs
    accuracy = {cut: float(((scores >= cut) == same).mean()) for cut in thresholds(scores)}
    best = max(accuracy.values())
    threshold, found = metrics.best_threshold(scores, same)
    assert found == pytest.approx(best)
    cut = next(cut for cut in thresholds(scores) if accuracy[cut] == best)
    np.testing.assert_array_equal(scores >= threshold, scores >= cut)
    np.testing.assert_array_equal(scores.astype(np.float64) >= threshold, scores >= cut)
    assert metrics.accuracy_at(scores, same, threshold) == found


@settings(max_examples=60, deadline=None)
@given(scored())
def test_best_balanced_threshold_is_the_highest_of_the_best_of_all(pairs: tuple[np.ndarray, np.ndarray]) -> None:
    scores, same = pairs
    accuracy = {
        cut: Fraction(int((scores >= cut)[same].sum()), 2 * int(same.sum()))
        + Fraction(int((scores < cut)[~same].sum()), 2 * int((~same).sum()))
        for cut in thresholds(scores)
    }
    best = max(accuracy.values())
    threshold, found = metrics.best_threshold(scores, same, balanced=True)
    assert found == pytest.approx(float(best))
    cut = next(cut for cut in thresholds(scores) if accuracy[cut] == best)
    np.testing.assert_array_equal(scores >= threshold, scores >= cut)
    assert metrics.confusion(scores, same, threshold).balanced_accuracy == pytest.approx(found)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_best_threshold_parts_neighboring_numbers(dtype: type[np.floating]) -> None:
    low = dtype(0.7)
    high = np.nextafter(low, dtype(1))
    scores = np.array([low, high], dtype=dtype)
    threshold, accuracy = metrics.best_threshold(scores, np.array([False, True]))
    assert accuracy == 1.0
    assert (scores.astype(np.float64) >= threshold).tolist() == [False, True]


def test_best_threshold_lies_half_way() -> None:
    scores, same = np.array([0.1, 0.25, 0.75, 0.9]), np.array([False, False, True, True])
    assert metrics.best_threshold(scores, same) == (0.5, 1.0)


def test_best_threshold_of_whole_numbers() -> None:
    assert metrics.best_threshold(np.array([0, 1]), np.array([False, True])) == (0.5, 1.0)


@settings(max_examples=60, deadline=None)
@given(scored())
def test_equal_error_rate_is_where_the_curve_of_scikit_learn_meets_the_diagonal(
    pairs: tuple[np.ndarray, np.ndarray],
) -> None:
    scores, same = pairs
    far, tar, _ = roc_curve(same, scores, drop_intermediate=False)
    # Bisection along the length of the curve, on which FAR - FRR only rises.
    along, low, high = np.arange(len(far)), 0.0, len(far) - 1.0
    for _ in range(60):
        middle = (low + high) / 2
        behind = np.interp(middle, along, far) < 1 - np.interp(middle, along, tar)
        low, high = (middle, high) if behind else (low, middle)
    assert metrics.equal_error_rate(scores, same) == pytest.approx(np.interp(high, along, far), abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(scored(), st.sampled_from([0.0, 0.001, 0.1, 0.25, 0.5, 1.0]))
def test_tar_at_far_is_the_best_that_a_threshold_reaches(pairs: tuple[np.ndarray, np.ndarray], far: float) -> None:
    scores, same = pairs
    reached = [(scores[same] >= cut).mean() for cut in thresholds(scores) if (scores[~same] >= cut).mean() <= far]
    assert metrics.tar_at_far(scores, same, far) == pytest.approx(max(reached))


@settings(max_examples=60, deadline=None)
@given(scored())
def test_average_precision_is_that_of_scikit_learn(pairs: tuple[np.ndarray, np.ndarray]) -> None:
    scores, same = pairs
    expected = average_precision_score(same, scores.astype(np.float64))
    assert metrics.average_precision(scores, same) == pytest.approx(expected, abs=1e-12)


def test_a_perfect_and_a_reversed_score() -> None:
    scores, same = np.array([0.9, 0.8, 0.2, 0.1], dtype=np.float32), np.array([True, True, False, False])
    assert (metrics.roc_auc(scores, same), metrics.equal_error_rate(scores, same)) == (1.0, 0.0)
    assert metrics.tar_at_far(scores, same, 0.0) == 1.0
    assert (metrics.roc_auc(scores, ~same), metrics.equal_error_rate(scores, ~same)) == (0.0, 1.0)
    assert metrics.tar_at_far(scores, ~same, 0.5) == 0.0


def test_equal_scores_are_worth_a_coin() -> None:
    scores, same = np.zeros(6, dtype=np.float32), np.array([True, True, False, False, False, False])
    assert metrics.roc_auc(scores, same) == 0.5
    assert metrics.equal_error_rate(scores, same) == 0.5
    threshold, accuracy = metrics.best_threshold(scores, same)
    assert threshold > 0 and accuracy == pytest.approx(4 / 6)


@pytest.mark.parametrize("kind", [True, False])
@pytest.mark.parametrize(
    "figure",
    [metrics.roc_auc, metrics.equal_error_rate, metrics.best_threshold, lambda s, t: metrics.tar_at_far(s, t, 0.1)],
)
def test_figures_need_both_kinds(figure: object, kind: bool) -> None:
    with pytest.raises(VectorError, match=f"all 3 pairs are {'genuine' if kind else 'impostor'} pairs"):
        figure(np.array([0.1, 0.2, 0.3]), np.full(3, kind))  # type: ignore[operator]


@pytest.mark.parametrize(
    ("scores", "same", "message"),
    [
        (np.array([]), np.array([], dtype=bool), r"shape \(0,\)"),
        (np.array([0.1, 0.2]), np.array([True]), r"labels of shape \(1,\)"),
        (np.array([[0.1]]), np.array([[True]]), r"shape \(1, 1\)"),
        (np.array([0.1, np.nan]), np.array([True, False]), "not finite"),
    ],
)
def test_unusable_scores_are_refused(scores: np.ndarray, same: np.ndarray, message: str) -> None:
    with pytest.raises(VectorError, match=message):
        metrics.confusion(scores, same, 0.5)


@pytest.mark.parametrize("far", [-0.1, 1.1, float("nan")])
def test_a_far_that_is_no_rate_is_refused(far: float) -> None:
    with pytest.raises(UsageError, match="from 0 to 1"):
        metrics.tar_at_far(np.array([0.1, 0.2]), np.array([True, False]), far)


def test_distances_are_those_of_the_vectors() -> None:
    vectors = np.random.default_rng(0).normal(size=(20, 8))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    distances = np.linalg.norm(vectors[:, None] - vectors[None], axis=-1)
    np.testing.assert_allclose(metrics.cosine_to_distance(vectors @ vectors.T), distances, atol=1e-7)
    assert metrics.cosine_to_distance(np.array([1.0000001, -1.0, 0.875])).tolist() == [0.0, 2.0, 0.5]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_figures_do_not_depend_on_the_order_of_pairs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 8, size=40) / 8
    same = np.arange(40) < 15
    turn = rng.permutation(40)
    for figure in (metrics.roc_auc, metrics.equal_error_rate, metrics.best_threshold):
        assert figure(scores, same) == figure(scores[turn], same[turn])
