"""Text encoders on ONNX Runtime."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from simsearch.encoders.folder import TOKENIZER_NAME, read_verified
from simsearch.encoders.network import FolderEncoder
from simsearch.encoders.tokens import Tokens, load_tokens
from simsearch.errors import MediaError, UsageError, rows_of
from simsearch.media.ahead import ahead
from simsearch.media.arguments import one_source, shown, source_list
from simsearch.media.files import read_file

if TYPE_CHECKING:
    from simsearch.types import Ids, SourceLike, Vectors

BATCH = 256
BATCH_TOKENS = 8_192
"""Maximum number of texts and of ids (with padding) in a batch: bounds the memory."""
CHUNK = 8_192
"""Number of texts that `encode` tokenizes at a time."""


@dataclass(frozen=True, slots=True)
class PreparedText:
    """A text with its token ids. `width` and `height` are None."""

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
    """An opened text encoder. A str is the text itself, bytes are its UTF-8 encoding, a Path is a file with it."""

    @cached_property
    def _tokens(self) -> Tokens:
        content = read_verified(self.folder, self.config, TOKENIZER_NAME)
        return load_tokens(
            content,
            str(self.folder / TOKENIZER_NAME),
            max_tokens=self.config.max_tokens,
            vocabulary=self.config.vocabulary,
            codes=self.config.codes,
            padding=self.config.padding,
        )

    def prepare(self, source: SourceLike) -> PreparedText:
        """The text and its first `max_tokens` ids. Thread-safe. Raises MediaError with the reason only."""
        text = source if isinstance(source, str) else text_of(source)
        return PreparedText(text, self._tokens.ids(text))

    def embed(self, texts: Sequence[PreparedText]) -> Vectors:
        """Normalized embeddings of prepared texts, shape (n, dim), in their order.

        They are computed on all processors in batches of similar length. Raises VectorError for a zero or non-finite
        embedding, naming the row.
        """
        return self.checked(
            embedded([each.ids for each in texts], self.dim, lambda ids: self.run("ids", ids), self.config.padding)
        )

    def encode(self, sources: Sequence[SourceLike]) -> Vectors:
        """Embeddings of shape (len(sources), dim), in order.

        Raises MediaError, UsageError or VectorError for the first unusable text, with its path or its row.
        """
        sources = source_list(sources)
        return np.concatenate([self._encoded(sources, start) for start in range(0, max(1, len(sources)), CHUNK)])

    def _encoded(self, sources: Sequence[SourceLike], start: int) -> Vectors:
        rows = range(start, min(start + CHUNK, len(sources)))
        prepared = [self._prepare_row(row, sources[row]) for row in rows]
        with rows_of(rows):
            return self.embed(prepared)

    def _prepare_row(self, row: int, source: SourceLike) -> PreparedText:
        """Like `prepare`, with the path or the row in the message."""
        try:
            return self.prepare(source)
        except MediaError as error:
            if isinstance(source, Path):
                raise MediaError(f"{source}: {error.reason}") from error
            raise MediaError(error.reason, row) from error
        except UsageError as error:
            raise UsageError(f"row {row}: {error}") from error


def embedded(
    ids: Sequence[Sequence[int]], dim: int, run: Callable[[Ids], Vectors], padding: int = 0, length: int = 0
) -> Vectors:
    """The embeddings (n, dim) of token ids, in the order of `ids`; `run` is called on batches, on all processors."""
    lengths = np.fromiter(map(len, ids), np.int64, len(ids))
    order = np.argsort(lengths, kind="stable")
    batches = list(_batches(order, np.maximum(lengths, length)))

    def run_batch(batch: Ids) -> Vectors:
        return run(padded([ids[row] for row in batch], padding, length))

    vectors = np.empty((len(ids), dim), dtype=np.float32)
    parts = ahead(run_batch, batches) if len(batches) > 1 else map(run_batch, batches)
    for batch, part in zip(batches, parts, strict=True):
        vectors[batch] = part
    return vectors


def padded(ids: Sequence[Sequence[int]], padding: int = 0, length: int = 0) -> Ids:
    """The ids as one array (n, longest), at least `length` wide, padded with `padding`."""
    lengths = np.fromiter(map(len, ids), np.int64, len(ids))
    rows = np.full((len(ids), max(length, int(lengths.max(initial=0)))), padding, dtype=np.int64)
    flat = np.fromiter(itertools.chain.from_iterable(ids), np.int64, int(lengths.sum()))
    rows[np.arange(rows.shape[1]) < lengths[:, None]] = flat
    return rows


def _batches(order: Ids, lengths: Ids) -> Iterator[Ids]:
    """Consecutive batches of `order`, sorted by length, of at most 256 texts and 8,192 ids (or one text)."""
    start = 0
    while start < len(order):
        part = order[start : start + BATCH]
        sizes = lengths[part] * np.arange(1, len(part) + 1)
        taken = max(1, int(np.searchsorted(sizes, BATCH_TOKENS, side="right")))
        yield part[:taken]
        start += taken


def text_of(source: object) -> str:
    """The text in bytes or a file. Raises MediaError, and UsageError for what is none of these."""
    source = one_source(source)
    if isinstance(source, str):
        return source
    if isinstance(source, Path):
        source = read_file(source)
    if not isinstance(source, bytes):
        raise UsageError(f"{shown(source)} is not a text; give a str, UTF-8 bytes, a Path or an open file")
    try:
        return source.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MediaError(f"not UTF-8 text: byte 0x{source[error.start]:02x} at {error.start:,}") from None
