"""Sums of queries, diverse results, and metadata of items, in collections of own vectors and of texts."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hash_encoder import HashEncoder, direction
from hypothesis import given, settings
from hypothesis import strategies as st

from simsearch import Collection, Mix, SimsearchError, Text
from simsearch.collection.adding.facts import facts
from simsearch.collection.queries.diversity import COPY, EQUAL, chosen
from simsearch.errors import UsageError, VectorError
from simsearch.media.rows import BadRows
from simsearch.vectors.arrays import as_vectors

if TYPE_CHECKING:
    from simsearch.types import Vectors

DIM = 6


@pytest.fixture(scope="module")
def rows() -> Vectors:
    return as_vectors(np.random.default_rng(4).normal(size=(80, DIM)))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, rows: Vectors) -> Iterator[Collection]:
    collection = Collection.create(tmp_path_factory.mktemp("combined") / "col", dim=DIM)
    collection.add_vectors([f"row {number}" for number in range(len(rows))], rows)
    with collection:
        yield collection


# -- sums ------------------------------------------------------------------------------------------------------------


def test_the_vector_of_a_sum_is_the_sum_of_the_vectors(made: Collection, rows: Vectors) -> None:
    mix = Mix([(1, "row 3"), (0.5, rows[7]), (-2, made.query("row 9", 1)[0])])
    total = rows[3].astype(float) + 0.5 * rows[7] - 2 * rows[9].astype(float)
    (found,) = made.query_many([mix], 80)
    expected = rows.astype(float) @ (total / np.linalg.norm(total))
    np.testing.assert_allclose([match.score for match in found], sorted(expected, reverse=True), atol=1e-6)
    assert [match.item.uri for match in found] == [f"row {number}" for number in np.argsort(-expected)]
    assert [str(part.uri) for _, part in found.query.terms[::2]] == ["row 3", "row 9"]  # type: ignore[union-attr]


def test_sums_and_plain_queries_are_answered_together(made: Collection, rows: Vectors) -> None:
    mixed = made.query_many(["row 1", Mix.parse('"row 1" + "row 2"'), rows[4]], 3)
    assert [matches[0].item.uri for matches in (mixed[0], mixed[2])] == ["row 1", "row 4"]
    total = rows[1].astype(float) + rows[2]
    assert mixed[1] == made.query(total, 3)
    left = made.query(Mix.parse('"row 1" + "row 2"'), 78, exclude_self=True)
    assert len(left) == 78
    assert not {"row 1", "row 2"} & {match.item.uri for match in left}
    assert made.query(Mix([(1, "row 5")]), 4) == made.query("row 5", 4)


def test_a_sum_without_a_direction_is_refused(made: Collection) -> None:
    with pytest.raises(VectorError, match="cancel out"):
        made.query(Mix.parse('"row 1" - "row 1"'))
    with pytest.raises(SimsearchError, match="has no encoder"):
        made.query(Mix.parse('"row 1" - "row 99"'))


def test_words_are_terms_where_the_encoder_takes_them(tmp_path: Path) -> None:
    with Collection.create(tmp_path / "texts", HashEncoder()) as collection:
        collection.add_texts(["1", "2", "3"], ["red", "blue", "green"])
        found = collection.query(Mix([(2, Text("red")), (1, "blue"), (-1, Text("unseen"))]))
        total = 2 * direction("red") + direction("blue") - direction("unseen")
        expected = [float(total @ direction(word) / np.linalg.norm(total)) for word in ("red", "blue", "green")]
        assert [match.item.uri for match in found] == ["1", "2", "3"]
        np.testing.assert_allclose([match.score for match in found], expected, atol=1e-5)


# -- diverse results -------------------------------------------------------------------------------------------------


def naive(scores: np.ndarray, vectors: np.ndarray, count: int, diversity: float) -> list[tuple[int, list[int]]]:
    """Maximal marginal relevance as it is written down, with copies folded."""
    left, order = list(range(len(scores))), list[tuple[int, list[int]]]()
    while left and len(order) < count:

        def gain(one: int) -> float:
            near = max((float(vectors[one].astype(float) @ vectors[other]) for other, _ in order), default=0.0)
            return (1 - diversity) * float(scores[one]) - diversity * near

        best = next(one for one in left if gain(one) >= max(map(gain, left)) - EQUAL)
        folded = [one for one in left if one != best and vectors[one] @ vectors[best] >= COPY]
        left = [one for one in left if one != best and one not in folded]
        order.append((best, folded))
    return order


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), size=st.integers(0, 25), count=st.integers(1, 30), tenths=st.integers(0, 10))
def test_diverse_results_are_those_of_the_formula(seed: int, size: int, count: int, tenths: int) -> None:
    random = np.random.default_rng(seed)
    vectors = as_vectors(random.normal(size=(size + 1, 3)))
    scores = np.sort(vectors @ vectors[0])[::-1].astype(np.float32)
    vectors = vectors[np.argsort(-(vectors @ vectors[0]))]
    order = chosen(scores, vectors, count, tenths / 10)
    assert order == naive(scores, vectors, count, tenths / 10)
    assert order[:2] == chosen(scores, vectors, min(2, count), tenths / 10)


def test_near_copies_are_folded_and_counted(tmp_path: Path) -> None:
    with Collection.create(tmp_path / "col", dim=2) as collection:
        close = [[1, 0], [1, 0], [1, 0.1], [0.6, 0.8], [0, 1]]
        collection.add_vectors(["a", "b", "c", "d", "e"], close, [{}, {}, {}, {"n": 1}, {"n": 1}])
        found = collection.query(np.array([1.0, 0.0]), 5, diverse=True)
        assert [(match.rank, match.item.uri, match.copies) for match in found] == [
            (1, "a", 2),
            (2, "d", 0),
            (3, "e", 0),
        ]
        assert collection.query("a", 5, diverse=True, exclude_self=True)[0].item.uri == "b"
        page = collection.query(np.array([1.0, 0.0]), 1, diverse=True, offset=1)
        assert page == found[1:2]
        cut = collection.query(np.array([1.0, 0.0]), 5, diverse=0.9, min_score=0.5)
        assert [match.item.uri for match in cut] == ["a", "d"]
        only = collection.query(np.array([1.0, 0.0]), 5, diverse=0.3, where="n = 1")
        assert [match.item.uri for match in only] == ["d", "e"]
        assert collection.query(np.array([1.0, 0.0]), 5, diverse=0.0)[1].item.uri == "b"


def test_pages_of_diverse_results_fit_together(made: Collection, rows: Vectors) -> None:
    whole = made.query(rows[0], 30, diverse=0.7)
    pages = [made.query(rows[0], 10, diverse=0.7, offset=start) for start in (0, 10, 20)]
    assert [match for page in pages for match in page] == whole


# -- metadata --------------------------------------------------------------------------------------------------------


def test_metadata_is_merged_or_replaced(tmp_path: Path) -> None:
    with Collection.create(tmp_path / "col", dim=2) as collection:
        collection.add_vectors(["a", "b"], [[1, 0], [0, 1]], [{"x": 1, "y": 2}, {}])
        day = datetime.date(2024, 5, 31)
        assert collection.set_metadata({"a": {"y": np.int64(3), "day": day}, "b": {}}) == 1
        assert [item.metadata for item in collection] == [{"x": 1, "y": 3, "day": "2024-05-31"}, {}]
        assert [item.uri for item in collection.items("day >= '2024' and y = 3")] == ["a"]
        assert collection.set_metadata({"a": {"z": None}}, replace=True) == 1
        assert collection.set_metadata({"a": {"z": None}}) == 0
        assert next(iter(collection)).metadata == {"z": None}
        before = [item.metadata for item in collection]
        for given, words in (
            ({"a": {"x": 1}, "c": {}}, "c is no item"),
            ({"a": {"x": float("nan")}}, "which JSON lacks"),
            ({"a": 3}, "metadata 0 is 3"),
            ([("a", {})], "give a dict from paths"),
            ({3: {}}, "is no path"),
        ):
            with pytest.raises(UsageError, match=words):
                collection.set_metadata(given)  # type: ignore[arg-type]
        assert [item.metadata for item in collection] == before


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["1", "2", ""], [1, 2, None]),
        (["1", "2.5", "-.5e2"], [1, 2.5, -50.0]),
        (["007", "1"], ["007", "1"]),
        (["1,5", "2"], ["1,5", "2"]),
        (["true", "FALSE"], [True, False]),
        (["true", "1"], ["true", "1"]),
        (["nan", "1"], ["nan", "1"]),
        (["2024-05-31", "2024"], ["2024-05-31", "2024"]),
        (["123456789012345678901", "1"], [123456789012345678901.0, 1]),
        ([" 5 ", "x"], [" 5 ", "x"]),
        (["", ""], [None, None]),
    ],
)
def test_columns_of_cells_have_one_type(tmp_path: Path, cells: list[str], values: list[object]) -> None:
    table = tmp_path / "facts.csv"
    table.write_text("path,n\n" + "".join(f'{number},"{cell}"\n' for number, cell in enumerate(cells)))
    bad = BadRows(str(table))
    found = facts(str(table), "path", None, bad)
    assert [found[str(number)]["n"] for number in range(len(cells))] == values
    assert not len(bad)


def test_bad_rows_of_a_table_are_told(tmp_path: Path) -> None:
    table = tmp_path / "facts.jsonl"
    table.write_text('{"path": "a", "n": [1]}\n{"n": 1}\n{"path": "a"}\nx\n{"path": 3}\n{"path": "b", "n": ""}\n')
    bad = BadRows(str(table))
    assert facts(str(table), "path", None, bad) == {"a": {"n": [1]}, "b": {"n": None}}
    assert [skip.path for skip in bad.listed()] == [f"{table}:{line}" for line in (2, 3, 4, 5)]


def test_a_table_of_metadata_is_not_indexed_and_lines_keep_what_it_gave(tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "notes.txt").write_text("one\ntwo\n")
    (folder / "about.csv").write_text("path,n\nnotes.txt#1,1\nnotes.txt#2,2\n")
    with Collection.create(tmp_path / "col", HashEncoder()) as collection:
        report = collection.add(folder, by="line", metadata=folder / "about.csv")
        assert (report.added, report.skipped) == (2, ())
        assert "metadata of 2 items changed" in report.notes[0]
        (folder / "notes.txt").write_text("one\nthree\nfour\n")
        (folder / "about.csv").unlink()
        collection.add(folder)
        assert [(item.text, item.metadata) for item in collection] == [
            ("one", {"n": 1}),
            ("three", {"n": 2}),
            ("four", {}),
        ]
        (tmp_path / "other.csv").write_text("path,n\nelsewhere.txt,1\n")
        with pytest.raises(UsageError, match="none of its 1 paths is a file"):
            collection.add(folder, metadata=tmp_path / "other.csv")
        (tmp_path / "other.csv").write_text("file,n\nelsewhere.txt,1\n")
        with pytest.raises(UsageError, match="no column 'path'"):
            collection.add(folder, metadata=tmp_path / "other.csv")
