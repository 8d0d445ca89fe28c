"""Batches: P classes with K images, half of the given pairs similar, and always the same for a seed and a step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simsearch.training.data.sampling import (
    Batch,
    ClassSampler,
    GradedSampler,
    PairSampler,
    TripletSampler,
    ViewSampler,
)


def class_sampler(labels: list[int], *, classes: int = 3, images: int = 2, seed: int = 0) -> ClassSampler:
    """A sampler whose row of position i is 100 + 7 i."""
    numbers = np.array(labels, dtype=np.int64)
    rows = 100 + 7 * np.arange(len(labels), dtype=np.int64)
    return ClassSampler(numbers, rows=rows, classes=classes, images=images, seed=seed)


def labels_of(batch: Batch) -> list[int]:
    assert batch.labels is not None
    return [int(label) for label in batch.labels]


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 6), min_size=1, max_size=6),
    classes=st.integers(1, 8),
    images=st.integers(1, 5),
    seed=st.integers(0, 9),
    step=st.integers(0, 10_000),
)
def test_a_batch_has_p_classes_with_k_images_none_twice(
    sizes: list[int], classes: int, images: int, seed: int, step: int
) -> None:
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes)).tolist()
    batch = class_sampler(labels, classes=classes, images=images, seed=seed).batch(step)
    found = labels_of(batch)
    count = Counter(found)
    assert len(count) == min(classes, len(sizes))
    several = sum(size > 1 for size in sizes)
    single = sum(sizes[label] == 1 for label in count)
    assert single == min(len(sizes) - several, max(classes // 4, classes - several))
    assert all(number == min(images, sizes[label]) for label, number in count.items())
    assert len(set(batch.rows.tolist())) == len(batch.rows)
    assert [labels[(row - 100) // 7] for row in batch.rows.tolist()] == found
    assert batch.pairs is None
    assert batch.same is None


def test_a_batch_is_a_function_of_seed_and_step() -> None:
    labels = [0, 1, 2, 3] * 6
    one, again = class_sampler(labels, seed=5), class_sampler(labels, seed=5)
    forward = [one.batch(step).rows.tolist() for step in range(5)]
    backward = [again.batch(step).rows.tolist() for step in reversed(range(5))]
    assert forward == backward[::-1]
    assert len({tuple(images) for images in forward}) > 1
    assert class_sampler(labels, seed=6).batch(0).rows.tolist() != forward[0]


def test_every_image_of_every_class_comes_up() -> None:
    sampler = class_sampler([0, 1, 2, 3] * 4)
    seen = {row for step in range(100) for row in sampler.batch(step).rows.tolist()}
    assert seen == {100 + 7 * position for position in range(16)}


PAIRS = [(10, 11), (11, 12), (10, 20), (12, 30), (40, 41), (11, 40), (10, 12), (20, 30)]
SAME = [True, True, False, False, True, False, True, False]


def pair_sampler(count: int, seed: int = 0) -> PairSampler:
    return PairSampler(np.array(PAIRS, dtype=np.int64), np.array(SAME), count=count, seed=seed)


def pairs_of(batch: Batch) -> list[tuple[int, int]]:
    assert batch.pairs is not None
    return [(int(batch.rows[left]), int(batch.rows[right])) for left, right in batch.pairs]


@pytest.mark.parametrize("count", [2, 4, 6])
@pytest.mark.parametrize("step", [0, 1, 17])
def test_half_of_the_pairs_are_similar_and_each_is_one_of_the_given(count: int, step: int) -> None:
    batch = pair_sampler(count).batch(step)
    pairs = pairs_of(batch)
    truth = dict(zip(PAIRS, SAME, strict=True))
    assert batch.same is not None
    assert len(pairs) == len(set(pairs)) == count
    assert batch.same.tolist() == [truth[pair] for pair in pairs]
    assert batch.same.sum() == count // 2
    assert batch.labels is None


def test_an_image_in_several_pairs_is_encoded_once() -> None:
    batch = pair_sampler(100).batch(0)
    assert sorted(pairs_of(batch)) == sorted(PAIRS)
    assert batch.rows.tolist() == [10, 11, 12, 20, 30, 40, 41]


def test_a_pair_batch_is_a_function_of_seed_and_step() -> None:
    one, again = pair_sampler(4, seed=3), pair_sampler(4, seed=3)
    batches = [pairs_of(one.batch(step)) for step in range(8)]
    assert [pairs_of(again.batch(step)) for step in reversed(range(8))] == batches[::-1]
    assert len({tuple(batch) for batch in batches}) > 1
    assert [pairs_of(pair_sampler(4, seed=4).batch(step)) for step in range(8)] != batches


def test_the_smallest_batch_has_a_pair_of_each_kind() -> None:
    batch = pair_sampler(1).batch(0)
    assert batch.same is not None
    assert batch.same.tolist() == [True, False]


GRADES = [0.0, 0.9, 0.25, 0.5, 1.0, 0.1, 0.75, 0.3]
TRIPLETS = [(10, 11, 20), (11, 10, 30), (12, 10, 40), (20, 21, 10), (30, 31, 12), (10, 12, 30)]


def graded_sampler(count: int, seed: int = 0) -> GradedSampler:
    return GradedSampler(np.array(PAIRS), np.array(GRADES, dtype=np.float32), count=count, seed=seed)


def triplet_sampler(count: int, seed: int = 0) -> TripletSampler:
    return TripletSampler(np.array(TRIPLETS), count=count, seed=seed)


def triplets_of(batch: Batch) -> list[tuple[int, ...]]:
    assert batch.triplets is not None
    return [tuple(int(batch.rows[place]) for place in triplet) for triplet in batch.triplets]


@pytest.mark.parametrize("count", [1, 3, 100])
def test_each_pair_comes_with_its_grade_and_none_twice(count: int) -> None:
    truth = dict(zip(PAIRS, GRADES, strict=True))
    seen = set()
    for step in range(30):
        batch = graded_sampler(count).batch(step)
        pairs = pairs_of(batch)
        assert len(pairs) == len(set(pairs)) == min(count, len(PAIRS))
        assert batch.scores is not None
        np.testing.assert_allclose(batch.scores, [truth[pair] for pair in pairs])
        assert (
            sorted(set(batch.rows.tolist())) == batch.rows.tolist() == sorted({row for pair in pairs for row in pair})
        )
        assert batch.same is batch.labels is batch.triplets is None
        seen |= set(pairs)
    assert seen == set(PAIRS)


@pytest.mark.parametrize("count", [1, 4, 100])
def test_each_triplet_keeps_its_order_and_none_comes_twice(count: int) -> None:
    seen = set()
    for step in range(30):
        batch = triplet_sampler(count).batch(step)
        found = triplets_of(batch)
        assert len(found) == len(set(found)) == min(count, len(TRIPLETS))
        assert set(found) <= set(TRIPLETS)
        assert batch.rows.tolist() == sorted({row for triplet in found for row in triplet})
        assert batch.pairs is batch.labels is batch.scores is None
        seen |= set(found)
    assert seen == set(TRIPLETS)


@settings(max_examples=60, deadline=None)
@given(
    neighbours=st.lists(st.booleans(), min_size=1, max_size=12),
    count=st.integers(1, 15),
    step=st.integers(0, 1_000),
    given_neighbours=st.booleans(),
)
def test_each_row_comes_twice_or_with_its_neighbour(
    neighbours: list[bool], count: int, step: int, given_neighbours: bool
) -> None:
    rows = 100 + 7 * np.arange(len(neighbours))
    following = np.where(neighbours, rows + 7, -1)
    sampler = ViewSampler(rows, count=count, seed=0, next_rows=following if given_neighbours else None)
    batch = sampler.batch(step)
    half = min(count, len(rows))
    first, second = batch.rows[:half].tolist(), batch.rows[half:].tolist()
    other = dict(zip(rows.tolist(), following.tolist(), strict=True)) if given_neighbours else {}
    assert len(set(first)) == len(first) == len(second)
    assert set(first) <= set(rows.tolist())
    assert second == [other.get(row, -1) if other.get(row, -1) >= 0 else row for row in first]
    assert labels_of(batch) == first + first


@pytest.mark.parametrize("make", [graded_sampler, triplet_sampler])
def test_batches_of_grades_and_triplets_are_functions_of_seed_and_step(
    make: Callable[..., GradedSampler | TripletSampler],
) -> None:
    one, again, other = make(3, seed=3), make(3, seed=3), make(3, seed=4)
    batches = [one.batch(step).rows.tolist() for step in range(8)]
    assert [again.batch(step).rows.tolist() for step in reversed(range(8))] == batches[::-1]
    assert [other.batch(step).rows.tolist() for step in range(8)] != batches


def test_batches_of_views_are_functions_of_seed_and_step() -> None:
    one, again, other = (ViewSampler(np.arange(20), count=4, seed=seed) for seed in (3, 3, 4))
    batches = [one.batch(step).rows.tolist() for step in range(8)]
    assert [again.batch(step).rows.tolist() for step in reversed(range(8))] == batches[::-1]
    assert [other.batch(step).rows.tolist() for step in range(8)] != batches
