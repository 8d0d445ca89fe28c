"""Lines of files in any encoding and with any end."""

from __future__ import annotations

import codecs
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simsearch.errors import MediaError, UsageError
from simsearch.media import lines
from simsearch.media.encodings import NAME, check_encoding
from simsearch.media.lines import Lines, read_lines
from simsearch.media.rows import BadRow

LINE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\n\ufeff"), max_size=6)


@settings(max_examples=100, deadline=None)
@given(
    texts=st.lists(LINE, max_size=6),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    tail=LINE,
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-be", "gb18030", "utf-7"]),
    chunk=st.integers(4, 9),
)
def test_lines_are_what_was_written(texts: list[str], end: str, tail: str, encoding: str, chunk: int) -> None:
    content = "".join(text + end for text in texts) + tail
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "CHUNK", chunk if end != "\r" else 2**16)
        found = list(Lines(io.BytesIO(content.encode(encoding)), encoding))
    assert "".join(found) == content
    assert [line.removesuffix(end) for line in found] == texts + [tail] * bool(tail)


def test_a_carriage_return_ends_lines_only_where_nothing_else_does() -> None:
    assert list(Lines(io.BytesIO(b"10 %\r20 %\nnext"), None)) == ["10 %\r20 %\n", "next"]
    assert list(Lines(io.BytesIO(b'a,"b\nc"\rd'), None, quoted=True)) == ['a,"b\nc"\r', "d"]
    assert list(Lines(io.BytesIO(b'a,"b\rc"\nd'), None, quoted=True)) == ['a,"b\rc"\n', "d"]


@pytest.mark.parametrize(
    ("content", "encoding", "reason"),
    [
        (b"caf\xe9", None, f"not UTF-8 (byte 0xe9 at 4); {NAME}"),
        (b"\xed\xa0\x80", None, f"not UTF-8 (byte 0xed at 1); {NAME}"),
        (
            "x\ud800".encode("utf-16-le", "surrogatepass"),
            "UTF_16LE",
            f"not UTF-16-LE (half of a character at 2); {NAME}",
        ),
        (b"a\0b", None, f"a NUL character; if it is a text, {NAME}"),
    ],
)
def test_a_bad_line_does_not_stop_the_others(tmp_path: Path, content: bytes, encoding: str | None, reason: str) -> None:
    wide = encoding or "utf-8"
    (tmp_path / "a.txt").write_bytes("one\n".encode(wide) + content + "\ntwo".encode(wide))
    assert list(read_lines(str(tmp_path / "a.txt"), encoding)) == [(1, "one"), BadRow(2, reason), (3, "two")]


def test_a_file_that_cannot_be_decoded_on_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(codecs.BOM_UTF16_LE + "one\ntwo".encode("utf-16-le") + b"x")
    found = read_lines(str(tmp_path / "a.txt"))
    with pytest.raises(MediaError, match=r"^after line \d: not UTF-16-LE \(truncated data\); save it"):
        list(found)


@pytest.mark.parametrize("name", ["utf-9", "rot13", "base64", "", "a\0b", "\ud800", "undefined"])
def test_what_is_no_encoding_is_refused_in_one_line(name: str) -> None:
    with pytest.raises(UsageError, match=r"^no encoding ") as caught:
        check_encoding(name)
    assert str(caught.value).isprintable()
    check_encoding("Latin-1")
    check_encoding(None)
