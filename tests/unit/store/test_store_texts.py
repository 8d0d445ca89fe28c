"""Texts in the store, files that hold several items, and collections of the first format."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from simsearch.collection import Collection
from simsearch.store import NewExample, RowFile, Store, Write
from simsearch.types import Example, Item

FORMAT_1 = Path(__file__).parent.parent.parent / "fixtures" / "format-1"
E1 = np.array([1, 0, 0, 0], dtype=np.float32)
E2 = np.array([0, 1, 0, 0], dtype=np.float32)


def sha(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def row(uri: str, text: str, *, file: str | None = None, vector: np.ndarray | None = E1) -> Write:
    return Write(uri, sha(text), len(text.encode()), 7, None, None, "text", None, None, vector, text, file)


def vector_of(name: str) -> np.ndarray:
    numbers = np.frombuffer(hashlib.sha256(name.encode()).digest()[:4], dtype=np.uint8).astype(np.float64) + 1.0
    return (numbers / np.linalg.norm(numbers)).astype(np.float32)


@pytest.mark.parametrize("write", [False, True])
def test_a_collection_of_the_first_format_opens_with_everything_in_it(tmp_path: Path, write: bool) -> None:
    """The folder was made by simsearch 0.1.0 and must be read for ever."""
    folder = Path(shutil.copytree(FORMAT_1, tmp_path / "old"))
    time = 1_700_000_000_000_000_000
    expected = [
        Item(1, "/photos/a.png", 2, "Ana", 100, time, {"year": 2020, "tags": ["é", None]}),
        Item(2, "/photos/b.png", 3, None, 100, time),
        Item(3, "/photos/copy of a.png", 2, None, 100, time),
    ]
    with Store.open(folder / "collection.sqlite", write=write) as store:
        found = [item for page in store.iterate_items() for item in page]
        assert [(item.uri, item.label, item.metadata, item.text) for item in found] == [
            (item.uri, item.label, item.metadata, None) for item in expected
        ]
        names = {item.uri: name for item, name in zip(found, ("red", "green", "red"), strict=True)}
        for item in found:
            np.testing.assert_array_equal(store.vectors_of([item.content_id])[0], vector_of(names[item.uri]))
            assert (item.size, item.mtime_ns) == (100, time)
        examples, vectors = store.examples()
        assert examples == (Example(1, "Ana", "/people/ana.png"),)
        np.testing.assert_array_equal(vectors[0], vector_of("yellow"))
        assert store.roots() == {"/photos": None}
        assert store.check() == []
    with Collection.open(folder) as opened:
        matches = opened.query(vector_of("green"), 1)
        assert [(match.item.uri, match.score) for match in matches] == [("/photos/b.png", pytest.approx(1, abs=1e-6))]
        assert opened.check().clean
        assert opened.info().items == 3


def test_equal_texts_share_a_content_that_keeps_the_text(store: Store) -> None:
    store.write([row("/n/a.txt", "red dress"), row("/n/f.csv#1", "red dress", file="/n/f.csv", vector=None)])
    store.write([Write("p.png", b"1" * 32, 1, 2, None, None, "image", 3, 4, E2)])
    first, second, picture = (store.item_by_uri(uri) for uri in ("/n/a.txt", "/n/f.csv#1", "p.png"))
    assert first is not None and second is not None and picture is not None
    assert first.content_id == second.content_id
    assert (first.text, second.text, picture.text) == ("red dress", "red dress", None)
    assert store.items_of([first.content_id]) == {first.content_id: [first, second]}
    assert store.items_by_uri(["p.png", "/n/f.csv#1", "nothing"]) == {"p.png": picture, "/n/f.csv#1": second}
    assert store.check() == []


@pytest.mark.parametrize("text", ["a\0b", "日本\n語", " ", "e\u0301", "x" * 100_000, "\ufeffx"])
def test_a_text_comes_back_as_it_was(store: Store, text: str) -> None:
    store.write([row("a", text)])
    store.add_examples([("Ana", NewExample("", sha(text), E1, text))])
    found = store.item_by_uri("a")
    assert found is not None and found.text == text
    assert store.examples()[0][0].text == text
    assert store.check() == []


def test_the_items_of_a_file_are_under_it_and_in_its_folder(store: Store) -> None:
    store.write(
        [
            row("/n/f.csv#1", "one", file="/n/f.csv"),
            row("/n/f.csv#b/c", "two", file="/n/f.csv"),
            row("/n/f.csv#1.txt", "three"),
            row("/n/f.csv", "four"),
            row("/n/f.csvx", "five"),
        ]
    )
    assert store.ids_under("/n/f.csv").tolist() == [1, 2, 4]
    assert store.ids_under("/n").tolist() == [1, 2, 3, 4, 5]
    assert store.ids_under("/n/f.csv#1").tolist() == [1]
    assert store.files_of([1, 2, 3, 9]) == {1: "/n/f.csv", 2: "/n/f.csv"}


def test_a_file_that_loses_an_item_counts_as_not_read(store: Store) -> None:
    store.write([row(f"/n/f.csv#{n}", f"text {n}", file="/n/f.csv") for n in range(3)])
    assert store.row_files(["/n/f.csv", "/n/g.csv"]) == {"/n/f.csv": RowFile("/n/f.csv", -1, -1, "")}
    done = RowFile("/n/f.csv", 100, 200, "how")
    store.set_row_files([done, RowFile("/n/g.csv", 1, 2, "empty")])
    assert store.row_files(["/n/f.csv", "/n/g.csv"]) == {
        "/n/f.csv": done,
        "/n/g.csv": RowFile("/n/g.csv", 1, 2, "empty"),
    }
    store.remove_items(np.array([2]))
    assert store.row_files(["/n/f.csv"]) == {"/n/f.csv": RowFile("/n/f.csv", -1, -1, "how")}
    store.remove_items(np.array([1, 3]))
    assert store.row_files(["/n/f.csv"]) == {}
    assert store.check() == []


def test_an_item_can_leave_its_file(store: Store) -> None:
    store.write([row("a#1", "one", file="a")])
    store.write([row("a#1", "one", vector=None)])
    assert store.files_of([1]) == {}
    assert store.ids_under("a").tolist() == []


def test_how_a_root_is_read_is_remembered(store: Store) -> None:
    store.add_root("/n")
    store.set_reading("/n", "by line")
    store.add_root("/n")
    assert store.roots() == {"/n": "by line"}


@pytest.mark.parametrize("table", ["content", "example"])
def test_a_text_that_is_not_what_was_stored_is_told(path: Path, table: str) -> None:
    with Store.create(path, {"dim": "4"}) as made:
        made.write([row("a", "one"), row("b", "two")])
        made.add_examples(
            [("Ana", NewExample("", sha(text), vector, text)) for text, vector in (("one", E1), ("two", E2))]
        )
        assert made.check() == []
    with sqlite3.connect(path) as other:
        other.execute(f"UPDATE {table} SET text = 'tow' WHERE id = 2")
    other.close()
    with Store.open(path) as store:
        assert store.check() == [f"1 texts in {table} are not what was stored: 2"]
