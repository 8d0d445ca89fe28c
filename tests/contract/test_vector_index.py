"""One suite over every VectorIndex: the values are those of a double loop that sums without rounding."""

from __future__ import annotations

import math
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simsearch.errors import UsageError, VectorError
from simsearch.types import VectorIndex
from simsearch.vectors.arrays import as_vectors
from simsearch.vectors.exact import ExactIndex
from simsearch.vectors.faiss_index import FaissFlatIndex
from simsearch.vectors.files import open_rows, write_rows
from simsearch.vectors.layered import LayeredIndex

DIM = 3
TOLERANCE = 1e-6
KINDS = ("exact", "flat", "mapped", "layered")


def made(kind: str, ids: object, rows: np.ndarray, folder: Path) -> VectorIndex:
    """An index of a kind over rows. One in layers has them in a mapped file, beside it, and some that are removed."""
    numbers = np.asarray(ids, dtype=np.int64)
    if kind == "exact":
        return ExactIndex.over(numbers, rows)
    if kind == "flat":
        return FaissFlatIndex.over(numbers, rows)
    order = np.argsort(numbers)
    numbers, rows = numbers[order], rows[order]
    if kind == "mapped":
        return LayeredIndex(written(numbers, rows, folder))
    half = len(numbers) // 2
    gone = np.setdiff1d(np.arange(-9, 0), numbers)
    # Removed rows are like those that are there, so that they come first.
    removed = rows[np.arange(len(gone)) % len(rows)] if len(rows) else as_vectors(np.eye(9, rows.shape[1]) + 1)
    main = written(np.concatenate([gone, numbers[:half]]), np.concatenate([removed, rows[:half]]), folder)
    return LayeredIndex(main, FaissFlatIndex.over(numbers[half:], rows[half:]), gone)


def written(ids: np.ndarray, rows: np.ndarray, folder: Path) -> FaissFlatIndex:
    paths = (folder / f"{len(list(folder.iterdir()))} 写真 é.npy", folder / f"{len(list(folder.iterdir()))} ids.npy")
    write_rows(*paths, rows.shape[1], len(rows), [(ids, rows)])
    return open_rows(*paths)


# On such a small grid many directions coincide and many scores tie.
grid_row = st.lists(st.integers(-1, 2), min_size=DIM, max_size=DIM).filter(any)
grid_rows = st.lists(grid_row, min_size=1, max_size=12)


def naive_scores(query: np.ndarray, rows: dict[int, np.ndarray]) -> dict[int, float]:
    """The cosine of the query and each row: products of float32 numbers are exact in float64, and so is fsum."""
    scores = {}
    for row_id, row in rows.items():
        total = math.fsum(float(a) * float(b) for a, b in zip(query, row, strict=True))
        scores[row_id] = float(np.float32(min(1.0, max(-1.0, total))))
    return scores


def assert_answer(scores: np.ndarray, ids: np.ndarray, expected: dict[int, float], count: int) -> None:
    """The answer has the `count` best of what is expected, best first, equal scores by rising id."""
    assert scores.dtype == np.float32
    assert ids.dtype == np.int64
    assert len(set(ids.tolist())) == len(ids) == len(scores) == count
    np.testing.assert_allclose(scores, [expected[row_id] for row_id in ids.tolist()], rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(scores, sorted(expected.values(), reverse=True)[:count], rtol=0, atol=TOLERANCE)
    pairs = list(zip((-scores).tolist(), ids.tolist(), strict=True))
    assert pairs == sorted(pairs)
    left_out = [row_id for row_id in expected if row_id not in set(ids.tolist())]
    for row_id in left_out:
        # What is left out is worse than the last that is there, or as good and with a larger id.
        assert not count or expected[row_id] < scores[-1] + TOLERANCE
        same = [other for other in ids.tolist() if expected[other] == expected[row_id] == float(scores[-1])]
        assert all(other < row_id for other in same)


def assert_equal_to(index: VectorIndex, rows: dict[int, np.ndarray], queries: np.ndarray) -> None:
    assert len(index) == len(rows)
    assert sorted(index.ids.tolist()) == sorted(rows)
    for k in (1, 2, len(rows), len(rows) + 3):
        if k < 1:
            continue
        ids, scores = index.search(queries, k)
        assert scores.shape == ids.shape == (len(queries), min(k, len(rows)))
        for number, query in enumerate(queries):
            assert_answer(scores[number], ids[number], naive_scores(query, rows), min(k, len(rows)))
    for min_score in (-1.0, 0.1, 0.55, 0.9999):
        answers = index.range_search(queries, min_score)
        assert len(answers) == len(queries)
        for query, (found_ids, found_scores) in zip(queries, answers, strict=True):
            expected = naive_scores(query, rows)
            near = {row_id for row_id, score in expected.items() if score >= min_score}
            assert set(found_ids.tolist()) == near
            assert_answer(found_scores, found_ids, {row_id: expected[row_id] for row_id in near}, len(near))


def assert_equal_among(index: VectorIndex, rows: dict[int, np.ndarray], queries: np.ndarray) -> None:
    """The same of a part of the ids, with some that are not there: those at even places, the first, and none."""
    known = sorted(rows)
    for ids in (known[::2], known[:1], []):
        among = np.array(sorted({*ids, 1_000_001}), dtype=np.int64)
        chosen = {row_id: rows[row_id] for row_id in ids}
        for k in (1, 2, len(rows) + 3):
            found, scores = index.search(queries, k, among)
            assert scores.shape == found.shape == (len(queries), min(k, len(ids)))
            for number, query in enumerate(queries):
                assert_answer(scores[number], found[number], naive_scores(query, chosen), min(k, len(ids)))
        answers = index.range_search(queries, 0.1, among)
        assert len(answers) == len(queries)
        for query, (near, near_scores) in zip(queries, answers, strict=True):
            expected = {row_id: score for row_id, score in naive_scores(query, chosen).items() if score >= 0.1}
            assert set(near.tolist()) == set(expected)
            assert_answer(near_scores, near, expected, len(expected))


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, deadline=None)
@given(queries=grid_rows, given_rows=st.lists(grid_row, max_size=14), random=st.randoms(use_true_random=False))
def test_every_answer_is_that_of_a_double_loop(
    kind: str, queries: list[list[int]], given_rows: list[list[int]], random: Random
) -> None:
    vectors = as_vectors(given_rows) if given_rows else np.empty((0, DIM), dtype=np.float32)
    # In any order, with gaps.
    ids = random.sample(range(3 * len(vectors)), len(vectors))
    with TemporaryDirectory() as folder:
        index = made(kind, ids, vectors, Path(folder))
        rows = dict(zip(ids, vectors, strict=True))
        assert index.dim == DIM
        assert_equal_to(index, rows, as_vectors(queries))
        assert_equal_among(index, rows, as_vectors(queries))


def test_all_kinds_give_the_same_bits_for_many_random_vectors(tmp_path: Path) -> None:
    random = np.random.default_rng(7)
    rows, queries = as_vectors(random.normal(size=(3000, 48))), as_vectors(random.normal(size=(70, 48)))
    indexes = [made(kind, np.arange(3000), rows, tmp_path) for kind in KINDS]
    for k in (1, 10, 3000):
        (ids, scores), *others = [index.search(queries, k) for index in indexes]
        for other_ids, other_scores in others:
            np.testing.assert_array_equal(scores, other_scores)
            np.testing.assert_array_equal(ids, other_ids)
    (near, *_), *other_near = [index.range_search(queries, 0.2) for index in indexes]
    for other in other_near:
        np.testing.assert_array_equal(near[0], other[0][0])
        np.testing.assert_array_equal(near[1], other[0][1])
    np.testing.assert_allclose(
        indexes[0].search(queries, 1)[1][:, 0], (queries.astype(float) @ rows.astype(float).T).max(axis=1), atol=1e-6
    )


def test_a_search_among_many_ids_has_the_bits_of_one_among_all(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Small parts, so that the answer is put together from several.
    monkeypatch.setattr("simsearch.vectors.faiss_index.NUMBERS_AT_ONCE", 48 * 100)
    random = np.random.default_rng(7)
    rows, queries = as_vectors(random.normal(size=(1000, 48))), as_vectors(random.normal(size=(20, 48)))
    index = made(kind, np.arange(1000), rows, tmp_path)
    among = np.flatnonzero(random.random(1000) < 0.5)
    part = made(kind, among, rows[among], tmp_path)
    for both, alone in zip(index.search(queries, 10, among), part.search(queries, 10), strict=True):
        np.testing.assert_array_equal(both, alone)
    for both, alone in zip(index.range_search(queries, 0.1, among), part.range_search(queries, 0.1), strict=True):
        np.testing.assert_array_equal(both[0], alone[0])
        np.testing.assert_array_equal(both[1], alone[1])
    everything = index.search(queries, 10, np.arange(1000, dtype=np.int64))
    np.testing.assert_array_equal(everything[1], index.search(queries, 10)[1])


def test_ids_to_search_among_that_are_not_ascending_are_refused(kind: str, tmp_path: Path) -> None:
    index = made(kind, [5, 9], as_vectors([[1, 0], [0, 1]]), tmp_path)
    for among in ([9, 5], [5, 5]):
        with pytest.raises(VectorError, match="not ascending"):
            index.search(as_vectors([[1, 0]]), 1, np.array(among, dtype=np.int64))
        with pytest.raises(VectorError, match="not ascending"):
            index.range_search(as_vectors([[1, 0]]), 0.0, np.array(among, dtype=np.int64))


def test_a_tie_that_is_longer_than_k_is_cut_by_id(kind: str, tmp_path: Path) -> None:
    order = np.random.default_rng(1).permutation(200)
    index = made(kind, [*order, 500], as_vectors([*[[3.0, 4.0]] * 200, [0.0, 1.0]]), tmp_path)
    ids, scores = index.search(as_vectors([[3.0, 4.0], [0.0, 1.0]]), 5)
    assert ids.tolist() == [[0, 1, 2, 3, 4], [500, 0, 1, 2, 3]]
    np.testing.assert_allclose(scores, [[1.0] * 5, [1.0] + [0.8] * 4], atol=TOLERANCE)


def test_a_score_does_not_depend_on_what_else_is_asked(kind: str, tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    rows, queries = as_vectors(random.normal(size=(1500, 33))), as_vectors(random.normal(size=(64, 33)))
    index = made(kind, np.arange(1500), rows, tmp_path)
    _, together = index.search(queries, 20)
    for number in (0, 31, 63):
        _, alone = index.search(queries[number : number + 1], 20)
        np.testing.assert_array_equal(alone[0], together[number])


def test_cosines_stay_within_one(kind: str, tmp_path: Path) -> None:
    # Rounded to float32, the squares of this row add up to more than one.
    rows = as_vectors(np.random.default_rng(0).normal(size=(300, 7)))
    index = made(kind, np.arange(300), rows, tmp_path)
    ids, scores = index.search(rows, 1)
    assert (rows.astype(float) ** 2).sum(axis=1).max() > 1.0
    assert scores.max() <= 1.0
    assert scores.min() >= 1.0 - TOLERANCE
    np.testing.assert_array_equal(ids[:, 0], np.arange(300))
    _, opposite = index.search(-rows, 300)
    assert opposite.min() >= -1.0


def test_an_empty_index_answers_with_nothing(kind: str, tmp_path: Path) -> None:
    index = made(kind, [], np.empty((0, 4), dtype=np.float32), tmp_path)
    queries = as_vectors(np.eye(4))
    ids, scores = index.search(queries, 3)
    assert scores.shape == ids.shape == (4, 0)
    assert [(len(one), len(other)) for one, other in index.range_search(queries, -1.0)] == [(0, 0)] * 4
    assert len(index) == 0
    assert index.ids.tolist() == []


def test_no_queries_get_no_answers(kind: str, tmp_path: Path) -> None:
    index = made(kind, [3], as_vectors([[1, 0, 0, 0]]), tmp_path)
    none = np.empty((0, 4), dtype=np.float32)
    ids, scores = index.search(none, 3)
    assert scores.shape == ids.shape == (0, 1)
    assert index.range_search(none, 0.0) == []


def test_wrong_shapes_and_numbers_are_refused(kind: str, tmp_path: Path) -> None:
    index = made(kind, [1], as_vectors([[1, 0]]), tmp_path)
    with pytest.raises(VectorError, match=r"\(n, 2\)"):
        index.search(as_vectors([[1, 0, 0]]), 1)
    with pytest.raises(VectorError, match="not finite"):
        index.search(np.array([[np.nan, 0]], dtype=np.float32), 1)
    with pytest.raises(UsageError, match="k must be at least 1, not 0"):
        index.search(as_vectors([[1, 0]]), 0)


def test_a_query_shape_of_one_row_is_not_flattened(kind: str, tmp_path: Path) -> None:
    index = made(kind, [1], as_vectors([[1, 0]]), tmp_path)
    with pytest.raises(VectorError, match=r"shape \(2,\)"):
        index.search(np.array([1, 0], dtype=np.float32), 1)
