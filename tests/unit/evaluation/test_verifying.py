"""All figures of pairs at once: equal to the single ones, with intervals equal to those of resampled pairs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simsearch.errors import UsageError, VectorError
from simsearch.evaluation import metrics
from simsearch.evaluation.results import shown_threshold
from simsearch.evaluation.statistics.curves import curve
from simsearch.evaluation.statistics.intervals import resamples
from simsearch.evaluation.verifying import operating_points, verification_figures

FIGURES: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "roc_auc": metrics.roc_auc,
    "average_precision": metrics.average_precision,
    "eer": metrics.equal_error_rate,
    "tar@far=0.25": lambda scores, same: metrics.tar_at_far(scores, same, 0.25),
    "tar@far=0": lambda scores, same: metrics.tar_at_far(scores, same, 0),
    "accuracy": lambda scores, same: metrics.accuracy_at(scores, same, 0.5),
}


def scored(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores with ties; same pairs score higher."""
    rng = np.random.default_rng(seed)
    same = np.arange(count) % 3 == 0
    return np.round(0.4 + 0.2 * same + 0.25 * rng.normal(size=count), 1), same


def ends(scores: np.ndarray, same: np.ndarray, drawn: list[np.ndarray], name: str) -> tuple[float, float]:
    """The 80 % interval of a figure over resamples, given by the pairs that each holds."""
    able = [rows for rows in drawn if name == "accuracy" or len(set(same[rows].tolist())) == 2]
    values = [FIGURES[name](scores[rows], same[rows]) for rows in able]
    low, high = np.quantile(values, [0.1, 0.9])
    return float(low), float(high)


@pytest.mark.parametrize("count", [4, 30, 90])
def test_figures_are_the_single_ones_and_intervals_those_of_resampled_pairs(count: int) -> None:
    scores, same = scored(count, count)
    found = verification_figures(scores, same, fars=(0.25, 0), threshold=0.5, seed=7, rounds=40, level=0.8)
    assert list(found) == list(FIGURES)
    counts = np.concatenate(list(resamples(count, 40, 7)))
    drawn = [np.repeat(np.arange(count), row.astype(int)) for row in counts]
    for name, single in FIGURES.items():
        assert found[name].value == pytest.approx(single(scores, same))
        assert (found[name].low, found[name].high) == pytest.approx(ends(scores, same, drawn, name)), name


@given(st.lists(st.tuples(st.integers(-9, 9), st.booleans()), min_size=2), st.sampled_from([0, 0.01, 0.1, 0.5, 1]))
def test_an_operating_point_has_the_rates_that_it_is_named_for(pairs: list[tuple[int, bool]], far: float) -> None:
    scores, same = np.array([score / 9 for score, _ in pairs], dtype=np.float32), np.array([one for _, one in pairs])
    if same.all() or not same.any():
        return
    threshold = operating_points(scores, same, (far,))[f"tar@far={far:g}"]
    accepted = scores >= threshold
    assert np.mean(accepted[~same]) <= far
    assert np.mean(accepted[same]) == pytest.approx(metrics.tar_at_far(scores, same, far))
    assert threshold in scores or threshold > scores.max()
    rounded = float(shown_threshold(threshold))
    assert threshold <= rounded < threshold + 0.00101
    assert np.mean(scores[~same] >= rounded) <= far


def test_with_classes_whole_classes_are_resampled() -> None:
    labels = np.repeat(np.array(["a", "b", "c", "d", "e"]), 4)
    pairs = metrics.all_pairs(20)
    classes = labels[pairs]
    same = classes[:, 0] == classes[:, 1]
    scores, _ = scored(len(pairs), 3)
    scores = scores + 0.3 * same
    found = verification_figures(
        scores, same, fars=(0.25, 0), threshold=0.5, classes=classes, seed=2, rounds=40, level=0.8
    )
    names = np.unique(labels)
    place = np.searchsorted(names, classes)
    drawn = []
    for count in np.concatenate(list(resamples(5, 40, 2))).astype(int):
        times = [count[a] if a == b else count[a] * count[b] for a, b in place]
        drawn.append(np.repeat(np.arange(len(pairs)), times))
    for name in FIGURES:
        assert (found[name].low, found[name].high) == pytest.approx(ends(scores, same, drawn, name)), name


def test_classes_make_the_interval_honest() -> None:
    """Classes that are hard as a whole: pairs drawn alone pretend to know more than there is to know."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(12), 15)
    centres = rng.normal(size=(12, 6)) * rng.uniform(0.2, 3, size=(12, 1))
    vectors = centres[labels] + rng.normal(size=(180, 6))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    pairs = metrics.sample_pairs(labels, 4000, rng)
    scores, same = metrics.pair_scores(vectors, labels, pairs=pairs)
    alone = verification_figures(scores, same, seed=0, rounds=300)["roc_auc"]
    together = verification_figures(scores, same, classes=labels[pairs], seed=0, rounds=300)["roc_auc"]
    assert alone.value == together.value
    assert together.high - together.low > 3 * (alone.high - alone.low)


def test_the_rates_start_at_nothing_and_end_at_all() -> None:
    far, tar = curve(np.array([0.9, 0.5, 0.5, 0.1]), np.array([True, True, False, False])).rates()
    assert (far.tolist(), tar.tolist()) == ([0, 0, 0.5, 1], [0, 0.5, 1, 1])


def test_a_resample_of_one_kind_gives_no_figure() -> None:
    scores, same = np.array([0.9, 0.5, 0.1]), np.array([True, False, False])
    found = curve(scores, same, np.array([[3.0, 0, 0], [0, 2, 1], [1, 1, 1]]))
    for values in (found.auc(), found.average_precision(), found.equal_error_rate(), found.tar_at_far(0.5)):
        assert np.isnan(values).tolist() == [True, True, False]
    assert found.accuracy_at(2.0).tolist() == pytest.approx([0, 1, 2 / 3])


def test_unusable_requests_are_refused() -> None:
    scores, same = scored(9, 0)
    with pytest.raises(VectorError, match=r"9 pairs but classes of shape \(9,\)"):
        verification_figures(scores, same, classes=np.arange(9), seed=0)
    with pytest.raises(UsageError, match="the FAR is 2"):
        verification_figures(scores, same, fars=(2,), seed=0)
    with pytest.raises(VectorError, match="are impostor pairs"):
        verification_figures(scores, np.zeros(9, dtype=bool), seed=0)
    with pytest.raises(VectorError, match="not finite"):
        verification_figures(np.where(same, np.nan, scores), same, seed=0)
