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
from simsearch.errors import MediaError
from simsearch.media.ahead import ahead
from simsearch.media.arguments import source_list
from simsearch.media.images import Picture, PixelSpec, decode, from_array, from_image, read_file

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.types import Source, Vectors

BATCH = 32


@dataclass(frozen=True)
class OnnxEncoder(FolderEncoder):
    """An opened image encoder."""

    @cached_property
    def spec(self) -> PixelSpec:
        config = self.config
        return PixelSpec(config.width, config.height, config.channels, config.fit, config.resample, config.zoom)

    def prepare(self, source: Source) -> Picture:
        """The preprocessed pixels of a source. Thread-safe. Raises MediaError with the reason only."""
        if isinstance(source, bytes):
            return decode(source, self.spec)
        if isinstance(source, (str, Path)):
            return decode(read_file(source), self.spec)
        if isinstance(source, np.ndarray):
            return from_array(source, self.spec)
        return from_image(source, self.spec)

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

    def encode(self, sources: Sequence[Source]) -> Vectors:
        """Embeddings of shape (len(sources), dim), in order. Raises MediaError naming the first unreadable source."""
        parts, pending = [], []
        for picture in ahead(self.prepare_named, source_list(sources)):
            pending.append(picture)
            if len(pending) == BATCH:
                parts.append(self.embed(pending))
                pending = []
        parts.append(self.embed(pending))
        return np.concatenate(parts)

    def prepare_named(self, source: Source) -> Picture:
        """Like `prepare`, with the path in the message."""
        try:
            return self.prepare(source)
        except MediaError as error:
            if isinstance(source, (str, Path)):
                raise MediaError(f"{source}: {error}") from error
            raise
