"""Collections of texts: files, lines and rows come, change, move and go; only texts that are new are encoded."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hash_encoder import REFUSED, WITHOUT_VECTOR, HashEncoder, direction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simsearch.collection import Collection
from simsearch.collection.adding import indexing, run, storing
from simsearch.collection.reindexing.encoder_change import reindex
from simsearch.errors import UsageError
from simsearch.media.encodings import NAME
from simsearch.progress import Silent
from simsearch.types import AddReport, Skip


@pytest.fixture
def encoder() -> HashEncoder:
    return HashEncoder()


@pytest.fixture
def collection(tmp_path: Path, encoder: HashEncoder) -> Iterator[Collection]:
    with Collection.create(tmp_path / "indexes" / "notes", encoder) as made:
        yield made


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """A folder with two texts and a table of four rows."""
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "a.txt").write_text("first note")
    (folder / "b.md").write_text("# second\nnote")
    table(
        folder / "f.csv",
        [("1", "red dress", "10"), ("2", "blue shirt", "12"), ("3", "hat", "3"), ("4", "red dress", "9")],
    )
    return folder


def table(path: Path, rows: Sequence[Sequence[str]], names: Sequence[str] = ("id", "text", "price")) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([names, *rows])


def held(collection: Collection) -> dict[str, str | None]:
    """The texts by the names of their files, after making sure that their vectors are right and nothing is damaged."""
    items = list(collection.items())
    for item in items:
        stored = collection.store.vectors_of([item.content_id])[0]
        np.testing.assert_array_equal(stored, direction(item.text or ""))
    assert collection.check().clean
    return {Path(item.uri).name: item.text for item in items}


def test_files_and_rows_are_items_and_an_unchanged_folder_is_not_read(collection, notes, encoder, monkeypatch) -> None:
    assert collection.add(notes) == AddReport(added=5, reused=1)
    assert encoder.taken() == ["# second\nnote", "blue shirt", "first note", "hat", "red dress"]
    assert held(collection) == {
        "a.txt": "first note",
        "b.md": "# second\nnote",
        "f.csv#1": "red dress",
        "f.csv#2": "blue shirt",
        "f.csv#3": "hat",
        "f.csv#4": "red dress",
    }
    row = collection.store.item_by_uri(f"{notes / 'f.csv'}#2")
    assert (row.metadata, row.label, row.size) == ({"price": "12"}, None, 10)

    def unread(*_: object) -> None:
        raise AssertionError("a file was read")

    monkeypatch.setattr("simsearch.collection.adding.changes.read_rows", unread)
    monkeypatch.setattr(storing, "read_text_bytes", unread)
    before = list(collection.items())
    assert collection.add(notes) == AddReport(unchanged=6)
    assert list(collection.items()) == before
    assert encoder.prepared == 6


def test_only_rows_with_a_new_text_are_encoded(collection, notes, encoder) -> None:
    collection.add(notes)
    ids = {item.uri: item.id for item in collection.items()}
    encoder.taken()
    prepared = encoder.prepared
    table(notes / "f.csv", [("2", "blue shirt", "99"), ("3", "cap", "3"), ("1", "red dress", "10"), ("5", "shoe", "1")])
    assert collection.add(notes) == AddReport(added=1, unchanged=3, updated=2, removed=1)
    assert encoder.taken() == ["cap", "shoe"]
    assert encoder.prepared == prepared + 2
    found = held(collection)
    assert {name: text for name, text in found.items() if "#" in name} == {
        "f.csv#1": "red dress",
        "f.csv#2": "blue shirt",
        "f.csv#3": "cap",
        "f.csv#5": "shoe",
    }
    row = collection.store.item_by_uri(f"{notes / 'f.csv'}#2")
    assert row.metadata == {"price": "99"}
    assert all(ids[item.uri] == item.id for item in collection.items() if item.uri in ids)


def test_rows_may_change_places_of_their_texts(collection, tmp_path, encoder, monkeypatch) -> None:
    """What was stored when a row was looked up may be gone when it is written."""
    monkeypatch.setattr(storing, "TRANSACTION", 2)
    monkeypatch.setattr(run, "LOOK_UP", 1000)
    rows = [(str(number), f"text {number}", "") for number in range(40)]
    table(tmp_path / "f.csv", rows)
    collection.add(tmp_path / "f.csv")
    turned = [(str(number), f"text {39 - number}", "") for number in range(40)]
    table(tmp_path / "f.csv", turned)
    assert collection.add(tmp_path / "f.csv") == AddReport(updated=40)
    assert held(collection) == {f"f.csv#{number}": f"text {39 - number}" for number in range(40)}


def test_moved_files_and_tables_cost_no_encoding(collection, notes, encoder) -> None:
    collection.add(notes)
    encoder.taken()
    (notes / "a.txt").rename(notes / "moved.txt")
    (notes / "f.csv").rename(notes / "g.csv")
    assert collection.add(notes) == AddReport(reused=5, unchanged=1, removed=5)
    assert encoder.taken() == []
    assert sorted(held(collection)) == ["b.md", "g.csv#1", "g.csv#2", "g.csv#3", "g.csv#4", "moved.txt"]


@pytest.mark.parametrize("how", ["file gone", "rows gone", "empty"])
def test_too_many_vanished_rows_are_kept_until_prune(collection, tmp_path, how) -> None:
    path = tmp_path / "f.csv"
    rows = [(str(number), f"text {number}", "") for number in range(10)]
    table(path, rows)
    collection.add(path)
    if how == "file gone":
        path.unlink()
    else:
        table(path, rows[:4] if how == "rows gone" else [])
    left = 4 if how == "rows gone" else 0
    for _ in range(2):
        assert collection.add(path) == AddReport(kept=10 - left, vanished=10 - left, unchanged=left)
        assert len(collection) == 10
    assert collection.add(path, prune=True) == AddReport(removed=10 - left, unchanged=left)
    assert len(held(collection)) == left
    table(path, rows)
    assert collection.add(path) == AddReport(added=10 - left, unchanged=left)


def test_a_row_and_a_table_can_be_taken_out_and_come_back(collection, notes) -> None:
    collection.add(notes)
    assert collection.remove(f"{notes / 'f.csv'}#2") == 1
    assert collection.add(notes) == AddReport(added=1, unchanged=5)
    assert collection.remove(notes / "f.csv") == 4
    assert sorted(held(collection)) == ["a.txt", "b.md"]
    assert collection.add(notes) == AddReport(added=3, reused=1, unchanged=2)


def test_bad_rows_are_told_with_their_lines_and_the_rest_is_stored(collection, tmp_path) -> None:
    path = tmp_path / "f.csv"
    path.write_bytes(
        b"id,text,n\n1,one,\n1,again,\n2,two\n3,,\n4,\xff,\n5,five,\n,six,\n6,refused,\n7,without a vector,\n1,third,\n"
    )
    report = collection.add(path)
    assert report.added == 2
    assert sorted((skip.path, skip.reason) for skip in report.skipped) == sorted(
        [
            (f"{path}:3", "the id '1' is that of an earlier row; each row needs its own"),
            (f"{path}:4", "2 cells, but the header has 3"),
            (f"{path}:5", "no text"),
            (f"{path}:6", f"not UTF-8 (byte 0xff at 3); {NAME}"),
            (f"{path}:8", "no id"),
            (f"{path}:9", "refused by the encoder"),
            (f"{path}:10", "a vector of length 0"),
            (f"{path}:11", "the id '1' is that of an earlier row; each row needs its own"),
        ]
    )
    assert held(collection) == {"f.csv#1": "one", "f.csv#5": "five"}
    path.write_bytes(path.read_bytes() + b"8,eight,\n")
    again = collection.add(path)
    assert (again.added, again.unchanged, len(again.skipped)) == (1, 2, 8)
    assert held(collection) == {"f.csv#1": "one", "f.csv#5": "five", "f.csv#8": "eight"}


@pytest.mark.parametrize("size", [3, 1000])
def test_ids_that_stand_twice_are_found_however_far_apart(collection, tmp_path, monkeypatch, size) -> None:
    monkeypatch.setattr("simsearch.collection.adding.changes.LOOK_UP", size)
    monkeypatch.setattr(storing, "TRANSACTION", min(size, 256))
    keys = [str(number % 40) for number in range(100)]
    table(tmp_path / "f.csv", [(key, f"text {number}", "") for number, key in enumerate(keys)])
    for count in (AddReport(added=40), AddReport(unchanged=40)):
        os.utime(tmp_path / "f.csv", ns=(1, count.added))
        report = collection.add(tmp_path / "f.csv")
        assert AddReport(added=report.added, unchanged=report.unchanged) == count
        assert {skip.path for skip in report.skipped} == {f"{tmp_path / 'f.csv'}:{line}" for line in range(42, 102)}
        assert held(collection) == {f"f.csv#{number}": f"text {number}" for number in range(40)}


def test_a_row_whose_text_the_encoder_refuses_by_now_goes(collection, notes) -> None:
    collection.add(notes)
    table(notes / "f.csv", [("1", REFUSED, ""), ("2", WITHOUT_VECTOR, ""), ("3", "hat", "3"), ("4", "red dress", "9")])
    report = collection.add(notes)
    assert (report.unchanged, report.removed) == (4, 2)
    assert sorted(held(collection)) == ["a.txt", "b.md", "f.csv#3", "f.csv#4"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"id,body\n1,x\n", "no column 'text' (--text-column); the columns are id, body"),
        (
            b"id,te\0xt\n1,x\n",
            f"line 1: a NUL character; if it is a text, {NAME}",
        ),
        (b"", "empty file"),
    ],
)
def test_rows_of_a_table_that_cannot_be_read_stay(collection, notes, content, reason) -> None:
    collection.add(notes)
    (notes / "f.csv").write_bytes(content)
    for _ in range(2):
        assert collection.add(notes) == AddReport(unchanged=2, kept=4, skipped=(Skip(str(notes / "f.csv"), reason),))
    assert len(held(collection)) == 6


def test_what_is_no_text_is_skipped_with_a_reason(collection, notes) -> None:
    (notes / "photo.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (notes / "README").write_text("no suffix")
    (notes / "latin.txt").write_bytes(b"caf\xe9")
    (notes / "empty.md").write_bytes(b"")
    (notes / ".hidden.txt").write_text("hidden")
    report = collection.add(notes)
    assert {Path(skip.path).name: skip.reason for skip in report.skipped} == {
        "photo.png": "not a text (.png)",
        "README": "not a text (no suffix)",
        "empty.md": "empty file",
        "latin.txt": f"not UTF-8 (byte 0xe9 at 3); {NAME}",
    }
    assert len(collection) == 6


# -- how files are read --------------------------------------------------------------------------------------------


def test_lines_are_items_and_what_was_said_holds(collection, notes, encoder) -> None:
    (notes / "b.md").write_bytes(b"# second\r\n\r\nnote\r\n")
    collection.add(notes, by="line")
    lines = {name: text for name, text in held(collection).items() if "csv" not in name}
    assert lines == {"a.txt#1": "first note", "b.md#1": "# second", "b.md#3": "note"}
    (notes / "b.md").write_text("# new\n# second\nnote\n")
    (notes / "c.txt").write_text("third\n")
    encoder.taken()
    assert collection.add(notes) == AddReport(added=1, unchanged=6, updated=1, reused=1)
    assert encoder.taken() == ["# new", "third"]
    assert collection.add(notes, by="file").removed == 5
    assert {name for name in held(collection) if "csv" not in name} == {"a.txt", "b.md", "c.txt"}


def test_another_column_is_read_and_remembered(collection, tmp_path, encoder) -> None:
    path = tmp_path / "f.csv"
    rows = [("x1", "red dress", "Clothes"), ("x2", "hammer", "Tools")]
    table(path, rows, ("sku", "title", "kind"))
    assert collection.add(path).added == 0
    assert collection.add(path, text_column="title", id_column="sku", label_column="kind") == AddReport(added=2)
    assert [(item.uri, item.label, item.metadata) for item in collection.items()] == [
        (f"{path}#x1", "Clothes", {}),
        (f"{path}#x2", "Tools", {}),
    ]
    table(path, [*rows, ("x3", "saw", "Tools")], ("sku", "title", "kind"))
    assert collection.add(path) == AddReport(added=1, unchanged=2)
    table(path, [("x1", "red dress", ""), *rows[1:], ("x3", "saw", "Tools")], ("sku", "title", "kind"))
    assert collection.add(path) == AddReport(unchanged=3)
    assert [item.label for item in collection.items()] == [None, "Tools", "Tools"]
    encoder.taken()
    assert collection.add(path, id_column="title") == AddReport(reused=3, removed=3)
    assert encoder.taken() == []
    assert sorted(held(collection)) == ["f.csv#hammer", "f.csv#red dress", "f.csv#saw"]


@pytest.mark.parametrize("option", ["text_column", "id_column", "label_column"])
@pytest.mark.parametrize("before", [False, True])
def test_a_column_that_is_not_there_is_not_remembered(collection, tmp_path, option, before) -> None:
    path = tmp_path / "f.csv"
    table(path, [("a", "one", "1"), ("b", "two", "2")])
    if before:
        collection.add(path, label_column="price")
    report = collection.add(path, **{option: "tpoic"})
    assert [skip.reason[:18] for skip in report.skipped] == ["no column 'tpoic' "]
    assert collection.info().readings == ({str(path): {"label": "price"}} if before else {})
    report = collection.add(path)
    assert report == (AddReport(unchanged=2) if before else AddReport(added=2))
    assert {item.label for item in collection.items()} == ({"1", "2"} if before else {None})


def test_a_column_that_some_tables_have_is_remembered(collection, tmp_path) -> None:
    (tmp_path / "notes").mkdir()
    table(tmp_path / "notes" / "a.csv", [("a", "one", "1")])
    table(tmp_path / "notes" / "b.csv", [("b", "two", "2")], names=("id", "title", "price"))
    assert len(collection.add(tmp_path / "notes", text_column="title").skipped) == 1
    assert collection.info().readings == {str(tmp_path / "notes"): {"text": "title"}}
    assert collection.add(tmp_path / "notes").added == 0


def test_a_part_of_a_root_can_be_read_in_its_own_way(collection, tmp_path) -> None:
    root = tmp_path / "root"
    for name in ("x/a.txt", "y/b.txt"):
        (root / name).parent.mkdir(parents=True)
        (root / name).write_text("one\ntwo\n")
    collection.add(root)
    collection.add(root / "x", by="line")
    assert sorted(held(collection)) == ["a.txt#1", "a.txt#2", "b.txt"]
    assert collection.add(root) == AddReport(unchanged=3)
    assert collection.info().roots == (str(root),)


@pytest.mark.parametrize("how", ["folder", "table"])
def test_rows_have_the_labels_that_folders_or_a_table_give(collection, notes, tmp_path, how) -> None:
    (notes / "sub").mkdir()
    shutil.move(notes / "f.csv", notes / "sub" / "f.csv")
    collection.add(notes)
    (notes / "labels.csv").write_text("path,label\nsub/f.csv,sub\nsub/f.csv#2,two\na.txt,a\n")
    labels = "folder" if how == "folder" else str(notes / "labels.csv")
    report = collection.add(notes, labels=labels)
    assert (report.updated, report.unchanged, report.removed, report.kept) == (4, 2, 0, 0)
    found = {Path(item.uri).name: item.label for item in collection.items()}
    two, a = ("sub", None) if how == "folder" else ("two", "a")
    assert found == {"a.txt": a, "b.md": None, "f.csv#1": "sub", "f.csv#2": two, "f.csv#3": "sub", "f.csv#4": "sub"}
    assert report.skipped == (() if how == "table" else (Skip(str(notes / "labels.csv"), report.skipped[0].reason),))
    assert held(collection)


def test_pictures_are_not_read_by_lines(tmp_path, counting, gallery) -> None:
    with Collection.create(tmp_path / "pictures", counting) as made:
        for said in ({"by": "line"}, {"text_column": "x"}, {"id_column": "x"}, {"label_column": "x"}):
            with pytest.raises(UsageError, match="these are images"):
                made.add(gallery, **said)
        with pytest.raises(UsageError, match="takes no texts"):
            made.add_texts(["a"], ["b"])


# -- interruptions -------------------------------------------------------------------------------------------------


class Stopped(BaseException):
    """Stands for a kill."""


def test_a_table_that_was_begun_goes_on(collection, tmp_path, encoder, monkeypatch) -> None:
    monkeypatch.setattr(storing, "TRANSACTION", 10)
    table(tmp_path / "f.csv", [(str(number), f"text {number}", "") for number in range(100)])
    real = indexing.write
    left = [4]

    def stop(one: run.Run, batch: Sequence[object]) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Stopped
        real(one, batch)

    monkeypatch.setattr(indexing, "write", stop)
    with pytest.raises(Stopped):
        collection.add(tmp_path / "f.csv")
    assert len(held(collection)) == 40
    encoder.taken()
    monkeypatch.setattr(indexing, "write", real)
    assert collection.add(tmp_path / "f.csv") == AddReport(added=60, unchanged=40)
    assert len(encoder.taken()) == 60
    assert collection.add(tmp_path / "f.csv") == AddReport(unchanged=100)


def test_a_table_from_before_inodes_were_recorded_is_not_read_again(collection, notes, monkeypatch) -> None:
    collection.add(notes)
    with collection.writing() as store, store._database.writing() as connection:
        connection.exec_driver_sql("UPDATE file SET inode = NULL, ctime_ns = NULL")
    with monkeypatch.context() as patched:
        patched.setattr("simsearch.collection.adding.changes.read_rows", None)
        for _ in range(2):
            assert collection.add(notes) == AddReport(unchanged=6)
    path = notes / "f.csv"
    assert collection.store.row_files([str(path)])[str(path)].ctime_ns == path.stat().st_ctime_ns
    # Replaced by another of equal size and time.
    before = path.stat()
    (notes / "g.csv").write_bytes(path.read_bytes().replace(b"e", b"i"))
    (notes / "g.csv").replace(path)
    os.utime(path, ns=(before.st_mtime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    assert collection.add(notes).unchanged < 6


def test_a_table_that_fails_in_its_middle_keeps_its_rows(collection, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("simsearch.collection.adding.changes.LOOK_UP", 10)
    rows = [(str(number), f"text {number}", "") for number in range(30)]
    table(tmp_path / "f.csv", rows)
    collection.add(tmp_path / "f.csv")
    table(tmp_path / "f.csv", [("0", "new text", ""), *rows[1:]])
    lines = (tmp_path / "f.csv").read_bytes().splitlines(keepends=True)

    class Failing:
        """A disk that gives 15 lines."""

        def __init__(self) -> None:
            self.left = iter(lines[:15])

        def read(self, _: int) -> bytes:
            try:
                return next(self.left)
            except StopIteration:
                raise OSError(5, "Input/output error") from None

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdopen", lambda *_, **__: _Opened(Failing()))
        report = collection.add(tmp_path / "f.csv")
    assert (report.updated, report.unchanged, report.removed, report.kept) == (1, 9, 0, 20)
    assert [skip.reason for skip in report.skipped] == ["input/output error"]
    assert len(held(collection)) == 30
    assert collection.add(tmp_path / "f.csv") == AddReport(unchanged=30)


class _Opened:
    """A stream as a context manager."""

    def __init__(self, stream: object) -> None:
        self.stream = stream

    def __enter__(self) -> object:
        return self.stream

    def __exit__(self, *exc: object) -> None:
        return None


KEYS = st.sampled_from(["1", "2", "3", "é", "a/b"])
TEXTS = st.sampled_from(["x", "y", "z\nz", ' "q" '])
STATES = st.lists(
    st.tuples(
        st.dictionaries(KEYS, TEXTS, max_size=5),
        st.dictionaries(KEYS, TEXTS, max_size=5),
        st.dictionaries(st.sampled_from(["a.txt", "sub/b.md"]), TEXTS),
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(states=STATES)
def test_whatever_changes_the_collection_is_what_the_files_are(tmp_path_factory, states) -> None:
    place = tmp_path_factory.mktemp("states")
    root, encoder = place / "root", HashEncoder()
    with Collection.create(place / "col", encoder) as made:
        known: set[str] = set()
        for step, (rows, objects, files) in enumerate(states):
            shutil.rmtree(root, ignore_errors=True)
            (root / "sub").mkdir(parents=True)
            table(root / "f.csv", [(key, text, "p") for key, text in rows.items()])
            lines = (json.dumps({"id": key, "text": text}) for key, text in objects.items())
            (root / "sub" / "g.jsonl").write_text("\n".join(lines))
            for name, text in files.items():
                (root / name).write_text(text)
            for path in root.rglob("*.*"):
                os.utime(path, ns=(step, step))
            made.add(root, prune=True)
            expected = {f"{root / 'f.csv'}#{key}": text for key, text in rows.items()}
            expected |= {f"{root / 'sub' / 'g.jsonl'}#{key}": text for key, text in objects.items()}
            expected |= {str(root / name): text for name, text in files.items()}
            assert {item.uri: item.text for item in made.items()} == expected
            assert set(encoder.taken()) == set(expected.values()) - known
            known = set(expected.values())
            held(made)


# -- texts of no file, and rebuilding ------------------------------------------------------------------------------


def test_texts_that_are_in_no_file(collection, encoder) -> None:
    assert collection.add_texts(["a", "b"], ["red dress", "hat"], [{"n": 1}, {}]) == AddReport(added=2)
    assert collection.add_texts(["b", "c"], ["hat", "red dress"]) == AddReport(unchanged=1, reused=1)
    assert collection.add_texts(["a"], ["cap"]) == AddReport(updated=1)
    assert encoder.taken() == ["cap", "hat", "red dress"]
    assert held(collection) == {"a": "cap", "b": "hat", "c": "red dress"}
    assert [item.metadata for item in collection.items()] == [{"n": 1}, {}, {}]
    assert collection.remove("a") == 1


@pytest.mark.parametrize(
    ("uris", "texts", "metadata", "reason"),
    [
        (["a"], ["x", "y"], None, "1 uris for 2 texts"),
        (["a"], ["x"], [], "of metadata all or none"),
        (["a", "a"], ["x", "y"], None, "is in the list twice"),
        (["a", "b"], ["x", " "], None, "text 1 is empty"),
        (["a"], ["\ud800"], None, "text 0 is no valid text"),
        (["a"], [None], None, "text 0 is None; give a text"),
        (["a", "b"], "xy", None, r"'xy' is one source; give a list, as \[it\]"),
        ("ab", ["x", "y"], None, r"'ab' is one source"),
        (["a", "b"], ["x", "y"], [{}, {"n": float("nan")}], "metadata 1, 'n' is nan, which JSON lacks"),
        (["a"], ["x"], [{"n": object()}], "metadata 0, 'n' is an object, which JSON cannot hold"),
    ],
)
def test_texts_that_make_no_sense_are_refused_whole(collection, uris, texts, metadata, reason) -> None:
    with pytest.raises(UsageError, match=reason):
        collection.add_texts(uris, texts, metadata)
    assert len(collection) == 0


def test_a_rebuild_needs_no_files(tmp_path, notes, tiny_text, tmp_path_factory) -> None:
    from text_encoder import make_text_encoder

    folder = tmp_path / "col"
    with Collection.create(folder, tiny_text) as made:
        made.add(notes, by="line", label_column="price")
        made.add_texts(["x"], ["of no file"])
        made.enroll("Ana", ["these words", notes / "a.txt"])
        before = [(item.uri, item.label, item.metadata, item.text) for item in made.items()]
        examples = made.store.examples()[0]
    shutil.copytree(notes, tmp_path / "copy")
    for path in notes.iterdir():
        path.unlink()
    other = make_text_encoder(tmp_path_factory.mktemp("other") / "other-text", seed=5)
    assert reindex(folder, str(other), Silent()).lost == ()
    with Collection.open(folder) as opened:
        assert [(item.uri, item.label, item.metadata, item.text) for item in opened.items()] == before
        assert [(each.label, each.uri, each.text) for each in opened.store.examples()[0]] == [
            (each.label, each.uri, each.text) for each in examples
        ]
        items = list(opened.items())
        expected = opened.encoder.encode([item.text for item in items])
        np.testing.assert_allclose(opened.store.vectors_of([item.content_id for item in items]), expected, atol=1e-6)
        assert opened.check().clean
        for path in (tmp_path / "copy").iterdir():
            shutil.copy2(path, notes / path.name)
        assert opened.add(notes) == AddReport(unchanged=7)


def test_a_rebuild_for_another_kind_is_refused(tmp_path, notes, tiny, tiny_text) -> None:
    with Collection.create(tmp_path / "col", tiny_text) as made:
        made.add(notes)
    with pytest.raises(UsageError, match=r"is a collection of texts, but the encoder .* takes images"):
        reindex(tmp_path / "col", str(tiny), Silent())
