"""Texts of whole files."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simsearch.errors import MediaError
from simsearch.media.encodings import NAME
from simsearch.media.rows import NO_TEXT
from simsearch.media.texts import MAX_TEXT_BYTES, decode_text, read_text_bytes


@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1).filter(
        lambda text: text.strip()
    )
)
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
        (
            b"caf\xe9",
            f"not UTF-8 (byte 0xe9 at 3); {NAME}",
        ),
        (
            codecs.BOM_UTF8 + b"\xe9",
            f"not UTF-8 (byte 0xe9 at 3); {NAME}",
        ),
        (
            codecs.BOM_UTF16_LE + b"a",
            f"not UTF-16-LE (byte 0x61 at 2); {NAME}",
        ),
        (
            "a".encode("utf-16-le"),
            f"a NUL character; if it is a text, {NAME}",
        ),
        (b"x" * (MAX_TEXT_BYTES + 1), "over the limit of 4 MiB for one text; its lines can be read as separate texts"),
    ],
)
def test_what_is_no_text_is_refused_with_the_reason(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(MediaError) as caught:
        decode_text(read_text_bytes(tmp_path / "a.txt"))
    assert str(caught.value) == reason


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
def test_a_byte_order_mark_tells_the_encoding(encoding: str) -> None:
    assert decode_text("café\r\n".encode(encoding)) == "café\r\n"
    assert decode_text("café".encode(encoding), "cp1252") == "café", "the mark counts for more than the name"


def test_an_encoding_can_be_named() -> None:
    assert decode_text("café".encode("cp1252"), "cp1252") == "café"
    with pytest.raises(MediaError, match=r"not CP932 \(byte 0x85 at 3\)"):
        decode_text(b"caf\x85", "cp932")


def test_no_more_of_a_long_file_is_read_than_needed(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"x" * (MAX_TEXT_BYTES + 1000))
    assert len(read_text_bytes(tmp_path / "a.txt")) == MAX_TEXT_BYTES + 1
