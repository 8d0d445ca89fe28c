"""Recognition against a naive loop, with ties, unknowns and blocks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simsearch.errors import UsageError, VectorError
from simsearch.recognition import decide
from simsearch.recognition.decide import recognize
from simsearch.recognition.gallery import Gallery
from simsearch.types import Evidence, Example, Recognition

# Products of these rows are exact in float32, so that equal scores are equal.
ROWS = np.array(
    [
        [1, 0, 0, 0],
        [0, 1, 0, 0],
        [0, 0, 1, 0],
        [-1, 0, 0, 0],
        [0.5, 0.5, 0.5, 0.5],
        [0.5, 0.5, -0.5, -0.5],
        [-0.5, 0.5, 0.5, -0.5],
        [0.5, -0.5, 0.5, 0.5],
    ],
    dtype=np.float32,
)
ANA, BOB = Example(1, "Ana", "ana.jpg"), Example(2, "Bob", "bob.jpg")


def naive(
    query: np.ndarray, examples: tuple[Example, ...], vectors: np.ndarray, threshold: float | None, evidence: int
) -> Recognition:
    scored = [Evidence(float(query @ row), example) for row, example in zip(vectors, examples, strict=True)]
    scored.sort(key=lambda one: (-one.score, one.example.id))
    best: dict[str, Evidence] = {}
    for one in scored:
        best.setdefault(one.example.label, one)
    nearest = list(best.values())
    known = threshold is None or nearest[0].score >= threshold
    return Recognition(
        label=nearest[0].example.label if known else None,
        score=nearest[0].score,
        threshold=threshold,
        runner_up=nearest[1] if len(nearest) > 1 else None,
        evidence=tuple(nearest[:evidence]),
    )


@st.composite
def enrolled(draw: st.DrawFn) -> tuple[tuple[Example, ...], np.ndarray]:
    count = draw(st.integers(1, 16))
    ids = draw(st.lists(st.integers(1, 2**60), min_size=count, max_size=count, unique=True))
    labels = draw(st.lists(st.sampled_from(["Ana", "Bob", "Cy", "ana", "Ána"]), min_size=count, max_size=count))
    rows = draw(st.lists(st.integers(0, 7), min_size=count, max_size=count))
    return tuple(Example(i, label, f"{i}.jpg") for i, label in zip(ids, labels, strict=True)), ROWS[rows]


@settings(max_examples=150)
@given(
    enrolled(),
    st.lists(st.integers(0, 7), max_size=6),
    st.sampled_from([None, -1.0, 0.0, 0.5, 0.6, 1.0]),
    st.integers(1, 6),
)
def test_recognition_is_that_of_a_loop(
    gallery: tuple[tuple[Example, ...], np.ndarray], asked: list[int], threshold: float | None, evidence: int
) -> None:
    examples, vectors = gallery
    found = recognize(ROWS[asked], Gallery.of(examples, vectors), threshold=threshold, evidence=evidence)
    assert found == [naive(query, examples, vectors, threshold, evidence) for query in ROWS[asked]]


@pytest.mark.parametrize(("cells", "rows"), [(1, 1), (60, 2), (1 << 20, 40)])
def test_blocks_bound_memory_and_change_nothing(cells: int, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    heights: list[int] = []
    real = Gallery.scores

    def spy(self: Gallery, queries: np.ndarray, *others: Any) -> Any:
        heights.append(len(queries))
        return real(self, queries, *others)

    monkeypatch.setattr(decide, "CELLS", cells)
    monkeypatch.setattr(Gallery, "scores", spy)
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(40, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    examples = tuple(Example(100 - i, f"name {i % 7}", f"{i}.jpg") for i in range(30))
    found = recognize(vectors, Gallery.of(examples, vectors[:30]), threshold=0.9, evidence=2)
    assert [answer.label for answer in found[:30]] == [f"name {i % 7}" for i in range(30)]
    assert heights == [rows] * (40 // rows)
    for query, answer in zip(vectors, found, strict=True):
        expected = naive(query, examples, vectors[:30], 0.9, 2)
        assert [one.example for one in answer.evidence] == [one.example for one in expected.evidence]
        assert answer.score == pytest.approx(expected.score, abs=1e-6)
        assert answer.label == expected.label


def test_the_threshold_itself_is_enough_and_the_next_number_is_not() -> None:
    query = np.array([[0.6, 0.8]], dtype=np.float32)
    gallery = np.eye(2, dtype=np.float32)
    score = float(np.float32(0.8))
    (at,) = recognize(query, Gallery.of((ANA, BOB), gallery), threshold=score)
    (above,) = recognize(query, Gallery.of((ANA, BOB), gallery), threshold=np.nextafter(score, 1))
    assert (at.label, above.label) == ("Bob", None)
    assert above.evidence == at.evidence and above.runner_up == at.runner_up
    assert (at.score, at.runner_up) == (score, Evidence(float(np.float32(0.6)), ANA))


def test_a_threshold_that_is_no_number_accepts_nobody() -> None:
    (answer,) = recognize(ROWS[:1], Gallery.of((ANA,), ROWS[:1]), threshold=float("nan"))
    assert answer.label is None


def test_one_identity_has_no_runner_up_however_many_examples() -> None:
    examples = (ANA, Example(2, "Ana", "ana2.jpg"))
    (answer,) = recognize(ROWS[1:2], Gallery.of(examples, ROWS[:2]), threshold=None)
    assert answer == Recognition("Ana", 1.0, None, None, (Evidence(1.0, examples[1]),))


def test_a_score_is_never_above_one() -> None:
    long = np.array([[1.0000001, 0.0]], dtype=np.float32)
    (answer,) = recognize(long, Gallery.of((ANA,), long), threshold=1.0)
    assert (answer.label, answer.score) == ("Ana", 1.0)


def test_no_questions_no_answers() -> None:
    assert recognize(ROWS[:0], Gallery.of((ANA,), ROWS[:1]), threshold=0.5) == []


def test_what_cannot_be_answered_is_refused() -> None:
    with pytest.raises(UsageError, match="simsearch enroll"):
        recognize(ROWS[:1], Gallery.of((), ROWS[:0]), threshold=0.5)
    with pytest.raises(UsageError, match="evidence is 0"):
        recognize(ROWS[:1], Gallery.of((ANA,), ROWS[:1]), threshold=0.5, evidence=0)
    with pytest.raises(VectorError, match="2 examples but vectors of shape"):
        Gallery.of((ANA, BOB), ROWS[:1])
    with pytest.raises(VectorError, match=r"queries of shape \(1, 3\) against examples of dimension 4"):
        recognize(ROWS[:1, :3], Gallery.of((ANA,), ROWS[:1]), threshold=0.5)
