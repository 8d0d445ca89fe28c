"""Texts of whole files, and how files are read."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simsearch.errors import MediaError, UsageError
from simsearch.media.texts import (
    LISTED_AT_MOST,
    MAX_TEXT_BYTES,
    NO_TEXT,
    BadRow,
    BadRows,
    Reading,
    decode_text,
    read_text_bytes,
)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda text: text.strip()))
def test_a_text_is_what_its_bytes_say_with_or_without_a_mark(text: str) -> None:
    unmarked = text.removeprefix("\ufeff")
    if unmarked.strip():
        assert decode_text(text.encode()) == unmarked
    assert decode_text(codecs.BOM_UTF8 + text.encode()) == text


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty file"),
        (codecs.BOM_UTF8, "empty file"),
        (b" \n\t", NO_TEXT),
        (b"caf\xe9", "not UTF-8 (byte 0xe9 at 3); save it as UTF-8"),
        ("é".encode("utf-16"), "UTF-16, not UTF-8; save it as UTF-8"),
        ("é".encode("utf-32"), "UTF-32, not UTF-8; save it as UTF-8"),
        (codecs.BOM_UTF16_BE + "é".encode("utf-16-be"), "UTF-16, not UTF-8; save it as UTF-8"),
        (b"x" * (MAX_TEXT_BYTES + 1), "over the limit of 4 MiB for one text; --by line takes each line"),
    ],
)
def test_what_is_no_text_is_refused_with_the_reason(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(MediaError) as caught:
        decode_text(read_text_bytes(tmp_path / "a.txt"))
    assert str(caught.value) == reason


def test_no_more_of_a_long_file_is_read_than_needed(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"x" * (MAX_TEXT_BYTES + 1000))
    assert len(read_text_bytes(tmp_path / "a.txt")) == MAX_TEXT_BYTES + 1


def test_what_was_said_before_holds_until_something_else_is_said() -> None:
    before = Reading(by="line", text="body", label="kind")
    assert Reading().over(before) == before
    assert Reading(by="file", text="title", id="key").over(before) == Reading("file", "title", "key", "kind")
    assert Reading.unpacked(before.packed()) == before
    assert Reading.unpacked(None) == Reading.unpacked("") == Reading()


def test_only_what_matters_for_a_file_is_kept_of_it() -> None:
    said = Reading("line", "body", "key", "kind")
    for name in ("a.csv", "b.TSV", "dir.txt/c.jsonl"):
        assert said.of_rows(name) == Reading(None, "body", "key", "kind")
    assert said.of_rows("a.md") == Reading(by="line")
    assert Reading(by="file", text="body").of_rows("a.txt") is None
    assert Reading().of_rows("table.csv/a") is None
    with pytest.raises(UsageError, match="'file' or 'line'"):
        Reading(by="page")


def test_bad_rows_are_listed_up_to_a_limit_and_rows_without_text_counted() -> None:
    bad = BadRows("f.csv")
    for line in range(2, 250):
        bad.add(BadRow(line, NO_TEXT if line % 3 == 0 else "broken"))
    listed = bad.listed()
    assert [(skip.path, skip.reason) for skip in listed[:3]] == [
        ("f.csv:2", "broken"), ("f.csv:3", "no text; 83 rows in all"), ("f.csv:4", "broken"),
    ]  # fmt: skip
    assert len(listed) == LISTED_AT_MOST + 2
    assert sum(skip.count for skip in listed) == 248
    assert (listed[-1].path, listed[-1].reason) == ("f.csv:152", "left out for reasons like those; 65 rows in all")
