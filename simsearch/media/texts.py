"""Texts in files, each file as a whole."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import NamedTuple

from simsearch.errors import MediaError
from simsearch.media.encodings import decoded
from simsearch.media.files import read_head
from simsearch.media.rows import NO_TEXT, BadRow

TEXT_SUFFIXES = frozenset((".txt", ".md"))
MAX_TEXT_BYTES = 4 * 2**20


PART_WORDS, OVERLAP, MOST_OVERLAP = 200, 20, 100
"""Words of the parts of a long paragraph, which fit into 512 tokens; how many two parts share; at most so many."""
_WORD = re.compile(r"\S{1,20}")
"""A word, or a piece of the long runs of scripts without spaces."""


class Part(NamedTuple):
    """A paragraph, or a part of one, that begins in `line`; `key` is the line, then with the number of the part."""

    key: str
    text: str
    line: int


def paragraphs(lines: Iterator[tuple[int, str] | BadRow], overlap: int | None = None) -> Iterator[Part | BadRow]:
    """The paragraphs of numbered lines, which blank lines separate; long ones in parts of at most 200 words.

    Each part begins with the last `overlap` words (default: 20) of the one before, so that a sentence across the border
    is whole in one of them. A bad line ends a paragraph. Holds one paragraph, or 4 MiB of it, in memory.
    """
    shared = OVERLAP if overlap is None else overlap
    held: list[str] = []
    first = size = 0
    for line in lines:
        number, text = (line.line, "") if isinstance(line, BadRow) else line
        if held and (not text.strip() or size > MAX_TEXT_BYTES):
            yield from _parts(first, "\n".join(held), shared)
            held = []
        if isinstance(line, BadRow):
            yield line
        elif text.strip():
            first, size = (first, size + len(text)) if held else (number, len(text))
            held.append(text)
    if held:
        yield from _parts(first, "\n".join(held), shared)


def _parts(line: int, text: str, overlap: int) -> Iterator[Part]:
    words = [word.span() for word in _WORD.finditer(text)]
    step = PART_WORDS - overlap
    for number, start in enumerate(range(0, max(1, len(words) - overlap), step), start=1):
        part = words[start : start + PART_WORDS]
        yield Part(str(line) if number == 1 else f"{line}.{number}", text[part[0][0] : part[-1][1]], line)


def decode_text(content: bytes, encoding: str | None = None) -> str:
    """The text in at most 4 MiB, without a byte order mark, otherwise unchanged. Raises MediaError with the reason.

    The encoding is that of the byte order mark, else `encoding`, else UTF-8.
    """
    if len(content) > MAX_TEXT_BYTES:
        raise MediaError(
            f"over the limit of {MAX_TEXT_BYTES // 2**20} MiB for one text; its lines can be read as separate texts"
        )
    text = decoded(content, encoding)
    if not text.strip():
        raise MediaError(NO_TEXT if text else "empty file")
    return text


def read_text_bytes(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a file for `decode_text`, at most one more than its limit. Raises MediaError."""
    return read_head(path, MAX_TEXT_BYTES + 1)
