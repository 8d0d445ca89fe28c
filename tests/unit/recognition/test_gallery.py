"""Scores of labels against naive loops, for each rule, and with each example left out for itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simsearch.recognition.decisions import (
    MOST_LEFT_OUT,
    known_decisions,
    left_out_decisions,
    tops_without_their_identity,
    unknown_decisions,
)
from simsearch.recognition.gallery import RULES, Gallery, Rule
from simsearch.types import Example


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@st.composite
def galleries(draw: st.DrawFn) -> tuple[list[str], np.ndarray]:
    labels = draw(st.lists(st.sampled_from("abcde"), min_size=2, max_size=14))
    seed = draw(st.integers(0, 2**32 - 1))
    return labels, unit(np.random.default_rng(seed).normal(size=(len(labels), 6)))


def made(labels: list[str], vectors: np.ndarray) -> Gallery:
    return Gallery.of([Example(number, label, "") for number, label in enumerate(labels)], vectors)


def naive(query: np.ndarray, labels: list[str], vectors: np.ndarray, rule: Rule) -> dict[str, float]:
    found = {}
    for label in set(labels):
        own = vectors[[at for at, name in enumerate(labels) if name == label]].astype(np.float64)
        mean = own.mean(axis=0) / np.linalg.norm(own.mean(axis=0))
        nearest, average = float((own @ query).max()), float(mean @ query)
        found[label] = {"nearest": nearest, "mean": average, "both": (nearest + average) / 2}[rule]
    return found


@pytest.mark.parametrize("rule", RULES)
@given(galleries())
def test_the_score_of_a_label_is_that_of_a_loop(rule: Rule, given_gallery: tuple[list[str], np.ndarray]) -> None:
    labels, vectors = given_gallery
    gallery = made(labels, vectors)
    query = unit(np.random.default_rng(1).normal(size=(1, 6)))
    scores, each = gallery.scores(query, rule)
    expected = naive(query[0], labels, vectors, rule)
    assert gallery.labels == tuple(sorted(expected))
    np.testing.assert_allclose(scores[0], [expected[label] for label in gallery.labels], atol=1e-5)
    assert each.shape == (1, len(labels))


@pytest.mark.parametrize("rule", RULES)
@given(galleries())
def test_an_example_does_not_know_itself(rule: Rule, given_gallery: tuple[list[str], np.ndarray]) -> None:
    labels, vectors = given_gallery
    decisions = known_decisions(made(labels, vectors), rule)
    expected = []
    for at, label in sorted(enumerate(labels), key=lambda pair: (pair[1], pair[0])):
        if labels.count(label) > 1:
            others = [other for other in range(len(labels)) if other != at]
            scores = naive(vectors[at], [labels[other] for other in others], vectors[others], rule)
            best = max(scores, key=lambda name: (scores[name], name == label))
            expected.append((scores[best], best == label))
    assert len(decisions.scores) == len(expected)
    np.testing.assert_allclose(decisions.scores, [score for score, _ in expected], atol=1e-5)
    assert decisions.right.tolist() == [right for _, right in expected]


@pytest.mark.parametrize("rule", RULES)
@given(galleries())
def test_an_identity_that_is_left_out_scores_against_the_others(
    rule: Rule, given_gallery: tuple[list[str], np.ndarray]
) -> None:
    labels, vectors = given_gallery
    tops = tops_without_their_identity(made(labels, vectors), rule)
    for top, label in zip(tops.tolist(), sorted(set(labels)), strict=True):
        first = labels.index(label)
        scores = naive(vectors[first], labels, vectors, rule)
        del scores[label]
        assert top == pytest.approx(max(scores.values(), default=-1.0), abs=1e-5)


def test_known_and_unknown_decisions_have_the_weights_of_the_prior() -> None:
    known = known_decisions(made(["a", "a", "b", "b"], unit(np.eye(4) + 0.1)))
    both = known.joined(unknown_decisions(np.array([0.1, 0.2, 0.3], np.float32)))
    assert both.weights(0.2).tolist() == pytest.approx([0.2] * 4 + [0.2 / 3] * 3)
    assert known.weights(0.2).tolist() == pytest.approx([0.25] * 4)
    assert len(set(both.identities.tolist())) == 5


def test_each_example_is_left_out_with_its_identity() -> None:
    vectors = np.array([[1, 0], [0.8, 0.6], [0, 1], [0.6, 0.8]], np.float32)
    found = left_out_decisions(made([0, 0, 1, 2], vectors))
    assert found.scores.tolist() == pytest.approx([0.6, 0.96, 0.8, 0.96])
    assert found.identities.tolist() == [0, 0, 1, 2]
    assert not (found.known.any() or found.right.any())
    assert len(left_out_decisions(made([0, 0], vectors[:2])).scores) == 0


def test_of_many_examples_some_are_drawn() -> None:
    angles = np.linspace(0, 1, MOST_LEFT_OUT + 50)
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    found = left_out_decisions(made(list(range(len(angles))), vectors))
    assert len(found.scores) == len(set(found.identities.tolist())) == MOST_LEFT_OUT


@given(st.lists(st.integers(0, 4), max_size=12), st.lists(st.integers(0, 4), max_size=5))
def test_more_examples_are_sorted_in(old: list[int], new: list[int]) -> None:
    rows = np.random.default_rng(0).normal(size=(len(old) + len(new), 3)).astype(np.float32)
    examples = [Example(number + 1, f"{label}", "") for number, label in enumerate([*old, *new])]
    before = Gallery.of(examples[: len(old)], rows[: len(old)])
    found, expected = before.with_examples(examples[len(old) :], rows[len(old) :]), Gallery.of(examples, rows)
    assert found.examples == expected.examples
    np.testing.assert_array_equal(found.vectors, expected.vectors)
