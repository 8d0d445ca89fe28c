"""One suite over every VectorIndex: the values are those of a double loop that sums without rounding."""

from __future__ import annotations

import math
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simsearch.errors import DamagedError, UsageError, VectorError
from simsearch.types import VectorIndex
from simsearch.vectors.arrays import as_vectors
from simsearch.vectors.choose import KINDS, load_index, new_index

DIM = 3
TOLERANCE = 1e-6
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
@given(
    queries=grid_rows,
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("add"), grid_rows),
            st.tuples(st.just("remove"), st.lists(st.integers(0, 30), max_size=6)),
        ),
        max_size=6,
    ),
)
def test_after_any_additions_and_removals_every_answer_is_that_of_a_double_loop(
    kind: str, queries: list[list[int]], steps: list[tuple[str, list[object]]]
) -> None:
    index, rows, next_id = new_index(kind, DIM), {}, 0
    asked = as_vectors(queries)
    for step, argument in steps:
        if step == "add":
            vectors = as_vectors(argument)  # type: ignore[arg-type]
            # Descending ids, with gaps.
            ids = np.arange(next_id + 2 * len(vectors), next_id, -2, dtype=np.int64)
            next_id += 2 * len(vectors)
            index.add(ids, vectors)
            rows.update(zip(ids.tolist(), vectors, strict=True))
        else:
            gone = {row_id for row_id in argument if row_id in rows}
            assert index.remove(np.array(argument, dtype=np.int64)) == len(gone)
            rows = {row_id: row for row_id, row in rows.items() if row_id not in gone}
    assert_equal_to(index, rows, asked)
    assert_equal_among(index, rows, asked)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "vectors"
        index.save(path)
        loaded = load_index(kind, path)
    assert loaded.dim == DIM
    assert_equal_to(loaded, rows, asked)


def test_all_kinds_give_the_same_bits_for_many_random_vectors() -> None:
    random = np.random.default_rng(7)
    rows, queries = as_vectors(random.normal(size=(3000, 48))), as_vectors(random.normal(size=(70, 48)))
    indexes = [new_index(kind, 48) for kind in KINDS]
    for index in indexes:
        index.add(np.arange(3000, dtype=np.int64), rows)
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


def test_a_search_among_many_ids_has_the_bits_of_one_among_all(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Small parts, so that the answer is put together from several.
    monkeypatch.setattr("simsearch.vectors.faiss_index.NUMBERS_AT_ONCE", 48 * 100)
    random = np.random.default_rng(7)
    rows, queries = as_vectors(random.normal(size=(1000, 48))), as_vectors(random.normal(size=(20, 48)))
    index, part = new_index(kind, 48), new_index(kind, 48)
    index.add(np.arange(1000, dtype=np.int64), rows)
    among = np.flatnonzero(random.random(1000) < 0.5)
    part.add(among, rows[among])
    for both, alone in zip(index.search(queries, 10, among), part.search(queries, 10), strict=True):
        np.testing.assert_array_equal(both, alone)
    for both, alone in zip(index.range_search(queries, 0.1, among), part.range_search(queries, 0.1), strict=True):
        np.testing.assert_array_equal(both[0], alone[0])
        np.testing.assert_array_equal(both[1], alone[1])
    everything = index.search(queries, 10, np.arange(1000, dtype=np.int64))
    np.testing.assert_array_equal(everything[1], index.search(queries, 10)[1])


def test_ids_to_search_among_that_are_not_ascending_are_refused(kind: str) -> None:
    index = new_index(kind, 2)
    index.add(np.array([5, 9], dtype=np.int64), as_vectors([[1, 0], [0, 1]]))
    for among in ([9, 5], [5, 5]):
        with pytest.raises(VectorError, match="not ascending"):
            index.search(as_vectors([[1, 0]]), 1, np.array(among, dtype=np.int64))
        with pytest.raises(VectorError, match="not ascending"):
            index.range_search(as_vectors([[1, 0]]), 0.0, np.array(among, dtype=np.int64))


def test_a_tie_that_is_longer_than_k_is_cut_by_id(kind: str) -> None:
    index = new_index(kind, 2)
    order = np.random.default_rng(1).permutation(200).astype(np.int64)
    index.add(order, np.tile(as_vectors([[3.0, 4.0]]), (200, 1)))
    index.add(np.array([500], dtype=np.int64), as_vectors([[0.0, 1.0]]))
    ids, scores = index.search(as_vectors([[3.0, 4.0], [0.0, 1.0]]), 5)
    assert ids.tolist() == [[0, 1, 2, 3, 4], [500, 0, 1, 2, 3]]
    np.testing.assert_allclose(scores, [[1.0] * 5, [1.0] + [0.8] * 4], atol=TOLERANCE)


def test_a_score_does_not_depend_on_what_else_is_asked(kind: str) -> None:
    random = np.random.default_rng(3)
    rows, queries = as_vectors(random.normal(size=(1500, 33))), as_vectors(random.normal(size=(64, 33)))
    index = new_index(kind, 33)
    index.add(np.arange(1500, dtype=np.int64), rows)
    _, together = index.search(queries, 20)
    for number in (0, 31, 63):
        _, alone = index.search(queries[number : number + 1], 20)
        np.testing.assert_array_equal(alone[0], together[number])


def test_cosines_stay_within_one(kind: str) -> None:
    # Rounded to float32, the squares of this row add up to more than one.
    rows = as_vectors(np.random.default_rng(0).normal(size=(300, 7)))
    index = new_index(kind, 7)
    index.add(np.arange(300, dtype=np.int64), rows)
    ids, scores = index.search(rows, 1)
    assert (rows.astype(float) ** 2).sum(axis=1).max() > 1.0
    assert scores.max() <= 1.0
    assert scores.min() >= 1.0 - TOLERANCE
    np.testing.assert_array_equal(ids[:, 0], np.arange(300))
    _, opposite = index.search(-rows, 300)
    assert opposite.min() >= -1.0


def test_an_empty_index_answers_with_nothing(kind: str) -> None:
    index = new_index(kind, 4)
    queries = as_vectors(np.eye(4))
    ids, scores = index.search(queries, 3)
    assert scores.shape == ids.shape == (4, 0)
    assert [(len(one), len(other)) for one, other in index.range_search(queries, -1.0)] == [(0, 0)] * 4
    assert index.remove(np.array([1, 2], dtype=np.int64)) == 0
    assert len(index) == 0
    assert index.ids.tolist() == []


def test_no_queries_get_no_answers(kind: str) -> None:
    index = new_index(kind, 4)
    index.add(np.array([3], dtype=np.int64), as_vectors([[1, 0, 0, 0]]))
    none = np.empty((0, 4), dtype=np.float32)
    ids, scores = index.search(none, 3)
    assert scores.shape == ids.shape == (0, 1)
    assert index.range_search(none, 0.0) == []


def test_ids_that_are_there_twice_or_negative_are_refused_and_nothing_is_added(kind: str) -> None:
    index = new_index(kind, 2)
    index.add(np.array([5, 9], dtype=np.int64), as_vectors([[1, 0], [0, 1]]))
    two = as_vectors([[1, 1], [1, 2]])
    for ids, words in (([7, 5], "id 5 is in the index already"), ([7, 7], "id 7"), ([-1, 8], "id -1 is negative")):
        with pytest.raises(VectorError, match=words):
            index.add(np.array(ids, dtype=np.int64), two)
    assert sorted(index.ids.tolist()) == [5, 9]
    index.remove(np.array([5], dtype=np.int64))
    index.add(np.array([5, 7], dtype=np.int64), two)
    assert sorted(index.ids.tolist()) == [5, 7, 9]


def test_wrong_shapes_and_numbers_are_refused(kind: str) -> None:
    index = new_index(kind, 2)
    with pytest.raises(VectorError, match=r"\(2,\) ids for vectors of shape \(1, 2\)"):
        index.add(np.array([1, 2], dtype=np.int64), as_vectors([[1, 0]]))
    with pytest.raises(VectorError, match=r"\(n, 2\)"):
        index.search(as_vectors([[1, 0, 0]]), 1)
    with pytest.raises(VectorError, match="not finite"):
        index.search(np.array([[np.nan, 0]], dtype=np.float32), 1)
    with pytest.raises(UsageError, match="k must be at least 1, not 0"):
        index.search(as_vectors([[1, 0]]), 0)


def test_a_name_in_any_script_can_be_saved_to_and_loaded(kind: str, tmp_path: Path) -> None:
    index = new_index(kind, 2)
    index.add(np.array([4], dtype=np.int64), as_vectors([[3, 4]]))
    path = tmp_path / "фото 写真 é.index"
    index.save(path)
    ids, scores = load_index(kind, path).search(as_vectors([[4, 3]]), 1)
    assert ids.tolist() == [[4]]
    np.testing.assert_allclose(scores, [[0.96]], atol=TOLERANCE)


def test_a_damaged_file_is_told_in_one_line(kind: str, tmp_path: Path) -> None:
    index = new_index(kind, 8)
    index.add(np.arange(100, dtype=np.int64), as_vectors(np.random.default_rng(0).normal(size=(100, 8))))
    path = tmp_path / "vectors"
    index.save(path)
    whole = path.read_bytes()
    for content in (b"", b"hello", whole[: len(whole) // 2], whole[:20]):
        path.write_bytes(content)
        with pytest.raises(DamagedError) as caught:
            load_index(kind, path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_the_file_of_one_kind_is_not_taken_for_another(tmp_path: Path) -> None:
    for kind in KINDS:
        new_index(kind, 2).save(tmp_path / kind)
    for kind in KINDS:
        for other in set(KINDS) - {kind}:
            with pytest.raises(DamagedError):
                load_index(kind, tmp_path / other)


def test_a_query_shape_of_one_row_is_not_flattened(kind: str) -> None:
    index = new_index(kind, 2)
    index.add(np.array([1], dtype=np.int64), as_vectors([[1, 0]]))
    with pytest.raises(VectorError, match=r"shape \(2,\)"):
        index.search(np.array([1, 0], dtype=np.float32), 1)
