"""Rows of tables and lines of files: what is written comes out again, and one bad row never stops the rest."""

from __future__ import annotations

import csv
import io
import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simsearch.errors import MediaError, UsageError
from simsearch.media import lines
from simsearch.media.encodings import NAME
from simsearch.media.lines import MAX_LINE
from simsearch.media.rows import BadRow
from simsearch.media.text_rows import Reading, TextRow, read_rows


def read(folder: Path, name: str, content: str | bytes, **how: str) -> list[TextRow | BadRow]:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read_rows(str(path), Reading(**how)))


def failure(folder: Path, name: str, content: str | bytes, **how: str) -> str:
    with pytest.raises(MediaError) as caught:
        read(folder, name, content, **how)
    return str(caught.value)


def test_a_table_gives_texts_ids_labels_and_metadata(tmp_path: Path) -> None:
    content = 'id,text,label,price\n7,red dress,dress,10\n\n8,"blue\nshirt, ""new""",,12\n'
    assert read(tmp_path, "a.csv", content, label="label") == [
        TextRow("7", "red dress", 2, "dress", {"price": "10"}),
        TextRow("8", 'blue\nshirt, "new"', 4, None, {"price": "12"}),
    ]
    assert read(tmp_path, "a.csv", content, text="label", id="price") == [
        TextRow("10", "dress", 2, None, {"id": "7", "text": "red dress"}),
        BadRow(4, "no text"),
    ]


@pytest.mark.parametrize("sign", [";", "\t"])
def test_columns_may_be_parted_by_other_signs(tmp_path: Path, sign: str) -> None:
    content = sign.join(["id", "text"]) + "\n" + sign.join(["7", '"red, blue"']) + "\n" + sign.join(["8", "hat"])
    assert read(tmp_path, "a.csv", content) == [TextRow("7", "red, blue", 2), TextRow("8", "hat", 3)]
    assert failure(tmp_path, "b.csv", "x" * (MAX_LINE + 1)) == (
        "line 1: a line of over 4,194,304 characters; is this a text file?"
    )


def test_rows_without_ids_are_numbered_and_bad_ones_keep_their_number(tmp_path: Path) -> None:
    found = read(tmp_path, "a.csv", "text\none\n\ntwo,2\nthree\n")
    assert found == [TextRow("1", "one", 2), BadRow(4, "2 cells, but the header has 1"), TextRow("3", "three", 5)]


WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=12)
TABLE = st.lists(st.tuples(WORDS, WORDS.filter(lambda text: text.strip())), min_size=1, max_size=8)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(table=TABLE, mark=st.sampled_from(["", "\ufeff"]), end=st.sampled_from(["\n", "\r\n"]))
def test_what_is_written_comes_out_again(tmp_path: Path, table: list[tuple[str, str]], mark: str, end: str) -> None:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator=end)
    writer.writerows([("note", "text"), *table])
    found = read(tmp_path, "a.csv", mark + stream.getvalue())
    assert [(row.key, row.text, row.metadata) for row in found if isinstance(row, TextRow)] == [
        (str(number), text, {"note": note} if note.strip() else {}) for number, (note, text) in enumerate(table, 1)
    ]
    lines = end.join(json.dumps({"note": note, "text": text}) for note, text in table)
    found = read(tmp_path, "a.jsonl", mark + lines)
    assert [(row.key, row.text, row.metadata) for row in found if isinstance(row, TextRow)] == [
        (str(number), text, {"note": note} if note.strip() else {}) for number, (note, text) in enumerate(table, 1)
    ]


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=60), name=st.sampled_from(["a.csv", "a.tsv", "a.jsonl", "a.txt"]))
def test_any_bytes_are_read_or_refused_in_one_line(tmp_path: Path, content: bytes, name: str) -> None:
    head = b"text,b\n" if name == "a.csv" else b"text\tb\n" if name == "a.tsv" else b""
    try:
        for row in read(tmp_path, name, head + content):
            if isinstance(row, BadRow):
                assert row.reason.isprintable() and row.line >= 1
            else:
                assert row.text.strip() and row.text.encode() and row.key
    except MediaError as error:
        assert str(error).isprintable()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"b,2,3", "3 cells, but the header has 2"),
        (
            b"caf\xe9,2",
            f"not UTF-8 (byte 0xe9 at 4); {NAME}",
        ),
        (b'"b"c,2', "',' expected after '\"'"),
        (b",2", "no text"),
        (b'"\n \n",2', "no text"),
    ],
)
def test_a_bad_row_of_a_table_is_told_by_its_line_and_the_others_are_read(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    found = read(tmp_path, "a.csv", b'text,n\n"a\na",1\n' + content + b"\nc,3\n")
    last = 5 + content.count(b"\n")
    assert found == [
        TextRow("1", "a\na", 2, None, {"n": "1"}),
        BadRow(4, reason),
        TextRow("3", "c", last, None, {"n": "3"}),
    ]


def test_a_quote_that_is_not_closed_is_told_with_the_lines_that_it_takes(tmp_path: Path) -> None:
    (bad,) = read(tmp_path, "a.csv", 'text\n"open\nb\nc\n')
    assert bad == BadRow(2, "a quote is not closed, or a cell is over 131,072 characters (lines 2 to 4)")
    found = read(tmp_path, "a.csv", 'text\n"open\n' + "line\n" * 40_000 + "last\n")
    assert isinstance(found[0], BadRow) and found[0].line == 2 and "is not closed" in found[0].reason
    assert isinstance(found[-1], TextRow) and found[-1].text == "last"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"text": "a"', "not JSON (Expecting ',' delimiter in column 13)"),
        ('["a"]', 'not a JSON object but ["a"]'),
        ('{"n": 1}', "no field 'text' (--text-column); it has n"),
        ("{}", "no text"),
        ('{"text": [5]}', "'text' is neither text nor number but [5]"),
        ('{"text": null}', "no text"),
        ('{"text": "a", "id": ""}', "no id"),
        ('{"text": "a", "id": [1]}', "'id' is neither text nor number but [1]"),
        ('{"text": "\\ud800"}', "half of a character (a lone surrogate) in a text"),
        ('{"text": "a", "n": ["\\u0000"]}', "a NUL character in a text"),
        ('{"text": "a", "n": NaN}', "not JSON (NaN is not a number in JSON)"),
        ('{"text": "a", "n": [-1e400]}', "not JSON (-1e400 is not a number in JSON)"),
        ('{"text": "a", "n": ' + "[" * 100_000 + "}", None),
        ('{"text": "a", "n": ' + "1" * 5000 + "}", None),
    ],
)
def test_a_bad_line_of_json_is_told_and_the_others_are_read(tmp_path: Path, line: str, reason: str | None) -> None:
    first, bad, last = read(tmp_path, "a.jsonl", f'{{"text": "x"}}\n{line}\n\n{{"text": "y", "id": 9}}\n')
    assert (first, last) == (TextRow("1", "x", 1), TextRow("9", "y", 4))
    assert isinstance(bad, BadRow) and bad.line == 2
    if reason is None:
        assert bad.reason.startswith("not JSON (")
    else:
        assert bad.reason == reason


def test_json_keeps_the_kinds_of_its_values(tmp_path: Path) -> None:
    line = '{"id": 3, "body": "x", "label": true, "n": 1.5, "tags": ["é", null]}'
    assert read(tmp_path, "a.jsonl", line, text="body", label="label") == [
        TextRow("3", "x", 1, "true", {"n": 1.5, "tags": ["é", None]})
    ]


def test_a_tsv_file_knows_no_quotes(tmp_path: Path) -> None:
    found = read(tmp_path, "a.tsv", 'text\tn\n"Hello" she said\t1\n"open\t2\n')
    assert found == [
        TextRow("1", '"Hello" she said', 2, None, {"n": "1"}),
        TextRow("2", '"open', 3, None, {"n": "2"}),
    ]


def test_lines_that_are_not_blank_are_texts(tmp_path: Path) -> None:
    found = read(tmp_path, "a.txt", b"\xef\xbb\xbfone\r\n\n  \n two \nca\xe9\nlast", by="line")
    assert found == [
        TextRow("1", "one", 1),
        TextRow("4", " two ", 4),
        BadRow(5, f"not UTF-8 (byte 0xe9 at 3); {NAME}"),
        TextRow("6", "last", 6),
    ]


def test_a_line_without_end_is_not_held_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_LINE", 100)
    monkeypatch.setattr(lines, "CHUNK", 7)
    found = read(tmp_path, "a.txt", b"one\n" + b"x" * 1000 + b"\ntwo\n" + b"z" * 100 + b"\r\n" + b"y" * 101)
    assert [row.text if isinstance(row, TextRow) else row.line for row in found] == ["one", 2, "two", "z" * 100, 5]


@pytest.mark.parametrize(
    ("name", "content", "how", "reason"),
    [
        ("a.csv", b"", {}, "empty file"),
        ("a.csv", b"\n\n", {}, "empty file"),
        ("a.csv", b"\n,,\n", {}, "line 2: no names of columns"),
        ("a.csv", b"id,body\n1,x\n", {}, "no column 'text' (--text-column); the columns are id, body"),
        ("a.csv", b"id,text\n", {"id": "key"}, "no column 'key' (--id-column); the columns are id, text"),
        ("a.csv", b"id,text\n", {"label": "kind"}, "no column 'kind' (--label-column); the columns are id, text"),
        ("a.csv", b"text,n,n\n", {}, "line 1: two columns are named 'n'; rename one"),
        (
            "a.csv",
            b"te\xe9xt\n",
            {},
            f"line 1: not UTF-8 (byte 0xe9 at 3); {NAME}",
        ),
    ],
)
def test_what_is_wrong_with_a_whole_table_is_told(
    tmp_path: Path, name: str, content: bytes, how: dict[str, str], reason: str
) -> None:
    found = failure(tmp_path, name, content, **how)
    assert found == reason


def test_columns_without_a_name_are_left_out(tmp_path: Path) -> None:
    assert read(tmp_path, "a.csv", ",text,,\n0,x,,y\n") == [TextRow("1", "x", 2)]


def test_a_table_that_is_not_there_or_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "f.csv").mkdir()
    for name, reason in (("f.csv", "is a folder"), ("missing.csv", "no such file")):
        with pytest.raises(MediaError, match=reason):
            list(read_rows(str(tmp_path / name), Reading()))


def test_what_was_said_before_holds_until_something_else_is_said() -> None:
    before = Reading(by="line", text="body", label="kind")
    assert Reading().over(before) == before
    assert Reading(by="file", text="title", id="key").over(before) == Reading("file", "title", "key", "kind")
    assert Reading.unpacked(before.packed()) == before
    assert Reading.unpacked(None) == Reading.unpacked("") == Reading()


def test_readings_of_before_there_were_encodings_are_the_same() -> None:
    packed = '{"by": null, "text": "body", "id": null, "label": null}'
    assert Reading.unpacked(packed) == Reading(text="body")
    assert Reading(text="body").packed() == packed
    assert Reading.unpacked(Reading(encoding="cp1252").packed()) == Reading(encoding="cp1252")


def test_only_what_matters_for_a_file_is_kept_of_it() -> None:
    said = Reading("line", "body", "key", "kind")
    for name in ("a.csv", "b.TSV", "dir.txt/c.jsonl"):
        assert said.of_rows(name) == Reading(None, "body", "key", "kind")
    assert said.of_rows("a.md") == Reading(by="line")
    assert Reading(by="file", text="body").of_rows("a.txt") is None
    assert Reading().of_rows("table.csv/a") is None
    assert Reading("line", encoding="cp1252").of_rows("a.md") == Reading("line", encoding="cp1252")
    with pytest.raises(UsageError, match="no encoding 'utf-9'"):
        Reading(encoding="utf-9")
    with pytest.raises(UsageError, match="'file', 'line' or 'paragraph'"):
        Reading(by="page")


def paragraph_rows(path: Path, **options: object) -> list[TextRow | BadRow]:
    return list(read_rows(str(path), Reading(by="paragraph", **options)))


def test_paragraphs_are_items_named_by_their_lines(tmp_path: Path) -> None:
    file = tmp_path / "a.md"
    file.write_bytes(b"\n# Title\n\nOne line\nand another.\n \t\nbad \xff\nlast\n")
    assert paragraph_rows(file) == [
        TextRow("2", "# Title", 2),
        TextRow("4", "One line\nand another.", 4),
        BadRow(7, f"not UTF-8 (byte 0xff at 5); {NAME}"),
        TextRow("8", "last", 8),
    ]


def test_a_long_paragraph_has_parts_that_overlap(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    words = [f"w{number}" for number in range(450)]
    file.write_text("short\n\n" + " ".join(words))
    for overlap, expected in ((None, 20), (0, 0), (100, 100)):
        first, *parts = paragraph_rows(file, overlap=overlap)
        assert first.text == "short"
        assert [part.key for part in parts] == ["3", *(f"3.{number}" for number in range(2, len(parts) + 1))]
        cut = [part.text.split() for part in parts]
        assert all(len(part) <= 200 for part in cut)
        assert all(one[len(one) - expected :] == other[:expected] for one, other in pairwise(cut))
        joined = cut[0] + [word for part in cut[1:] for word in part[expected:]]
        assert joined == words
    with pytest.raises(UsageError, match="an overlap of 101 words: must be from 0 to 100"):
        Reading(overlap=101)


def test_scripts_without_spaces_are_split_too(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("あ" * 10_000, encoding="utf-8")
    parts = paragraph_rows(file, overlap=0)
    assert "".join(part.text for part in parts) == "あ" * 10_000
    assert max(len(part.text) for part in parts) == 4_000


def test_the_overlap_is_kept_with_the_other_settings() -> None:
    said = Reading(by="paragraph", overlap=5)
    assert Reading.unpacked(said.packed()) == said
    assert said.of_rows("a.md") == said
    assert said.of_rows("a.csv") == Reading()
    assert said.given() == {"by": "paragraph", "overlap": "5"}
