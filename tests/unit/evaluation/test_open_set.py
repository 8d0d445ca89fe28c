"""Open-set recognition: metrics against brute force and scikit-learn, and draws that share no identity."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from simsearch.errors import UsageError, VectorError
from simsearch.evaluation.judging import EvaluationOptions, judge_open_set
from simsearch.evaluation.open_set.draws import draw_roles, usable
from simsearch.evaluation.open_set.measure import GRID, decide, measure
from simsearch.evaluation.results import OpenSetDetail, figure_name
from simsearch.evaluation.statistics.open_set import dir_over_far, figure_names, open_set_figures
from simsearch.labelled.material import Labelled
from simsearch.recognition.decisions import Decisions

FARS = (0.2, 0.05, 0.0)


def decisions(count: int = 120, seed: int = 0, levels: int = 30) -> Decisions:
    """Decisions with equal scores among them."""
    rng = np.random.default_rng(seed)
    known = rng.random(count) < 0.6
    right = known & (rng.random(count) < 0.8)
    scores = np.round(rng.normal(known + right, 1.0) * levels / 6) / levels
    return Decisions(scores.astype(np.float32), right, known, rng.integers(0, 9, count))


def brute_force(found: Decisions) -> dict[str, float]:
    scores, known, unknown = found.scores, found.known, ~found.known
    thresholds = [np.inf, *np.unique(scores)[::-1]]
    far = np.array([np.mean(scores[unknown] >= one) for one in thresholds])
    hit = np.array([np.mean((scores >= one)[known] & found.right[known]) for one in thresholds])
    figures = {"accuracy": hit[-1], "auroc": roc_auc_score(known, scores), "oscr": np.trapezoid(hit, far)}
    return figures | {f"dir@far={limit:g}": max(hit[far <= limit]) for limit in FARS}


def test_figures_are_those_of_every_threshold_tried() -> None:
    for seed in range(5):
        found = decisions(seed=seed)
        values = dict(zip(figure_names(FARS), open_set_figures(found, FARS), strict=True))
        for name, expected in brute_force(found).items():
            assert values[name] == pytest.approx(expected), name
        accepted = [np.mean(found.scores[~found.known] >= one) for one in np.unique(found.scores)]
        rejected = [np.mean(found.scores[found.known] < one) for one in np.unique(found.scores)]
        crossing = np.argmin(np.abs(np.subtract(accepted, rejected)))
        assert values["detection_eer"] == pytest.approx((accepted[crossing] + rejected[crossing]) / 2, abs=0.05)
        np.testing.assert_allclose(
            dir_over_far(found, np.array(FARS)), [values[f"dir@far={limit:g}"] for limit in FARS]
        )


def test_weights_count_as_repetitions() -> None:
    found = decisions(count=60)
    counts = np.random.default_rng(3).integers(0, 3, (5, 60))
    together = open_set_figures(found, FARS, counts.astype(np.float64))
    for weights, figures in zip(counts, together, strict=True):
        rows = np.repeat(np.arange(60), weights)
        again = Decisions(found.scores[rows], found.right[rows], found.known[rows], found.identities[rows])
        np.testing.assert_allclose(figures, open_set_figures(again, FARS))


def test_decisions_that_are_never_right_identify_nobody() -> None:
    found = decisions()
    wrong = Decisions(found.scores, np.zeros_like(found.right), found.known, found.identities)
    values = dict(zip(figure_names(FARS), open_set_figures(wrong, FARS), strict=True))
    assert values["auroc"] == pytest.approx(roc_auc_score(found.known, found.scores))
    assert [values[name] for name in ("accuracy", "oscr", "dir@far=0.2")] == [0, 0, 0]
    assert not dir_over_far(wrong, GRID).any()
    # A resample can lack all decisions that are right.
    only = open_set_figures(found, FARS, np.where(found.right, 0.0, 1.0))
    assert only[0] == 0
    assert only[figure_names(FARS).index("oscr")] == 0


def test_without_unknown_queries_there_is_nothing_to_measure() -> None:
    found = decisions()
    rows = np.flatnonzero(found.known)
    with pytest.raises(VectorError, match="needs both kinds"):
        open_set_figures(Decisions(found.scores[rows], found.right[rows], found.known[rows], rows), FARS)
    assert np.isnan(open_set_figures(found, FARS, found.known.astype(np.float64))[1:]).all()


def material(classes: int = 24, items: int = 9, noise: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    labels = np.repeat(np.arange(classes) * 3 + 1, items)
    vectors = rng.normal(size=(classes, 16))[np.repeat(np.arange(classes), items)]
    vectors = vectors + noise * rng.normal(size=vectors.shape)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), labels.astype(np.int64)


def test_no_identity_has_two_roles_and_no_example_is_a_query() -> None:
    _, labels = material()
    classes = usable(labels, 3)
    for enrolled in (2, 12, 22):
        roles = draw_roles(labels, classes, 3, enrolled, seed=1)
        parts = [set(labels[rows].ravel().tolist()) for rows in (roles.enrolled, roles.impostors, roles.unknown)]
        assert set(labels[roles.known].tolist()) == parts[0]
        assert sum(map(len, parts)) == len(set().union(*parts))
        assert not set(roles.enrolled.ravel().tolist()) & set(roles.known.tolist())
        assert roles.enrolled.shape == (enrolled, 3)
        assert (labels[roles.enrolled] == labels[roles.enrolled[:, :1]]).all()
        assert len(roles.impostors) == len(parts[1])
    few, many = (draw_roles(labels, classes, 1, size, seed=1) for size in (2, 12))
    np.testing.assert_array_equal(few.unknown, many.unknown)
    with pytest.raises(UsageError, match="between 1 and 22"):
        draw_roles(labels, classes, 1, 23, seed=1)


def test_decisions_are_those_of_the_nearest_label() -> None:
    vectors, labels = material()
    classes = usable(labels, 1)
    roles = draw_roles(labels, classes, 1, 10, seed=0)
    found = decide(vectors, labels, classes, roles).decisions
    rows = np.concatenate([roles.known, roles.unknown])
    scores = vectors[rows] @ vectors[roles.enrolled[:, 0]].T
    np.testing.assert_allclose(found.scores, scores.max(axis=1), atol=1e-6)
    given = labels[roles.enrolled[scores.argmax(axis=1), 0]]
    np.testing.assert_array_equal(found.right, found.known & (given == labels[rows]))
    np.testing.assert_array_equal(classes[found.identities], labels[rows])


def test_separated_classes_are_recognized_and_noise_is_not() -> None:
    for noise, accuracy, auroc in ((0.05, 1.0, 1.0), (50.0, 0.1, 0.5)):
        vectors, labels = material(noise=noise)
        found = measure(
            vectors, labels, usable(labels, 3), shots=3, enrolled=12, draws=4, fars=(0.1,), seed=0, rounds=50
        )
        assert found.figures["accuracy"].value == pytest.approx(accuracy, abs=0.1)
        assert found.figures["auroc"].value == pytest.approx(auroc, abs=0.1)
        assert found.figures["ece"].value < 0.1
        for figure in found.figures.values():
            assert 0 <= figure.low <= figure.high <= 1
        assert found.curve[-1] == pytest.approx(found.figures["accuracy"].value)


def labelled(labels: np.ndarray) -> Labelled:
    names = tuple(f"class {number}" for number in range(int(labels.max()) + 1))
    sources = tuple(f"{row}.png" for row in range(len(labels)))
    return Labelled("classes", "image", sources, labels=labels, classes=names, groups=names)


def test_the_protocol_varies_shots_and_identities() -> None:
    vectors, labels = material()
    options = EvaluationOptions(rounds=20, draws=2, fars=(0.1,))
    section = judge_open_set(vectors, labelled(labels), options, None)
    detail = section.detail
    assert isinstance(detail, OpenSetDetail)
    assert [(one.shots, one.enrolled) for one in detail.results] == [(5, 3), (5, 6), (1, 12), (2, 12), (5, 12)]
    assert "5-shot of 12: oscr" in section.figures
    # With one example each and an encoder without a curve nothing says how probable a label is.
    assert "1-shot of 12: ece" not in section.figures
    assert figure_name("5-shot of 12: dir@far=0.1") == "5-shot of 12: DIR at FAR 0.1"
    again = judge_open_set(vectors, labelled(labels), options, None)
    assert again.figures == section.figures
    chosen = EvaluationOptions(rounds=20, draws=2, shots=(2,), identities=(4,))
    assert next(iter(judge_open_set(vectors, labelled(labels), chosen, None).figures)) == "2-shot of 4: accuracy"


def test_too_few_classes_or_items_are_refused() -> None:
    vectors, labels = material(classes=3)
    with pytest.raises(UsageError, match="at least 2 items each, to enroll some"):
        judge_open_set(vectors, labelled(labels), EvaluationOptions(rounds=5), None)
    with pytest.raises(UsageError, match="Choose fewer shots"):
        usable(material(items=4)[1], 4)
