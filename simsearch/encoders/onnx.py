"""Image encoders on ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from simsearch.encoders.folder import ONNX_NAME
from simsearch.encoders.network import FolderEncoder
from simsearch.errors import MediaError, UsageError, rows_of
from simsearch.media.ahead import ahead
from simsearch.media.arguments import one_source, source_list
from simsearch.media.images import Picture, PixelSpec, decode, from_array, from_image, read_file
from simsearch.types import Item, Text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.types import SourceLike, Vectors

BATCH = 32


@dataclass(frozen=True)
class OnnxEncoder(FolderEncoder):
    """An opened image encoder."""

    @cached_property
    def spec(self) -> PixelSpec:
        config = self.config
        return PixelSpec(config.width, config.height, config.channels, config.fit, config.resample, config.zoom)

    def prepare(self, source: SourceLike) -> Picture:
        """The preprocessed pixels of a source. Thread-safe. Raises MediaError with the reason only."""
        if isinstance(source, (str, Path)):
            return decode(read_file(source), self.spec)
        given = one_source(source)
        if isinstance(given, bytes):
            return decode(given, self.spec)
        if isinstance(given, np.ndarray):
            return from_array(given, self.spec)
        if isinstance(given, Text):
            raise MediaError("the open file is in text mode; open it in binary mode, as open(path, 'rb')")
        if isinstance(given, (str, Path, Item)):
            return decode(read_file(given.uri if isinstance(given, Item) else given), self.spec)
        return from_image(given, self.spec)

    def embed(self, pictures: Sequence[Picture]) -> Vectors:
        """Unit vectors of prepared images, shape (n, dim), computed in batches of 32 on all processors.

        Raises VectorError for a zero or non-finite embedding, naming the row.
        """
        chunks = [pictures[start : start + BATCH] for start in range(0, len(pictures), BATCH)]
        # One thread for each batch and several batches in parallel: no thread waits for others after each layer.
        parts = list(ahead(self._run, chunks)) if len(chunks) > 1 else [self._run(chunk) for chunk in chunks]
        vectors = np.concatenate(parts) if parts else np.empty((0, self.dim), dtype=np.float32)
        return self.checked(vectors)

    def _run(self, pictures: Sequence[Picture]) -> Vectors:
        return self.run("pixels", np.stack([each.pixels for each in pictures]))

    def features(self, pictures: Sequence[Picture]) -> NDArray[np.float32]:
        """The features that heads take, shape (n, features). Raises EncoderError if the network has no such output."""
        pixels = np.stack([each.pixels for each in pictures])
        return self.output_of(self._session, "features", "pixels", pixels, ONNX_NAME)

    def encode(self, sources: Sequence[SourceLike]) -> Vectors:
        """Embeddings of shape (len(sources), dim), in order.

        Raises MediaError, UsageError or VectorError for the first unusable source, with its path or its row.
        """
        parts, pending, done = [], [], 0
        for picture in ahead(self._prepare_row, enumerate(source_list(sources))):
            pending.append(picture)
            if len(pending) == BATCH:
                parts.append(self._embed_rows(pending, done))
                done, pending = done + BATCH, []
        parts.append(self._embed_rows(pending, done))
        return np.concatenate(parts)

    def _embed_rows(self, pictures: Sequence[Picture], first: int) -> Vectors:
        with rows_of(range(first, first + len(pictures))):
            return self.embed(pictures)

    def _prepare_row(self, numbered: tuple[int, SourceLike]) -> Picture:
        """Like `prepare`, with the path or the row in the message."""
        row, source = numbered
        try:
            return self.prepare(source)
        except MediaError as error:
            if isinstance(source, (str, Path)):
                raise MediaError(f"{source}: {error.reason}") from error
            raise MediaError(error.reason, row) from error
        except UsageError as error:
            raise UsageError(f"row {row}: {error}") from error
