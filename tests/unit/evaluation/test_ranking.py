"""Retrieval against a naive loop, with ties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simsearch.errors import UsageError, VectorError
from simsearch.evaluation import ranking
from simsearch.evaluation.ranking import recall_at, retrieval

# Products of these rows are exact in float32, so that equal scores are equal.
ROWS = np.array(
    [
        [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1], [-1, 0, 0, 0],
        [0.5, 0.5, 0.5, 0.5], [0.5, 0.5, -0.5, -0.5], [-0.5, 0.5, 0.5, -0.5], [0, 0, 0, 0],
    ],
    dtype=np.float32,
)  # fmt: skip


def naive(vectors: np.ndarray, labels: list[int], ks: tuple[int, ...]) -> dict[str, float]:
    figures: dict[str, list[float]] = {name: [] for name in [*(f"recall@{k}" for k in ks), "map@r", "r_precision"]}
    for query, label in enumerate(labels):
        others = [row for row in range(len(labels)) if row != query]
        relevant = sum(labels[row] == label for row in others)
        if not relevant:
            continue
        others.sort(key=lambda row: (-float(vectors[query] @ vectors[row]), row))
        hits = [labels[row] == label for row in others]
        for k in ks:
            figures[f"recall@{k}"].append(float(any(hits[:k])))
        figures["r_precision"].append(sum(hits[:relevant]) / relevant)
        precisions = [sum(hits[: i + 1]) / (i + 1) for i in range(relevant) if hits[i]]
        figures["map@r"].append(sum(precisions) / relevant)
    return {name: sum(values) / len(values) for name, values in figures.items()}


@settings(max_examples=120)
@given(
    st.lists(st.tuples(st.integers(0, 7), st.integers(0, 3)), min_size=2, max_size=24).filter(
        lambda rows: len({label for _, label in rows}) < len(rows)
    ),
    st.sampled_from([(1,), (1, 5, 10), (3, 2), (100,)]),
    st.sampled_from([1, 3, 1024]),
)
def test_retrieval_is_that_of_a_loop(rows: list[tuple[int, int]], ks: tuple[int, ...], block: int) -> None:
    vectors = ROWS[[row for row, _ in rows]]
    labels = [label for _, label in rows]
    found = retrieval(vectors, np.array(labels), ks=ks, block=block)
    assert found == pytest.approx(naive(vectors, labels, ks))
    assert list(found) == [*(f"recall@{k}" for k in ks), "map@r", "r_precision"]


def test_retrieval_of_real_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(150, 6)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = rng.integers(0, 12, size=150)
    expected = naive(vectors, labels.tolist(), (1, 5, 10))
    assert retrieval(vectors, labels) == pytest.approx(expected)
    # So few cells that each block is one row.
    monkeypatch.setattr(ranking, "CELLS", 10)
    assert retrieval(vectors, labels) == pytest.approx(expected)


def test_classes_far_apart_are_found_whole_and_names_may_be_texts() -> None:
    vectors = np.repeat(np.eye(3, dtype=np.float32), 4, axis=0)
    labels = np.repeat(np.array(["cat", "dog", "eel"]), 4)
    assert set(retrieval(vectors, labels).values()) == {1.0}


def test_figures_of_a_ranking_done_by_hand() -> None:
    angles = np.array([0.0, 0.1, 0.25, 0.45])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    labels = np.array(["a", "a", "alone", "a"])
    # R is 2. Rows 0 and 1 rank hit, miss, hit; row 3 ranks miss, hit, hit; row 2 is not asked.
    expected = {"recall@1": 2 / 3, "recall@2": 1.0, "map@r": (1 / 2 + 1 / 2 + (1 / 2) / 2) / 3, "r_precision": 1 / 2}
    assert retrieval(vectors, labels, ks=(1, 2)) == pytest.approx(expected)


@pytest.mark.parametrize(("cells", "block", "rows"), [(1000, 1024, 33), (10, 1024, 1), (100_000, 8, 8)])
def test_few_scores_are_held_at_once(cells: int, block: int, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    shapes: list[tuple[int, ...]] = []
    real = ranking._falling

    def spy(scores: np.ndarray) -> np.ndarray:
        shapes.append(scores.shape)
        return real(scores)

    monkeypatch.setattr(ranking, "CELLS", cells)
    monkeypatch.setattr(ranking, "_falling", spy)
    retrieval(ROWS[np.arange(30) % 8], np.arange(30) % 3, block=block)
    assert shapes[0] == (rows if rows < 30 else 30, 30)
    assert sum(height for height, _ in shapes) == 30


def test_keys_order_as_scores_do_and_zero_has_no_sign() -> None:
    scores = np.array([1.0, 0.5, 1e-40, 0.0, -1e-40, -0.5, -1.0, -np.inf], dtype=np.float32)
    keys = ranking._falling(scores).astype(np.int64)
    assert (np.diff(keys) > 0).all()
    assert ranking._falling(np.array([-0.0], dtype=np.float32)) == keys[3]


def test_recall_at_counts_rows_with_a_hit() -> None:
    hits = np.array([[0, 0, 1], [1, 0, 0], [0, 0, 0]], dtype=bool)
    assert [recall_at(hits, k) for k in (1, 2, 3, 9)] == pytest.approx([1 / 3, 1 / 3, 2 / 3, 2 / 3])
    with pytest.raises(VectorError, match="k >= 1"):
        recall_at(hits, 0)
    with pytest.raises(VectorError, match="at least one row"):
        recall_at(hits[:0], 1)


def test_what_cannot_be_measured_is_refused() -> None:
    vectors = np.eye(3, dtype=np.float32)
    with pytest.raises(VectorError, match="none of 3 classes has two"):
        retrieval(vectors, np.arange(3))
    with pytest.raises(VectorError, match="3 vectors but labels of shape"):
        retrieval(vectors, np.arange(2))
    for ks, block in (((), 1), ((0,), 1), ((1,), 0)):
        with pytest.raises(UsageError, match="at least 1"):
            retrieval(vectors, np.zeros(3), ks=ks, block=block)
