"""The join finds what the whole matrix of cosines shows, whatever it prunes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simsearch.duplicates.finding import join
from simsearch.duplicates.finding.join import pairs_between, pairs_within
from simsearch.duplicates.finding.pairs import Pairs, strongest
from simsearch.errors import UsageError, VectorError
from simsearch.vectors.arrays import as_vectors


def drawn(count: int, dim: int, seed: int, decay: float = 0.7) -> np.ndarray:
    """Unit rows with a spectrum that falls, a third of them copies of others with little noise."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(count, dim)) * np.arange(1, dim + 1) ** -decay + 0.3 * (np.arange(dim) == 0)
    copies = count // 3
    rows[:copies] = rows[count - copies :] + 0.05 * rng.normal(size=(copies, dim)) / np.sqrt(dim)
    return as_vectors(rows[rng.permutation(count)]) if count else np.empty((0, dim), np.float32)


def expected(left: np.ndarray, right: np.ndarray, threshold: float) -> dict[tuple[int, int], np.float32]:
    scores = np.clip((left.astype(np.float64)[:, None] * right.astype(np.float64)).sum(axis=2), -1, 1)
    scores = scores.astype(np.float32)
    return {(int(i), int(j)): scores[i, j] for i, j in zip(*np.nonzero(scores >= threshold), strict=True)}


def as_found(pairs: Pairs) -> dict[tuple[int, int], np.float32]:
    found = list(zip(pairs.left.tolist(), pairs.right.tolist(), strict=True))
    assert len(set(found)) == len(found)
    return dict(zip(found, pairs.scores, strict=True))


def assert_same(found: dict, wanted: dict, threshold: float) -> None:
    """Sums in another order differ in the last bit: only pairs at the very threshold may."""
    for pair in found.keys() ^ wanted.keys():
        assert abs(found.get(pair, wanted.get(pair)) - threshold) < 1e-6
    for pair in found.keys() & wanted.keys():
        assert found[pair] == pytest.approx(wanted[pair], abs=1e-6)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("STRIP", 8), ("TILE", 16), ("SAMPLE", 32), ("AT_ONCE", 24)):
        monkeypatch.setattr(join, name, value)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 150), st.integers(1, 40), st.integers(0, 2**32 - 1), st.floats(-1, 1), st.floats(0, 2))
def test_all_pairs_are_found_and_no_others(count: int, dim: int, seed: int, threshold: float, decay: float) -> None:
    rows = drawn(count, dim, seed, decay)
    found = as_found(Pairs.joined(pairs_within(rows, threshold, workers=1)))
    wanted = {pair: score for pair, score in expected(rows, rows, threshold).items() if pair[0] < pair[1]}
    assert_same(found, wanted, threshold)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 120), st.integers(0, 120), st.integers(0, 2**32 - 1), st.floats(0.3, 1))
def test_new_rows_against_all_complete_the_pairs(count: int, first: int, seed: int, threshold: float) -> None:
    rows, first = drawn(count, 24, seed), min(first, count)
    before = as_found(Pairs.joined(pairs_within(rows[:first], threshold, workers=1)))
    after = as_found(Pairs.joined(pairs_within(rows, threshold, first=first, workers=1)))
    assert not before.keys() & after.keys()
    assert before | after == as_found(Pairs.joined(pairs_within(rows, threshold, workers=1)))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 100), st.integers(0, 100), st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_pairs_between_two_sets(some: int, others: int, seed: int, threshold: float) -> None:
    rows = drawn(some + others, 20, seed)
    left, right = rows[:some], rows[some:]
    found = as_found(Pairs.joined(pairs_between(left, right, threshold, workers=2)))
    assert_same(found, expected(left, right, threshold), threshold)


def test_bounds_are_used_where_they_save(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(join, "SAMPLE", 256)
    rows = drawn(600, 128, 0, 1.0)
    basis = join._basis(rows, rows, 0.98)
    assert basis is not None and basis.shape[1] < 64
    np.testing.assert_allclose(basis.T @ basis, np.eye(basis.shape[1]), atol=1e-9)
    assert join._basis(rows, rows, -1.0) is None
    assert join._basis(drawn(600, 128, 0, 0.0), rows[:10], 0.98) is None


def test_dense_tiles_and_pruned_tiles_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = drawn(200, 64, 3, 1.0)
    monkeypatch.setattr(join, "_basis", lambda *_: np.linalg.eigh(rows.T.astype(np.float64) @ rows)[1][:, -12:])
    found = {}
    for dense in (0.0, 1.0):
        monkeypatch.setattr(join, "DENSE", dense)
        found[dense] = as_found(Pairs.joined(pairs_within(rows, 0.7)))
    monkeypatch.setattr(join, "_basis", lambda *_: None)
    assert found[0.0] == found[1.0] == as_found(Pairs.joined(pairs_within(rows, 0.7)))


def test_pairs_come_in_order_and_bit_equal_rows_score_one() -> None:
    rows = as_vectors(np.repeat(np.eye(3, 5), 20, axis=0))
    pairs = Pairs.joined(pairs_within(rows, 1.0))
    order = np.lexsort((pairs.right, pairs.left))
    assert len(pairs) == 3 * 190 and (order == np.arange(len(pairs))).all() and (pairs.scores == 1).all()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 60), st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_the_strongest_pairs_are_those_of_the_nearest_of_either_row(count: int, seed: int, most: int) -> None:
    rows = drawn(count, 6, seed)
    pairs = Pairs.joined(pairs_within(rows, 0.2, workers=1))
    nearest: dict[int, list[tuple[float, int, int]]] = {}
    for (left, right), score in as_found(pairs).items():
        nearest.setdefault(left, []).append((-score, right, left))
        nearest.setdefault(right, []).append((-score, left, right))
    wanted = {tuple(sorted(pair[1:])) for some in nearest.values() for pair in sorted(some)[:most]}
    assert as_found(strongest(pairs, most)).keys() == wanted


def test_what_cannot_be_compared_is_refused() -> None:
    rows = drawn(4, 8, 0)
    with pytest.raises(UsageError, match=r"threshold 1\.5"):
        list(pairs_within(rows, 1.5))
    with pytest.raises(UsageError, match="first 5: there are 4 rows"):
        list(pairs_within(rows, 0.5, first=5))
    with pytest.raises(UsageError, match="most 0"):
        strongest(Pairs.none(), 0)
    with pytest.raises(VectorError, match="shapes"):
        list(pairs_between(rows, drawn(4, 9, 0), 0.5))
