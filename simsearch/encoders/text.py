"""Text encoders on ONNX Runtime."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from simsearch.encoders.folder import TOKENIZER_NAME, read_verified
from simsearch.encoders.network import FolderEncoder
from simsearch.encoders.tokens import Tokens, load_tokens
from simsearch.errors import MediaError
from simsearch.media.ahead import ahead
from simsearch.media.files import read_file
from simsearch.media.several import several

if TYPE_CHECKING:
    from simsearch.types import Ids, Source, Vectors

BATCH = 256
BATCH_TOKENS = 8_192
"""Most texts and most ids (with padding) that go through the network at once: bounds its memory."""
CHUNK = 8_192
"""Texts that `encode` holds the ids of at a time."""


@dataclass(frozen=True, slots=True)
class PreparedText:
    """The ids of a text's tokens. It has no `width` and no `height`."""

    text: str
    ids: tuple[int, ...]

    @property
    def width(self) -> None:
        return None

    @property
    def height(self) -> None:
        return None


@dataclass(frozen=True)
class OnnxTextEncoder(FolderEncoder):
    """A text encoder's folder in use. A str is the text itself, bytes are its UTF-8, a Path is a file of it."""

    @cached_property
    def _tokens(self) -> Tokens:
        content = read_verified(self.folder, self.config, TOKENIZER_NAME)
        return load_tokens(
            content, str(self.folder / TOKENIZER_NAME),
            max_tokens=self.config.max_tokens, vocabulary=self.config.vocabulary, codes=self.config.codes,
        )  # fmt: skip

    def prepare(self, source: Source) -> PreparedText:
        """The text and its first `max_tokens` ids. Safe in threads. Raises MediaError with the reason alone."""
        text = source if isinstance(source, str) else text_of(source)
        return PreparedText(text, self._tokens.ids(text))

    def embed(self, texts: Sequence[PreparedText]) -> Vectors:
        """Unit vectors of prepared texts, shape (n, dim), in their order.

        They are computed on all processors in batches of similar length. Raises VectorError when the network gives
        a zero or non-finite vector, naming the row.
        """
        lengths = np.fromiter((len(each.ids) for each in texts), np.int64, len(texts))
        order = np.argsort(lengths, kind="stable")
        batches = list(_batches(order, lengths))

        def run(batch: Ids) -> Vectors:
            return self.run("ids", padded([texts[row].ids for row in batch]))

        vectors = np.empty((len(texts), self.dim), dtype=np.float32)
        parts = ahead(run, batches) if len(batches) > 1 else map(run, batches)
        for batch, part in zip(batches, parts, strict=True):
            vectors[batch] = part
        return self.checked(vectors)

    def encode(self, sources: Sequence[Source]) -> Vectors:
        """Vectors of shape (len(sources), dim), in order. Raises MediaError naming the first unusable text."""
        sources = several(sources)
        parts = [
            self.embed([self._numbered(row, sources[row]) for row in range(start, min(start + CHUNK, len(sources)))])
            for start in range(0, max(1, len(sources)), CHUNK)
        ]
        return np.concatenate(parts)

    def _numbered(self, row: int, source: Source) -> PreparedText:
        try:
            return self.prepare(source)
        except MediaError as error:
            name = str(source) if isinstance(source, Path) else f"text {row + 1}"
            raise MediaError(f"{name}: {error}") from error


def padded(ids: Sequence[Sequence[int]]) -> Ids:
    """The ids as one array (n, longest), filled up with 0."""
    lengths = np.fromiter(map(len, ids), np.int64, len(ids))
    rows = np.zeros((len(ids), int(lengths.max(initial=0))), dtype=np.int64)
    flat = np.fromiter(itertools.chain.from_iterable(ids), np.int64, int(lengths.sum()))
    rows[np.arange(rows.shape[1]) < lengths[:, None]] = flat
    return rows


def _batches(order: Ids, lengths: Ids) -> Iterator[Ids]:
    """Consecutive parts of `order`, in which lengths rise, each with at most 256 texts and 8,192 ids (or one text)."""
    start = 0
    while start < len(order):
        part = order[start : start + BATCH]
        sizes = lengths[part] * np.arange(1, len(part) + 1)
        taken = max(1, int(np.searchsorted(sizes, BATCH_TOKENS, side="right")))
        yield part[:taken]
        start += taken


def text_of(source: object) -> str:
    """The text that bytes or a file hold. Raises MediaError."""
    if isinstance(source, Path):
        source = read_file(source)
    if not isinstance(source, bytes):
        raise MediaError(f"{type(source).__name__} is no text: give a str, UTF-8 bytes or a Path")
    try:
        return source.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MediaError(f"not UTF-8 text: byte 0x{source[error.start]:02x} at {error.start:,}") from None
