"""Episodes: drawn fairly, judged right, repeated by their seed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simsearch.errors import UsageError, VectorError
from simsearch.evaluation import protocols
from simsearch.evaluation.protocols import EpisodeResult, episodes


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def noisy(classes: int, each: int, noise: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), each)
    return unit(rng.normal(size=(classes, 8))[labels] + noise * rng.normal(size=(len(labels), 8))), labels


def test_classes_far_apart_are_never_confused() -> None:
    labels = np.array(["a", "b", "c", "d"])[np.arange(40) % 4]
    vectors = np.eye(4, dtype=np.float32)[np.arange(40) % 4]
    assert episodes(vectors, labels, ways=4, shots=1, queries=9, count=20, seed=0) == EpisodeResult(1.0, 0.0, 20)


def test_equal_vectors_are_worth_a_guess() -> None:
    labels = np.repeat(np.arange(10), 5)
    for vectors in (np.ones((50, 4), dtype=np.float32) / 2, np.zeros((50, 4), dtype=np.float32)):
        result = episodes(vectors, labels, ways=5, shots=2, queries=3, count=50, seed=0)
        assert (result.accuracy, result.half_width) == (pytest.approx(0.2), pytest.approx(0, abs=1e-12))


@pytest.mark.parametrize(("ways", "shots", "queries"), [(2, 1, 1), (5, 3, 2), (7, 4, 6)])
def test_accuracy_is_that_of_a_loop_over_the_drawn_rows(
    ways: int, shots: int, queries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors, labels = noisy(9, 10, 0.8)
    drawn: list[np.ndarray] = []
    real = protocols._draw

    def spy(*arguments: object) -> np.ndarray:
        drawn.append(real(*arguments))  # type: ignore[arg-type]
        return drawn[-1]

    monkeypatch.setattr(protocols, "_draw", spy)
    # Small blocks: the episodes come in several.
    monkeypatch.setattr(protocols, "CELLS", 3 * ways * (shots + queries) * max(8, ways * shots))
    result = episodes(vectors, labels, ways=ways, shots=shots, queries=queries, count=10, seed=3)
    assert [len(rows) for rows in drawn] == [3, 3, 3, 1]
    accuracies = []
    for rows in np.concatenate(drawn):
        right = []
        for own, row in ((way, row) for way in range(ways) for row in rows[way, shots:]):
            scores = []
            for way in range(ways):
                known = vectors[rows[way, :shots]].astype(np.float64)
                centre = known.mean(axis=0)
                scores.append(centre @ vectors[row] / np.linalg.norm(centre))
            right.append(int(np.argmax(scores)) == own)
        accuracies.append(np.mean(right))
    assert result.accuracy == pytest.approx(np.mean(accuracies))
    assert result.half_width == pytest.approx(1.959964 * np.std(accuracies, ddof=1) / np.sqrt(10), abs=1e-6)
    assert result.count == 10
    assert 0.3 < result.accuracy < 1.0


@settings(max_examples=40)
@given(
    st.lists(st.integers(1, 6), min_size=4, max_size=12),
    st.integers(2, 3),
    st.integers(2, 3),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_an_episode_holds_different_rows_of_different_classes_of_one_group(
    sizes: list[int], ways: int, examples: int, grouped: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    groups = labels % 3 if grouped else np.zeros_like(labels)
    able = [label for label, size in enumerate(sizes) if size >= examples]
    per_group = [sum(label % 3 == group for label in able) for group in range(3)] if grouped else [len(able)]
    if max(per_group) < ways:
        with pytest.raises(UsageError, match=f"there are {max(per_group)}"):
            protocols._classes(labels, groups, len(labels), examples, ways)
        return
    classes = protocols._classes(labels, groups if grouped else None, len(labels), examples, ways)
    rows = protocols._draw(np.random.default_rng(seed), classes, 50, ways, examples)
    assert rows.shape == (50, ways, examples)
    for episode in rows:
        assert len(set(episode.ravel().tolist())) == ways * examples
        assert all(len(set(labels[way].tolist())) == 1 for way in episode)
        assert len(set(labels[episode[:, 0]].tolist())) == ways
        assert len(set(groups[episode].ravel().tolist())) == 1
        assert set(labels[episode].ravel().tolist()) <= set(able)


def test_every_class_and_every_example_takes_its_turn() -> None:
    labels = np.repeat(np.arange(6), 5)
    classes = protocols._classes(labels, labels // 3, 30, 2, 2)
    rows = protocols._draw(np.random.default_rng(0), classes, 6000, 2, 2)
    # 24,000 draws over 30 rows: 800 each, with a standard deviation of about 27.
    for place in range(2):
        tally = np.bincount(rows[..., place].ravel(), minlength=30)
        assert tally.sum() == 12_000 and abs(tally - 400).max() < 110


def test_confusing_groups_are_told_apart_only_across_groups() -> None:
    # In a group all classes look alike; between groups they differ.
    labels = np.repeat(np.arange(10), 4)
    groups = np.where(labels < 5, "latin", "greek")
    vectors = np.eye(2, dtype=np.float32)[(labels >= 5).astype(int)]
    within = episodes(vectors, labels, ways=2, shots=1, queries=1, count=200, seed=0, groups=groups)
    across = episodes(vectors, labels, ways=2, shots=1, queries=1, count=200, seed=0)
    assert within.accuracy == 0.5 < across.accuracy


def test_the_seed_decides() -> None:
    vectors, labels = noisy(8, 6, 1.0)
    first, again, other = (
        episodes(vectors, labels, ways=5, shots=1, queries=2, count=30, seed=seed) for seed in (1, 1, 2)
    )
    assert first == again != other


def test_episodes_that_cannot_be_drawn_are_refused() -> None:
    vectors, labels = noisy(4, 3, 0.1)
    with pytest.raises(UsageError, match=r"5 ways need 5 classes with at least 2 examples; there are 4"):
        episodes(vectors, labels, ways=5, shots=1, queries=1, count=5, seed=0)
    with pytest.raises(UsageError, match=r"at least 4 examples; there are 0"):
        episodes(vectors, labels, ways=2, shots=1, queries=3, count=5, seed=0)
    with pytest.raises(UsageError, match=r"in one group; there are 2"):
        episodes(vectors, labels, ways=3, shots=1, queries=1, count=5, seed=0, groups=labels // 2)
    with pytest.raises(UsageError, match="several groups"):
        episodes(vectors, labels, ways=2, shots=1, queries=1, count=5, seed=0, groups=np.arange(12))
    with pytest.raises(VectorError, match="12 vectors but 3 labels"):
        episodes(vectors, labels[:3], ways=2, shots=1, queries=1, count=5, seed=0)
    with pytest.raises(VectorError, match="one group"):
        episodes(vectors, labels, ways=2, shots=1, queries=1, count=5, seed=0, groups=labels[:3])


@pytest.mark.parametrize(
    ("ways", "shots", "queries", "count"), [(1, 1, 1, 5), (2, 0, 1, 5), (2, 1, 0, 5), (2, 1, 1, 1)]
)
def test_episodes_of_nothing_are_refused(ways: int, shots: int, queries: int, count: int) -> None:
    vectors, labels = noisy(4, 3, 0.1)
    with pytest.raises(UsageError, match="give at least"):
        episodes(vectors, labels, ways=ways, shots=shots, queries=queries, count=count, seed=0)
