"""Filtered searches: whichever way is taken, the answer is that of an exact search among what matches."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from simsearch import Collection
from simsearch.collection.queries import filtering, remembered
from simsearch.errors import UsageError
from simsearch.vectors.arrays import as_vectors
from simsearch.vectors.exact import ExactIndex

if TYPE_CHECKING:
    from simsearch.types import Ids, Scores, VectorIndex, Vectors

ROWS, DIM = 600, 8
FILTERS = {"half = 1": 2, "tenth = 1": 10, "hundredth = 1": 100, "row = 7": ROWS}
WAYS = {
    "as it is": {},
    "the nearest first": {
        "MANY": 0.0001,
        "SURE": -1,
        "LOOK_UP": 0.01,
        "SEARCH": 0,
        "PATIENCE": 0,
        "FEW": 1,
        "TRIES": 100,
    },
    "the nearest first, but not for long": {"MANY": 0.0001, "SURE": -1, "LOOK_UP": 1, "SEARCH": 1, "FEW": 1},
    "what matches first": {"MANY": 2},
    "what matches first, then the nearest": {"MANY": 2, "SURE": -1, "FEW": 1, "TRIES": 100},
}


@pytest.fixture(scope="module")
def rows() -> Vectors:
    return as_vectors(np.random.default_rng(0).normal(size=(ROWS, DIM)))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, rows: Vectors) -> Iterator[Collection]:
    """Items of own vectors, some two of a content; of every so many one matches."""
    collection = Collection.create(tmp_path_factory.mktemp("filtered") / "col", dim=DIM)
    metadata = [
        {"half": number % 2, "tenth": number % 10, "hundredth": number % 100, "row": number} for number in range(ROWS)
    ]
    collection.add_vectors([f"row {number}" for number in range(ROWS)], rows, metadata)
    # The other item of a content matches otherwise.
    collection.add_vectors(
        [f"twin {number}" for number in range(0, ROWS, 3)], rows[::3], [{"twin": True}] * (ROWS // 3)
    )
    with collection:
        yield collection


@pytest.fixture
def queries() -> Vectors:
    return as_vectors(np.random.default_rng(1).normal(size=(7, DIM)))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("where", FILTERS)
def test_every_way_gives_the_exact_answer(
    made: Collection, rows: Vectors, queries: Vectors, where: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in WAYS[way].items():
        monkeypatch.setattr(filtering, name, value)
    made._filters = None
    step = FILTERS[where]
    chosen = np.arange(7, ROWS, ROWS) if where == "row = 7" else np.arange(1, ROWS, step)
    exact = ExactIndex.over(chosen, rows[chosen])
    for k in (1, 10, 40):
        for asked in (queries[:1], queries):
            # Twice: what matches is not known, then it is.
            for _ in range(2):
                found = made.query_many(list(asked), k, where=where)
                expected_rows, expected_scores = exact.search(asked, k)
                for matches, numbers, scores in zip(found, expected_rows, expected_scores, strict=True):
                    assert [match.item.uri for match in matches] == [f"row {number}" for number in numbers]
                    np.testing.assert_array_equal([match.score for match in matches], scores)
                ids, found_scores = made.search(asked, k, where=where)
                assert ids.shape == (len(asked), min(k, len(chosen)))
                np.testing.assert_array_equal(found_scores, expected_scores)
                made.filters().ids(made.condition(where))  # type: ignore[arg-type]


@pytest.mark.parametrize("way", WAYS)
def test_of_items_of_equal_content_only_those_that_match_are_returned(
    made: Collection, rows: Vectors, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in WAYS[way].items():
        monkeypatch.setattr(filtering, name, value)
    made._filters = None
    assert [match.item.uri for match in made.query(rows[3], 2)] == ["row 3", "twin 3"]
    assert made.query(rows[3], 1, where="twin = true")[0].item.uri == "twin 3"
    assert made.query(rows[3], 1, where="twin is null")[0].item.uri == "row 3"
    twins = made.query(rows[3], None, min_score=-1.0, where="twin = true")
    assert len(twins) == ROWS // 3
    assert all(match.item.uri.startswith("twin") for match in twins)


def test_what_matches_is_remembered_until_anything_changes(tmp_path: Path) -> None:
    with Collection.create(tmp_path / "col", dim=2) as collection:
        collection.add_vectors(["a", "b", "c"], [[1, 0], [0, 1], [1, 1]], [{"n": 1}, {"n": 2}, {"n": 2}])
        condition = collection.condition("n = 2")
        assert condition is not None
        filters = collection.filters()
        ids = filters.ids(condition)
        assert filters.about(condition).ids is ids
        assert len(ids) == 2
        with Collection.open(tmp_path / "col") as other:
            # No vector changes, and none comes or goes.
            other.set_metadata({"a": {"n": 2}})
        assert filters.about(condition).ids is None
        assert len(filters.ids(condition)) == 3
        collection.set_metadata({"a": {"n": 1}, "b": {"n": 1}})
        assert filters.about(condition).ids is None
        assert [match.item.uri for match in collection.query(np.array([1.0, 0.0]), where="n = 2")] == ["c"]


def test_few_filters_are_remembered(made: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "KEPT", 3)
    made._filters = None
    conditions = [made.condition(f"row = {number}") for number in range(5)]
    for condition in conditions:
        assert condition is not None
        made.filters().ids(condition)
    remembered_ones = made.filters()._remembered
    assert [condition in remembered_ones for condition in conditions] == [False, False, True, True, True]


def test_an_answer_is_whole_when_others_remove_what_matched_meanwhile(made: Collection, queries: Vectors) -> None:
    """The first queries are answered from their nearest, then most of what matches has gone."""
    index = _Going(made.index, keep=5)
    filters = remembered.Filters(made.store)
    condition = made.condition("half = 1")
    assert condition is not None
    index.after = 1
    ids, scores = filtering.nearest(filters, index, queries, 60, condition)
    assert ids.shape == scores.shape
    assert (np.diff(scores, axis=1) <= 0).all()


class _Going:
    """An index from which all but a few go after so many searches."""

    def __init__(self, index: VectorIndex, keep: int) -> None:
        self.index, self.keep, self.after = index, keep, 1

    def __len__(self) -> int:
        return len(self.index)

    def search(self, queries: Vectors, k: int, among: Ids | None = None) -> tuple[Ids, Scores]:
        self.after -= 1
        if self.after < 0:
            among = self.index.ids[: self.keep] if among is None else among[: self.keep]
        return self.index.search(queries, k, among)


def test_a_key_that_no_item_has_is_refused_with_what_may_be_meant(made: Collection) -> None:
    for text, words in (
        ("haalf = 1", "did you mean half?"),
        ("metadata.x.y = 1", "key x.y"),
        ("labels = 'a'", "label?"),
    ):
        with pytest.raises(UsageError, match="no item has the metadata key") as caught:
            made.query(np.ones(DIM), where=text)
        assert words in str(caught.value)
        with pytest.raises(UsageError, match="no item has the metadata key"):
            made.items(text)
    assert made.query(np.ones(DIM), where="half > 5") == []
    for text, words in (
        ("half = '1'", "the values of half are numbers, none are texts"),
        ("twin like 'a%'", "are booleans, none are texts"),
        ("twin in (1, 'a')", "are booleans, none are texts or numbers"),
    ):
        with pytest.raises(UsageError, match=words):
            made.query(np.ones(DIM), where=text)
    assert len(made.query(np.ones(DIM), where="half != 'a'")) == 10
    assert len(made.query(np.ones(DIM), where="half in ('a', 1)")) == 10


def test_an_empty_collection_has_every_key(tmp_path: Path) -> None:
    with Collection.create(tmp_path / "col", dim=2) as collection:
        assert collection.query(np.ones(2), where="anything = 1") == []
        assert list(collection.items("anything = 1")) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"k": None}, "k is None without a min_score"),
        ({"k": 0}, "k must be at least 1"),
        ({"offset": -1}, "offset must be 0 or more"),
        ({"offset": 1.5}, "offset is 1.5"),
        ({"where": 3}, "where is 3"),
        ({"where": ""}, "where is empty"),
        ({"diverse": 1.5}, "diverse must be from 0"),
        ({"diverse": "yes"}, "diverse is 'yes'"),
        ({"k": None, "min_score": 0.5, "diverse": True}, "diverse results need a number"),
        ({"diverse": True, "offset": 495}, "among the nearest 500"),
    ],
)
def test_what_cannot_be_asked_is_refused(made: Collection, options: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        made.query(np.ones(DIM), **options)  # type: ignore[arg-type]


def test_threads_share_what_is_remembered(made: Collection, queries: Vectors) -> None:
    made._filters = None
    expected = [match.item.id for match in made.query(queries[0], where="tenth = 1")]
    answers: list[Sequence[int]] = []

    def ask(number: int) -> None:
        made.query(queries[number], where=f"tenth = {number}")
        answers.append([match.item.id for match in made.query(queries[0], where="tenth = 1")])

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [expected] * 6
