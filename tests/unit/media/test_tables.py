"""Tables: what is written comes out again, and whatever is wrong is told with its line."""

from __future__ import annotations

import csv
import errno
import json
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simsearch.errors import SimsearchError, TrainingError
from simsearch.labelled.reading import read_labelled
from simsearch.media.tables import MAX_LINE, open_lines, open_table

LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0\r")
CELL = st.text(LETTERS, max_size=8)
PLAIN = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\n\t"), max_size=8)


def read(file: Path, names: tuple[str, ...] = ()) -> tuple[tuple[str, ...], list[tuple[int, tuple[str, ...]]]]:
    with open_table(file, names) as table:
        return table.columns, [(row.line, row.cells) for row in table.rows]


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(CELL, CELL), max_size=8), end=st.sampled_from(["\n", "\r\n"]),
       bom=st.booleans(), separator=st.sampled_from([",", ";"]))  # fmt: skip
def test_what_a_spreadsheet_writes_comes_out_again(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], end: str, bom: bool, separator: str
) -> None:
    file = tmp_path_factory.getbasetemp() / "written.csv"
    with file.open("w", encoding="utf-8-sig" if bom else "utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator=end, delimiter=separator)
        writer.writerow(["one", "two"])
        starts = []
        for row in rows:
            starts.append(1 + file.read_bytes().count(b"\n") if stream.flush() is None else 0)
            writer.writerow(row)
    columns, found = read(file)
    assert columns == ("one", "two")
    assert found == [(start, row) for start, row in zip(starts, rows, strict=True) if any(map(str.strip, row))]


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(PLAIN, PLAIN), max_size=8))
def test_between_tabs_quotes_are_letters(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]) -> None:
    content = "".join(f"{left}\t{right}\n" for left, right in [("one", "two"), *rows])
    _, found = read(written(tmp_path_factory.getbasetemp(), "written.tsv", content))
    assert found == [
        (line, row) for line, row in enumerate(rows, start=2) if any(map(str.strip, row))
    ]  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(CELL, st.one_of(CELL, st.integers(), st.booleans(), st.none(), st.floats())),
                     min_size=1, max_size=8))  # fmt: skip
def test_json_lines_hold_what_a_csv_file_would(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, object]]
) -> None:
    content = "\n\n".join(json.dumps({"one": one, "two": two}) for one, two in rows)
    columns, found = read(written(tmp_path_factory.getbasetemp(), "written.jsonl", content))
    words = {True: "1", False: "0", None: ""}
    assert columns == ("one", "two")
    assert found == [
        (2 * number + 1, (one, words[two] if two is None or isinstance(two, bool) else str(two)))
        for number, (one, two) in enumerate(rows)
    ]  # fmt: skip


def test_objects_may_lack_keys_but_bring_no_new_ones(tmp_path: Path) -> None:
    lines = ['{"a": "x", "b": [1, {"c": 2}]}', '{"b": "y"}', '{"a": "z", "split": "test"}']
    file = written(tmp_path, "few.jsonl", "\n".join(lines[:2]))
    assert read(file) == (("a", "b"), [(1, ("x", '[1, {"c": 2}]')), (2, ("", "y"))])
    with pytest.raises(TrainingError, match=r"few\.jsonl, line 3: 'split' is not in the first object"):
        read(written(tmp_path, "few.jsonl", "\n".join(lines)))


def test_names_stand_for_a_missing_header(tmp_path: Path) -> None:
    file = written(tmp_path, "plain.csv", "a,1\nb,2\n")
    assert read(file, ("text", "-")) == (("text", "-"), [(1, ("a", "1")), (2, ("b", "2"))])
    assert read(file, ("A", "1"))[1] == [(2, ("b", "2"))], "a first row that says the same is the header"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", "an empty file"),
        ("a.csv", "\n , \n\n", "an empty file"),
        ("a.jsonl", "\n\n", "an empty file"),
        ("a.csv", "a,b,a\n1,2,3\n", r"line 1: two columns are named 'a'"),
        ("a.csv", "a,b\n1,2\n\n1,2,3\n", r"line 4: 3 cells, but the header has 2: a, b; the row begins '1'"),
        ("a.csv", 'a,b\n"1\n1",2\n3\n', r"line 4: 1 cells, but the header has 2"),
        ("a.csv", 'a,b\n1,2\n"3,4\n5,6\n', r"line 3: a quote that never closes"),
        ("a.csv", 'a,b\n1,2\n"3"x,4\n', r"line 3: no row of a CSV file"),
        ("a.csv", "a,b\n1,2\r3,4\r5,6\n", r"line 2: a line end that is neither LF nor CR LF"),
        ("a.csv", 'a,b\n1,"' + "x\n" * 70_000, r"line 2: a cell of over 131,072 characters; does a quote never close"),
        ("a.csv", "a,b\n1,2\n\u00e9,\0\n", r"line 3: a NUL character; save the file as text in UTF-8"),
        ("a.csv", "a,b\n1,2\n".encode("utf-16"), r"line 1: a NUL character; save the file as text in UTF-8"),
        ("a.csv", "a,b\n1,2\nx,caf\u00e9\n".encode("latin-1"), r"line 3: byte 0xe9 at position 6 is not UTF-8"),
        ("a.tsv", b"a\tb\n" + b"x" * (MAX_LINE + 1), r"line 2: over 16 MiB in one line"),
        ("a.jsonl", '{"a": 1}\n{"a": \n', r"line 2: not JSON"),
        ("a.jsonl", '{"a": 1}\n[1]\n', r"line 2: one JSON object a line is needed, not '\[1\]'"),
        ("a.jsonl", '{"a": ' + "[" * 100_000 + "]" * 100_000 + "}", r"line 1: not JSON"),
        ("a.jsonl", '{"a": "\\ud800"}', r"line 1: a='\\ud800' is no text"),
        ("a.jsonl", '{"a": "\\u0000"}', r"line 1: a='\\x00' is no text"),
    ],
)
def test_what_is_no_table_is_refused_with_its_line(
    tmp_path: Path, name: str, content: str | bytes, message: str
) -> None:
    with pytest.raises(TrainingError, match=message) as caught:
        read(written(tmp_path, name, content))
    assert str(caught.value).startswith(str(tmp_path / name))
    assert len(str(caught.value).splitlines()) == 1


def test_names_of_another_number_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="line 1: 2 cells, but --columns names 3: text, label, group"):
        read(written(tmp_path, "a.csv", "a,1\n"), ("text", "label", "group"))
    with pytest.raises(TrainingError, match="name their columns; write --columns ROLE=NAME"):
        read(written(tmp_path, "a.jsonl", '{"a": 1}'), ("text",))


def test_a_file_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"none\.txt: no such file"), open_lines(tmp_path / "none.txt"):
        pass
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(TrainingError, match=r"folder\.csv: (is a directory|permission denied)"):
        read(tmp_path / "folder.csv")


class FailingDisk(BytesIO):
    def readline(self, size: int | None = -1, /) -> bytes:
        if self.tell() > 0:
            raise OSError(errno.EIO, "Input/output error")
        return super().readline(size)


def test_a_disk_that_fails_is_told_with_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "open", lambda path, mode: FailingDisk(b"a,b\n1,2\n"))
    with pytest.raises(TrainingError, match=r"a\.csv, line 2: input/output error"):
        read(Path("a.csv"))


STARTS = st.sampled_from([
    b"", b"text,label\n", b"left,right,same\n", b"s1,s2,score\n", b"anchor\tpositive\tnegative\n", b"text\n",
    b'"a\nb",c\n',
    b'{"text": "a", "label": "b"}\n', b'"text","label"\r\n', b"\xef\xbb\xbfpath;label\n",
])  # fmt: skip
DAMAGE = st.one_of(
    st.binary(max_size=60),
    st.lists(st.sampled_from([b'"', b",", b"\t", b"\n", b"\r", b"\0", b"a", b"1", b"0", b"{", b"}", b"\xff", b" "]),
             max_size=40).map(b"".join),
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(start=STARTS, damage=DAMAGE, suffix=st.sampled_from([".csv", ".tsv", ".jsonl", ".txt"]),
       kind=st.sampled_from([None, "unlabelled", "pairs"]))  # fmt: skip
def test_any_bytes_are_read_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, start: bytes, damage: bytes, suffix: str, kind: object
) -> None:
    file = written(tmp_path_factory.getbasetemp(), f"any{suffix}", start + damage)
    try:
        found = read_labelled(file, kind=kind)  # type: ignore[arg-type]
    except SimsearchError as error:
        assert len(str(error).splitlines()) == 1
        assert str(error).startswith(str(file))
    else:
        assert len(found.sources) >= 2
        assert found.lines is not None
        for array in (found.labels, found.pairs, found.scores, found.triplets):
            assert array is None or len(array) == len(found.lines)
