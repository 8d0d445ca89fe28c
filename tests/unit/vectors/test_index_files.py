from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import faiss
import numpy as np
import pytest

from simsearch.errors import DamagedError, UsageError
from simsearch.vectors import exact, faiss_index
from simsearch.vectors.arrays import as_vectors
from simsearch.vectors.choose import DEFAULT_KIND, load_index, new_index
from simsearch.vectors.exact import ExactIndex
from simsearch.vectors.faiss_index import FaissFlatIndex

ROWS = as_vectors(np.random.default_rng(5).normal(size=(90, 6)))
IDS = np.arange(90, dtype=np.int64)


def filled(kind: str) -> ExactIndex | FaissFlatIndex:
    index = new_index(kind, 6)
    assert isinstance(index, ExactIndex | FaissFlatIndex)
    index.add(IDS, ROWS)
    return index


@pytest.mark.parametrize("kind", ["flat", "exact"])
def test_the_size_of_the_blocks_changes_no_answer(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    index, queries = filled(kind), ROWS[:11]
    ids, scores = index.search(queries, 7)
    near = index.range_search(queries, 0.3)
    for module, name, size in (
        (exact, "QUERIES_AT_ONCE", 3),
        (exact, "ROWS_AT_ONCE", 4),
        (faiss_index, "NUMBERS_AT_ONCE", 13),
    ):
        monkeypatch.setattr(module, name, size)
    again_ids, again_scores = index.search(queries, 7)
    np.testing.assert_array_equal(again_scores, scores)
    np.testing.assert_array_equal(again_ids, ids)
    for (one, other), (again_one, again_other) in zip(near, index.range_search(queries, 0.3), strict=True):
        np.testing.assert_array_equal(again_one, one)
        np.testing.assert_array_equal(again_other, other)


def test_an_index_is_flat_unless_another_kind_is_named() -> None:
    assert isinstance(new_index(DEFAULT_KIND, 3), FaissFlatIndex)
    assert isinstance(new_index("exact", 3), ExactIndex)


def test_a_kind_that_there_is_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no index of kind 'hnsw'; choose one of: flat, exact"):
        new_index("hnsw", 3)
    with pytest.raises(DamagedError, match="kind 'hnsw'"):
        load_index("hnsw", tmp_path / "vectors.hnsw")


def test_choosing_imports_neither_numpy_nor_faiss() -> None:
    code = "import sys, simsearch.vectors.choose; print(sorted({'numpy', 'faiss'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (faiss.IndexFlatIP(4), "IndexFlatIP instead of vectors with ids"),
        (faiss.IndexIDMap(faiss.IndexFlatL2(4)), "IndexFlatL2 instead of flat vectors with inner product"),
        (faiss.IndexIDMap(faiss.IndexHNSWFlat(4, 8)), "IndexHNSWFlat"),
    ],
)
def test_another_index_of_faiss_is_refused(other: faiss.Index, words: str, tmp_path: Path) -> None:
    path = tmp_path / "vectors"
    faiss.write_index(other, str(path))
    with pytest.raises(DamagedError, match=words):
        FaissFlatIndex.load(path)


def test_fewer_ids_than_vectors_are_refused(tmp_path: Path) -> None:
    index = faiss.IndexIDMap(faiss.IndexFlatIP(6))
    index.add_with_ids(ROWS, IDS)
    faiss.downcast_index(index.index).add(ROWS[:1])
    path = tmp_path / "vectors"
    faiss.write_index(index, str(path))
    with pytest.raises(DamagedError, match="90"):
        FaissFlatIndex.load(path)


def test_a_file_with_a_reverse_map_is_read_too(tmp_path: Path) -> None:
    index = faiss.IndexIDMap2(faiss.IndexFlatIP(6))
    index.add_with_ids(ROWS, IDS + 7)
    path = tmp_path / "vectors"
    faiss.write_index(index, str(path))
    assert FaissFlatIndex.load(path).search(ROWS[3:4], 1)[0].tolist() == [[10]]


@pytest.mark.parametrize(
    "array",
    [
        np.zeros(3),
        np.zeros((2, 2), dtype=[("id", "<i8"), ("vector", "<f4", (2,))]),
        np.zeros(2, dtype=[("id", "<i8"), ("vector", "<f8", (2,))]),
        np.zeros(2, dtype=[("id", "<i8"), ("vector", "<f4")]),
    ],
)
def test_another_array_is_not_taken_for_an_exact_index(array: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "vectors"
    content = io.BytesIO()
    np.save(content, array)
    path.write_bytes(content.getvalue())
    with pytest.raises(DamagedError, match="not an index of vectors"):
        ExactIndex.load(path)


def test_a_pickle_is_never_loaded(tmp_path: Path) -> None:
    path = tmp_path / "vectors"
    content = io.BytesIO()
    np.save(content, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    path.write_bytes(content.getvalue())
    with pytest.raises(DamagedError):
        ExactIndex.load(path)


def test_ids_are_a_copy() -> None:
    for kind in ("flat", "exact"):
        index = filled(kind)
        index.ids[:] = 0
        assert index.ids.tolist() == IDS.tolist()
