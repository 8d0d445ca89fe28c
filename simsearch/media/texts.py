"""Texts in files, each file as a whole."""

from __future__ import annotations

import os

from simsearch.errors import MediaError
from simsearch.media.encodings import NAME, decoded
from simsearch.media.files import read_head
from simsearch.media.rows import NO_TEXT

TEXT_SUFFIXES = frozenset((".txt", ".md"))
MAX_TEXT_BYTES = 4 * 2**20


def decode_text(content: bytes, encoding: str | None = None, cure: str = NAME) -> str:
    """The text in at most 4 MiB, without a byte order mark, otherwise unchanged. Raises MediaError with the reason.

    The encoding is that of the byte order mark, else `encoding`, else UTF-8; for another one the error suggests `cure`.
    """
    if len(content) > MAX_TEXT_BYTES:
        raise MediaError(
            f"over the limit of {MAX_TEXT_BYTES // 2**20} MiB for one text; its lines can be read as separate texts"
        )
    text = decoded(content, encoding, cure)
    if not text.strip():
        raise MediaError(NO_TEXT if text else "empty file")
    return text


def read_text_bytes(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a file for `decode_text`, at most one more than its limit. Raises MediaError."""
    return read_head(path, MAX_TEXT_BYTES + 1)
