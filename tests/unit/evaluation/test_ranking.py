"""Retrieval against a naive loop, with ties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from simsearch.errors import UsageError, VectorError
from simsearch.evaluation import ranking
from simsearch.evaluation.ranking import neighbors, rank_queries, retrieval
from simsearch.progress import Silent

# Products of these rows are exact in float32, so that equal scores are equal.
ROWS = np.array(
    [
        [1, 0, 0, 0],
        [0, 1, 0, 0],
        [0, 0, 0, 1],
        [-1, 0, 0, 0],
        [0.5, 0.5, 0.5, 0.5],
        [0.5, 0.5, -0.5, -0.5],
        [-0.5, 0.5, 0.5, -0.5],
        [0, 0, 0, 0],
    ],
    dtype=np.float32,
)


def names(ks: tuple[int, ...]) -> list[str]:
    return [*(f"recall@{k}" for k in ks), "map@r", "r_precision", "mrr", f"ndcg@{max(ks)}"]


def naive(vectors: np.ndarray, labels: list[int], ks: tuple[int, ...]) -> dict[str, float]:
    figures: dict[str, list[float]] = {name: [] for name in names(ks)}
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
        figures["mrr"].append(1 / (hits.index(True) + 1))
        gains = [hit / np.log2(place + 2) for place, hit in enumerate(hits[: max(ks)])]
        figures[f"ndcg@{max(ks)}"].append(sum(gains) / sum(1 / np.log2(p + 2) for p in range(min(max(ks), relevant))))
        precisions = [sum(hits[: i + 1]) / (i + 1) for i in range(relevant) if hits[i]]
        figures["map@r"].append(sum(precisions) / relevant)
    return {name: sum(values) / len(values) for name, values in figures.items()}


@settings(max_examples=60, deadline=None)
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
    assert list(found) == names(ks)


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
    second = 1 / np.log2(3)
    expected = {
        "recall@1": 2 / 3,
        "recall@2": 1.0,
        "map@r": (1 / 2 + 1 / 2 + (1 / 2) / 2) / 3,
        "r_precision": 1 / 2,
        "mrr": (1 + 1 + 1 / 2) / 3,
        "ndcg@2": (1 + 1 + second) / (1 + second) / 3,
    }
    assert retrieval(vectors, labels, ks=(1, 2)) == pytest.approx(expected)


@pytest.mark.parametrize(("cells", "block", "rows"), [(1000, 1024, 33), (10, 1024, 1), (100_000, 8, 8)])
def test_few_scores_are_held_at_once(cells: int, block: int, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    shapes: list[tuple[int, ...]] = []
    real = ranking._best

    def spy(scores: np.ndarray, ranks: int) -> np.ndarray:
        shapes.append(scores.shape)
        return real(scores, ranks)

    monkeypatch.setattr(ranking, "CELLS", cells)
    monkeypatch.setattr(ranking, "_best", spy)
    retrieval(ROWS[np.arange(30) % 8], np.arange(30) % 3, block=block)
    assert shapes[0] == (rows if rows < 30 else 30, 30)
    assert sum(height for height, _ in shapes) == 30


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.sampled_from([1, 2, 3, 20, 10_000]), st.integers(1, 40))
def test_the_best_are_those_of_a_stable_sort(seed: int, width: int, levels: int, ranks: int) -> None:
    """With few levels nearly all scores tie, with many hardly any; sorted rows make the sample a bad guess."""
    rng = np.random.default_rng(seed)
    scores = (rng.integers(-levels, levels + 1, size=(6, 16 * width)) / levels).astype(np.float32)
    scores[2].sort()
    scores[3] = scores[3, np.argsort(-scores[3])]
    scores[4, ::16] = 1.0
    scores[5, ::16] = -1.0
    scores[0, rng.integers(16 * width)] = -np.inf
    scores[1][scores[1] == 0] = -0.0
    ranks = min(ranks, 16 * width - 1)
    expected = np.argsort(-scores, axis=1, kind="stable")[:, :ranks]
    np.testing.assert_array_equal(ranking._best(scores.copy(), ranks), expected)


def test_neighbors_are_those_of_a_loop() -> None:
    rng = np.random.default_rng(1)
    vectors = ROWS[rng.integers(0, 8, size=60)]
    rows = np.array([59, 3, 17])
    for row, found in zip(rows, neighbors(vectors, rows, 5), strict=True):
        others = sorted(set(range(60)) - {row}, key=lambda other: (-float(vectors[row] @ vectors[other]), other))
        assert found.tolist() == others[:5]
    assert neighbors(vectors, rows, 100).shape == (3, 59)


def test_each_query_has_its_figures_and_its_best_answer() -> None:
    rng = np.random.default_rng(2)
    vectors, labels = ROWS[rng.integers(0, 8, size=40)], rng.integers(0, 30, size=40)
    ranked = rank_queries(vectors, labels, (1, 3))
    counts = np.bincount(labels)
    assert ranked.rows.tolist() == [row for row in range(40) if counts[labels[row]] > 1]
    assert ranked.best.tolist() == neighbors(vectors, ranked.rows, 1)[:, 0].tolist()
    assert ranked.values[:, 0].tolist() == (labels[ranked.best] == labels[ranked.rows]).tolist()
    assert ranked.means() == retrieval(vectors, labels, (1, 3))


def test_ndcg_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(3)
    vectors = rng.normal(size=(60, 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = rng.integers(0, 6, size=60)
    ranked = rank_queries(vectors, labels, (10,))
    for row, value in zip(ranked.rows, ranked.values[:, ranked.names.index("ndcg@10")], strict=True):
        others = np.delete(np.arange(60), row)
        truth = (labels[others] == labels[row])[None].astype(float)
        assert value == pytest.approx(ndcg_score(truth, (vectors[others] @ vectors[row])[None], k=10))


def test_progress_counts_each_query() -> None:
    class Counting(Silent):
        seen = 0

        def advance(self, n: int = 1) -> None:
            self.seen += n

    counting = Counting()
    rank_queries(ROWS[np.arange(30) % 8], np.arange(30) % 3, block=7, progress=counting)
    assert counting.seen == 30


def test_what_cannot_be_measured_is_refused() -> None:
    vectors = np.eye(3, dtype=np.float32)
    with pytest.raises(VectorError, match="none of 3 classes has two"):
        retrieval(vectors, np.arange(3))
    with pytest.raises(VectorError, match="3 vectors but labels of shape"):
        retrieval(vectors, np.arange(2))
    with pytest.raises(VectorError, match="not finite"):
        retrieval(np.array([[1, 0], [np.nan, 0]], dtype=np.float32), np.zeros(2))
    for ks, block in (((), 1), ((0,), 1), ((1,), 0)):
        with pytest.raises(UsageError, match="at least 1"):
            retrieval(vectors, np.zeros(3), ks=ks, block=block)
