"""The review of examples, against the definition written out for one example at a time."""

from __future__ import annotations

from collections.abc import Sequence

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

from simsearch.recognition import review
from simsearch.recognition.gallery import RULES, Gallery, Rule
from simsearch.recognition.review import findings, lower_fence, own_scores
from simsearch.types import Example

DIM = 4
LABELS = st.lists(st.integers(0, 5), min_size=1, max_size=40)


def gallery_of(labels: Sequence[int], seed: int) -> Gallery:
    rows = np.random.default_rng(seed).normal(size=(len(labels), DIM))
    vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return Gallery.of([Example(number + 1, f"label {label}", "") for number, label in enumerate(labels)], vectors)


def score(query: NDArray[np.float64], others: NDArray[np.float64], rule: Rule) -> float:
    nearest = float((others @ query).max())
    total = others.sum(axis=0)
    mean = float(total @ query / np.linalg.norm(total))
    return {"nearest": nearest, "mean": mean, "both": (nearest + mean) / 2}[rule]


def by_hand(gallery: Gallery, row: int, rule: Rule) -> tuple[float | None, float | None]:
    """The score of an example with the others of its label, and the best one with another label."""
    vectors, names = gallery.vectors.astype(np.float64), np.array([one.label for one in gallery.examples])
    own = names == names[row]
    own[row] = False
    query = vectors[row]
    others = [score(query, vectors[names == name], rule) for name in set(names.tolist()) - {names[row]}]
    return score(query, vectors[own], rule) if own.any() else None, max(others) if others else None


@settings(max_examples=60, deadline=None)
@given(LABELS, st.integers(0, 10**6), st.sampled_from(RULES), st.sampled_from([1, 7, 2_097_152]))
def test_scores_are_those_of_one_example_left_out_at_a_time(
    labels: list[int], seed: int, rule: Rule, cells: int
) -> None:
    gallery = gallery_of(labels, seed)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(review, "CELLS", cells)
        scores = own_scores(gallery, rule)
        found = findings(gallery, np.arange(len(labels)), threshold=0.5, rule=rule)
    fence = lower_fence(scores[scores > -2])
    for row, example in enumerate(gallery.examples):
        own, other = by_hand(gallery, row, rule)
        assert scores[row] == pytest.approx(-2.0 if own is None else own, abs=1e-5)
        margin = (other if other is not None else -2) - (0.5 if own is None else own)
        if abs(margin) > 1e-5:
            assert (example.id in found and found[example.id].kind == "closer") == (margin > 0)
        if margin < 0 and own is not None and abs(own - fence) > 1e-5:
            assert (example.id in found) == (own < fence)


def test_an_outlier_is_below_tukeys_fence() -> None:
    scores = np.linspace(0.6, 0.9, 21, dtype=np.float32)
    first, third = np.quantile(scores, (0.25, 0.75))
    assert lower_fence(scores) == pytest.approx(first - 1.5 * (third - first))
    assert lower_fence(scores[:19]) == -1.0


def test_an_example_unlike_all_others_is_an_outlier() -> None:
    rng = np.random.default_rng(0)
    centers = np.eye(6)[:3]
    rows = np.repeat(centers, 10, axis=0) + 0.1 * rng.normal(size=(30, 6))
    # Near no center, but least far from its own.
    rows = np.concatenate([rows, [[0.3, 0, 0, 1, 0, 0]]])
    vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    names = [f"label {number // 10}" for number in range(30)] + ["label 0"]
    gallery = Gallery.of([Example(number + 1, name, f"{number}") for number, name in enumerate(names)], vectors)
    (found,) = findings(gallery, np.arange(31), threshold=None, rule="both").values()
    assert (found.kind, found.path, found.label, found.other) == ("outlier", "30", "label 0", None)
    assert found.reason.endswith("is usual")


def test_the_only_example_of_a_label_is_compared_with_the_threshold() -> None:
    gallery = Gallery.of([Example(1, "a", "x"), Example(2, "b", "y")], np.array([[1, 0], [0.8, 0.6]], np.float32))
    rows = np.array([1])
    assert findings(gallery, rows, threshold=None, rule="both") == {}
    assert findings(gallery, rows, threshold=0.9, rule="both") == {}
    (found,) = findings(gallery, rows, threshold=0.7, rule="both").values()
    assert found.reason == "scores 0.800 with a, enough to be recognized as a"


def test_an_empty_gallery_has_no_findings() -> None:
    gallery = Gallery((), np.empty((0, DIM), np.float32))
    assert findings(gallery, np.empty(0, np.int64), threshold=None, rule="both") == {}
