"""Batches: P classes with K images, half of the given pairs similar, and always the same for a seed and a step."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simsearch.training.sampling import Batch, ClassSampler, PairSampler


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
