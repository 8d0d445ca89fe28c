from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np
import pytest

from simsearch.errors import DamagedError
from simsearch.vectors import exact, faiss_index
from simsearch.vectors.arrays import as_vectors
from simsearch.vectors.choose import Design
from simsearch.vectors.exact import ExactIndex
from simsearch.vectors.faiss_index import FaissFlatIndex
from simsearch.vectors.files import open_rows, write_rows
from simsearch.vectors.inverted import open_lists, write_lists
from simsearch.vectors.quantizing import train

ROWS = as_vectors(np.random.default_rng(5).normal(size=(90, 6)))
IDS = np.arange(90, dtype=np.int64)


def paths(folder: Path) -> tuple[Path, Path]:
    return folder / "rows.npy", folder / "ids.npy"


@pytest.mark.parametrize("kind", [ExactIndex, FaissFlatIndex])
def test_the_size_of_the_blocks_changes_no_answer(
    kind: type[ExactIndex] | type[FaissFlatIndex], monkeypatch: pytest.MonkeyPatch
) -> None:
    index, queries = kind.over(IDS, ROWS), ROWS[:11]
    ids, scores = index.search(queries, 7)
    near = index.range_search(queries, 0.3)
    for module, name, size in (
        (exact, "QUERIES_AT_ONCE", 3),
        (exact, "ROWS_AT_ONCE", 4),
        (faiss_index, "NUMBERS_AT_ONCE", 13),
        (faiss_index, "QUERIES_AT_ONCE", 3),
        (faiss_index, "ROWS_AT_ONCE", 4),
    ):
        monkeypatch.setattr(module, name, size)
    again_ids, again_scores = index.search(queries, 7)
    np.testing.assert_array_equal(again_scores, scores)
    np.testing.assert_array_equal(again_ids, ids)
    for (one, other), (again_one, again_other) in zip(near, index.range_search(queries, 0.3), strict=True):
        np.testing.assert_array_equal(again_one, one)
        np.testing.assert_array_equal(again_other, other)


def test_rows_are_written_in_batches_and_are_plain_arrays(tmp_path: Path) -> None:
    batches = [(IDS[start : start + 40], ROWS[start : start + 40]) for start in (0, 40, 80)]
    write_rows(*paths(tmp_path), 6, 90, batches)
    np.testing.assert_array_equal(np.load(tmp_path / "rows.npy"), ROWS)
    opened = open_rows(*paths(tmp_path))
    np.testing.assert_array_equal(opened.ids, IDS)
    with pytest.raises(ValueError, match="read-only"):
        opened.rows[0, 0] = 0.0


def test_another_number_of_rows_than_announced_is_damage(tmp_path: Path) -> None:
    with pytest.raises(DamagedError, match="90 vectors where the database counts 91"):
        write_rows(*paths(tmp_path), 6, 91, [(IDS, ROWS)])


def test_no_rows_are_a_file_too(tmp_path: Path) -> None:
    write_rows(*paths(tmp_path), 6, 0, [])
    assert open_rows(*paths(tmp_path)).search(ROWS[:2], 3)[0].shape == (2, 0)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros(3),
        np.zeros((2, 2)),
        np.zeros((90, 6), dtype="<f8"),
        np.zeros((89, 6), dtype="<f4"),
        np.zeros((90, 0), dtype="<f4"),
        np.zeros(2, dtype=[("id", "<i8"), ("vector", "<f4")]),
        np.array([{"a": 1}], dtype=object),
    ],
)
def test_another_array_is_not_taken_for_rows(array: np.ndarray, tmp_path: Path) -> None:
    write_rows(*paths(tmp_path), 6, 90, [(IDS, ROWS)])
    np.save(tmp_path / "rows.npy", array, allow_pickle=True)
    with pytest.raises(DamagedError) as caught:
        open_rows(*paths(tmp_path))
    assert str(tmp_path / "rows.npy") in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kept", [0, 5, 20, 500])
def test_a_damaged_file_is_reported_in_one_line(kept: int, tmp_path: Path) -> None:
    write_rows(*paths(tmp_path), 6, 90, [(IDS, ROWS)])
    whole = (tmp_path / "rows.npy").read_bytes()
    (tmp_path / "rows.npy").write_bytes(whole[:kept])
    with pytest.raises(DamagedError) as caught:
        open_rows(*paths(tmp_path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("code", ["pq4", "sq8"])
@pytest.mark.parametrize("name", ["codes.faiss", "codes 写真 é.faiss", "codes \udcff.faiss"])
def test_lists_are_written_and_mapped_under_any_name(name: str, code: str, tmp_path: Path) -> None:
    rows = FaissFlatIndex.over(IDS, ROWS)
    lists = train(rows, Design("lists", code, 2), 0)
    write_lists(tmp_path / name, lists)
    opened = open_lists(tmp_path / name, rows)
    for one, other in zip(lists.search(ROWS[:5], 4), opened.search(ROWS[:5], 4), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (faiss.IndexFlatIP(6), "IndexFlatIP instead of inverted lists of codes"),
        (faiss.IndexHNSWFlat(6, 8), "IndexHNSWFlat"),
        (faiss.index_factory(6, "IVF2,SQ8", faiss.METRIC_INNER_PRODUCT), "not by distance"),
    ],
)
def test_another_index_of_faiss_is_refused(other: faiss.Index, words: str, tmp_path: Path) -> None:
    faiss.write_index(other, str(tmp_path / "codes"))
    with pytest.raises(DamagedError, match=words):
        open_lists(tmp_path / "codes", FaissFlatIndex.over(IDS, ROWS))


def test_lists_of_other_rows_are_refused(tmp_path: Path) -> None:
    rows = FaissFlatIndex.over(IDS, ROWS)
    write_lists(tmp_path / "codes", train(rows, Design("lists", "sq8", 2), 0))
    with pytest.raises(DamagedError, match="90 codes of 6 numbers for 89 vectors of 6"):
        open_lists(tmp_path / "codes", FaissFlatIndex.over(IDS[1:], ROWS[1:]))


def test_a_damaged_file_of_lists_is_reported_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "codes"
    for content in (b"", b"hello"):
        path.write_bytes(content)
        with pytest.raises(DamagedError) as caught:
            open_lists(path, FaissFlatIndex.over(IDS, ROWS))
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
