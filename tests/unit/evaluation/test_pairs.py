"""Pairs of rows against loops, and the fairness of the sample."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simsearch.errors import UsageError, VectorError
from simsearch.evaluation import pairs as pairs_module
from simsearch.evaluation.pairs import all_pairs, pair_scores, sample_pairs


@pytest.mark.parametrize("n", [0, 1, 2, 3, 17])
def test_all_pairs_come_in_order(n: int) -> None:
    found = all_pairs(n)
    assert found.shape == (n * (n - 1) // 2, 2) and found.dtype == np.int64
    assert found.tolist() == [list(pair) for pair in itertools.combinations(range(n), 2)]


@settings(max_examples=60)
@given(
    st.lists(st.sampled_from("abcd"), min_size=3, max_size=30).filter(lambda row: 1 < len(set(row)) < len(row)),
    st.integers(0, 40),
    st.floats(0, 1),
    st.integers(0, 2**32 - 1),
)
def test_a_sample_has_its_share_of_each_kind(labels: list[str], count: int, share: float, seed: int) -> None:
    drawn = sample_pairs(np.array(labels), count, np.random.default_rng(seed), positive_fraction=share)
    assert drawn.shape == (count, 2) and drawn.dtype == np.int64
    assert all(0 <= left < right < len(labels) for left, right in drawn.tolist())
    same = [labels[left] == labels[right] for left, right in drawn.tolist()]
    positives = math.ceil(count * share)
    assert same == [True] * positives + [False] * (count - positives)


def test_every_pair_of_a_kind_is_equally_likely() -> None:
    labels = np.array([2, 1, 2, 1, 2, 9])
    drawn = sample_pairs(labels, 22_000, np.random.default_rng(5))
    tally = Counter(map(tuple, drawn.tolist()))
    kinds = {True: [], False: []}
    for pair in itertools.combinations(range(6), 2):
        kinds[bool(labels[pair[0]] == labels[pair[1]])].append(tally[pair])
    for counts in kinds.values():
        expected = 11_000 / len(counts)
        # Five standard deviations of a binomial count.
        assert max(abs(count - expected) for count in counts) < 5 * math.sqrt(expected)
    assert (len(kinds[True]), len(kinds[False])) == (4, 11)


def test_a_sample_repeats_with_its_seed() -> None:
    labels = np.arange(100) // 5
    first, again, other = (sample_pairs(labels, 50, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first.tolist() == again.tolist() != other.tolist()


def test_a_sample_of_many_labels_needs_no_square() -> None:
    labels = np.arange(400_000) // 2
    drawn = sample_pairs(labels, 1000, np.random.default_rng(0), positive_fraction=0.25)
    assert (labels[drawn[:, 0]] == labels[drawn[:, 1]]).sum() == 250
    # Rows from everywhere, not only from the first classes.
    assert drawn.min() < 20_000 and drawn.max() > 380_000


def test_a_kind_that_is_not_there_is_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(VectorError, match="no class has two"):
        sample_pairs(np.arange(5), 4, rng)
    with pytest.raises(VectorError, match="all labels are equal"):
        sample_pairs(np.zeros(5), 4, rng)
    with pytest.raises(VectorError, match="no class has two"):
        sample_pairs(np.array([]), 4, rng)
    assert sample_pairs(np.zeros(5), 4, rng, positive_fraction=1.0).shape == (4, 2)
    assert sample_pairs(np.arange(5), 4, rng, positive_fraction=0.0).shape == (4, 2)
    assert sample_pairs(np.array([]), 0, rng).shape == (0, 2)


@pytest.mark.parametrize(("count", "share"), [(-1, 0.5), (4, -0.1), (4, 1.1), (4, float("nan"))])
def test_a_sample_that_makes_no_sense_is_refused(count: int, share: float) -> None:
    with pytest.raises(UsageError, match="share from 0 to 1"):
        sample_pairs(np.array([1, 1, 2]), count, np.random.default_rng(0), positive_fraction=share)


@pytest.mark.parametrize("block", [1, 7, 65_536])
def test_scores_are_cosines_and_truth_is_equal_labels(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs_module, "BLOCK", block)
    vectors = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = np.array(list("aabbbcacb"))
    scores, same = pair_scores(vectors, labels, pairs=None)
    expected = [float(vectors[i].astype(float) @ vectors[j]) for i, j in itertools.combinations(range(9), 2)]
    np.testing.assert_allclose(scores, expected, atol=1e-6)
    assert scores.dtype == np.float32
    assert same.tolist() == [labels[i] == labels[j] for i, j in itertools.combinations(range(9), 2)]
    chosen = np.array([[8, 0], [3, 3]])
    scores, same = pair_scores(vectors, labels, pairs=chosen)
    np.testing.assert_allclose(scores, [vectors[8] @ vectors[0], 1.0], atol=1e-6)
    assert same.tolist() == [False, True]


def test_labels_of_another_length_are_refused() -> None:
    with pytest.raises(VectorError, match="2 vectors but 3 labels"):
        pair_scores(np.eye(2, dtype=np.float32), np.arange(3), pairs=None)
