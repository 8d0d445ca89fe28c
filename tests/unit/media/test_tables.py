"""The one reader of tables: what is written comes out again, and what is wrong is reported with its line."""

from __future__ import annotations

import csv
import errno
import io
import json
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simsearch.errors import MediaError
from simsearch.media import json_rows, tables
from simsearch.media.encodings import NAME
from simsearch.media.rows import BadRow, Row
from simsearch.media.tables import open_table, shown

CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=8)
PLAIN = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\n\t"), max_size=8)


def read(
    folder: Path, name: str, content: str | bytes, names: tuple[str, ...] = (), encoding: str | None = None
) -> tuple[tuple[str, ...] | None, list[Row | BadRow]]:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with open_table(path, names=names, encoding=encoding) as table:
        return table.columns, list(table.rows)


def values(rows: list[Row | BadRow]) -> list[tuple[object, ...]]:
    return [tuple(row.values.values()) if isinstance(row, Row) else (row.line, row.reason) for row in rows]


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.tuples(CELL, CELL), max_size=8),
    end=st.sampled_from(["\n", "\r\n"]),
    bom=st.booleans(),
    separator=st.sampled_from([",", ";", "\t"]),
    said=st.booleans(),
)
def test_what_a_spreadsheet_writes_comes_out_again(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, str]],
    end: str,
    bom: bool,
    separator: str,
    said: bool,
) -> None:
    stream = io.StringIO(newline="")
    stream.write(f"sep={separator}{end}" if said else "")
    writer = csv.writer(stream, lineterminator=end, delimiter=separator)
    writer.writerow(["one", "two"])
    starts = []
    for row in rows:
        starts.append(1 + stream.getvalue().count("\n"))
        writer.writerow(row)
    content = stream.getvalue().encode("utf-8-sig" if bom else "utf-8")
    columns, found = read(tmp_path_factory.getbasetemp(), "written.csv", content)
    assert columns == ("one", "two")
    assert found == [
        Row(start, number, dict(zip(("one", "two"), row, strict=True)))
        for number, (start, row) in enumerate(zip(starts, rows, strict=True), start=1)
    ]


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(PLAIN, PLAIN), max_size=8), suffix=st.sampled_from([".tsv", ".TAB", ".txt"]))
def test_between_tabs_quotes_are_letters(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], suffix: str
) -> None:
    content = "".join(f"{left}\t{right}\n" for left, right in [("one", "two"), *rows])
    _, found = read(tmp_path_factory.getbasetemp(), f"written{suffix}", content)
    assert found == [Row(number + 1, number, {"one": one, "two": two}) for number, (one, two) in enumerate(rows, 1)]


VALUE = st.recursive(
    st.one_of(CELL, st.integers(), st.booleans(), st.none(), st.floats(allow_nan=False, allow_infinity=False)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(CELL, inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.dictionaries(CELL, VALUE, max_size=3), max_size=6), indent=st.sampled_from([None, 1]))
def test_json_comes_out_again(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, object]], indent: int | None
) -> None:
    folder = tmp_path_factory.getbasetemp()
    lines = "\n\n".join(json.dumps(row) for row in rows)
    columns, found = read(folder, "written.ndjson", lines)
    assert columns is None
    assert found == [Row(2 * number - 1, 2 * number - 1, row) for number, row in enumerate(rows, start=1)]
    content = json.dumps(rows, indent=indent, ensure_ascii=False)
    _, found = read(folder, "written.json", content)
    starts = [2] * len(rows) if indent else [1] * len(rows)
    for number in range(1, len(rows)):
        starts[number] = starts[number - 1] + (json.dumps(rows[number - 1], indent=1).count("\n") + 1 if indent else 0)
    assert found == [Row(line, number, row) for number, (line, row) in enumerate(zip(starts, rows, strict=True), 1)]


def test_names_stand_for_a_missing_header(tmp_path: Path) -> None:
    assert read(tmp_path, "a.csv", "a,1\nb,2\n", ("text", "-")) == (
        ("text",),
        [Row(1, 1, {"text": "a"}), Row(2, 2, {"text": "b"})],
    )
    _, found = read(tmp_path, "a.csv", "A,1\nb,2\n", ("a", "1"))
    assert found == [Row(2, 1, {"a": "b", "1": "2"})], "a first row that says the same is the header"
    _, found = read(tmp_path, "a.csv", "a,1\n", ("text", "label", "group"))
    assert found == [BadRow(1, "2 cells, but --columns names 3")]
    for name in ("a.jsonl", "a.ndjson", "a.json"):
        with pytest.raises(MediaError, match="name their columns; give --columns ROLE=NAME"):
            read(tmp_path, name, '{"a": 1}', ("text",))


def test_rows_are_empty_or_bad_and_the_others_follow(tmp_path: Path) -> None:
    content = 'a,b\n1,2\n\n , \n   \n1,2,3\n"3"x,4\n5,\0\n"6\n6",7\n8,9\r,\n9,10\n'
    _, found = read(tmp_path, "a.csv", content)
    assert found == [
        Row(2, 1, {"a": "1", "b": "2"}),
        Row(4, 2, {"a": " ", "b": " "}),
        Row(5, 3, {}),
        BadRow(6, "3 cells, but the header has 2"),
        BadRow(7, "',' expected after '\"'"),
        BadRow(8, f"a NUL character; if it is a text, {NAME}"),
        Row(9, 7, {"a": "6\n6", "b": "7"}),
        BadRow(11, "a line end within a cell that has no quotes"),
        Row(12, 9, {"a": "9", "b": "10"}),
    ]
    assert [row.is_empty for row in found if isinstance(row, Row)] == [False, True, True, False, False]


@pytest.mark.parametrize("first", ["sep=|", '"sep=|"', "SEP=|"])
def test_a_first_line_names_the_separator(tmp_path: Path, first: str) -> None:
    assert values(read(tmp_path, "a.csv", f"{first}\r\na|b,c\r\n1|2\r\n")[1]) == [("1", "2")]
    with pytest.raises(MediaError, match="empty file"):
        read(tmp_path, "a.csv", first)


def test_lines_may_end_in_carriage_returns(tmp_path: Path) -> None:
    assert values(read(tmp_path, "a.csv", 'a,b\r1,"2\n3"\r4,5')[1]) == [("1", "2\n3"), ("4", "5")]
    assert values(read(tmp_path, "a.tsv", "a\tb\r1\t2\r")[1]) == [("1", "2")]
    assert values(read(tmp_path, "a.jsonl", '{"a": 1}\r{"a": 2}\r')[1]) == [(1,), (2,)]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("[]", []),
        (" [ ] \n", []),
        (
            '[{"a": 1}, 2, {"a": NaN}, {"a": "\\u0000"}, {"a": 3}]',
            [
                (1,),
                (1, "not a JSON object but 2"),
                (1, "not JSON (NaN is not a number in JSON)"),
                (1, "a NUL character in a text"),
                (3,),
            ],
        ),
        ("[\r1,\r2]", [(2, "not a JSON object but 1"), (3, "not a JSON object but 2")]),
        ('\n[\n{"a": 1}\n,\n{"a": 1e999}]', [(1,), (5, "not JSON (1e999 is not a number in JSON)")]),
    ],
)
def test_what_is_no_object_of_an_array_is_a_bad_row(
    tmp_path: Path, content: str, expected: list[tuple[object, ...]]
) -> None:
    assert values(read(tmp_path, "a.json", content)[1]) == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no array of objects"),
        (b'{"a": 1}\n{"a": 2}\n', "an object in each line must be named .jsonl"),
        (b'[{"a": 1},\n{"a": 2]', r"^line 2: not JSON \(Expecting ',' delimiter in column 8\)"),
        (b'[{"a": 1}\n\n{"a": 2}]', r"^line 3: not JSON \(a comma or the end of the array is missing\)"),
        (b'[{"a": 1},]', r"^line 1: not JSON \(Expecting value in column 11\)"),
        (b'[{"a": 1}] x', r"^not JSON \(more text after the array\)"),
        (b'[{"a": 1}', "the end of the array is missing"),
        (b"[" * 100_000, r"^line 1: not JSON \("),
        (b'[{"a": ' + b"1" * 5000 + b"}]", r"^line 1: not JSON \(Exceeds the limit"),
        (b'["caf\xe9"]', r"not UTF-8 \(byte 0xe9 at 5\)"),
    ],
)
def test_what_is_no_array_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(MediaError, match=message) as caught:
        read(tmp_path, "a.json", content)
    assert len(str(caught.value).splitlines()) == 1


def test_an_array_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert json_rows.MAX_ARRAY == 64 * 2**20
    monkeypatch.setattr(tables, "MAX_ARRAY", 3 * 2**20)
    with pytest.raises(MediaError, match=r"^over the limit of 3 MiB for a JSON array; \.jsonl.* has no limit$"):
        read(tmp_path, "a.json", b"[" + b" " * 3 * 2**20 + b"]")


@pytest.mark.parametrize(("name", "row"), [("a.csv", b"some words,1\n"), ("a.jsonl", b'{"text": "some", "n": 1}\n')])
def test_a_long_file_is_not_held_in_memory(tmp_path: Path, name: str, row: bytes) -> None:
    (tmp_path / name).write_bytes(b"text,n\n" * (name == "a.csv") + row * 200_000)
    tracemalloc.start()
    try:
        with open_table(tmp_path / name) as table:
            assert sum(1 for _ in table.rows) == 200_000
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_a_file_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"^no such file$"), open_table(tmp_path / "none.csv"):
        pass
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(MediaError, match=r"^is a folder$"), open_table(tmp_path / "folder.csv"):
        pass


class FailingDisk(io.BytesIO):
    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() > 0:
            raise OSError(errno.EIO, "Input/output error")
        return super().read(size)


def test_a_disk_that_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.csv").touch()
    monkeypatch.setattr("os.fdopen", lambda *_, **__: FailingDisk(b"a,b\n1,2\n"))
    with pytest.raises(MediaError, match=r"^input/output error$"):
        read(tmp_path, "a.csv", "")


def test_names_of_columns_are_shown_on_a_line() -> None:
    assert shown(["a", "b\nc\0"]) == "a, b c"
    assert len(shown(["x" * 300])) == 200
