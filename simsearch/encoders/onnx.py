"""Image encoders on ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from simsearch.encoders.folder import ONNX_NAME, EncoderConfig, read_config, read_verified
from simsearch.errors import EncoderError, MediaError, VectorError
from simsearch.media.ahead import ahead
from simsearch.media.images import Picture, PixelSpec, decode, from_array, from_image, read_file

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

    from simsearch.types import Source, Vectors

BATCH = 32


@dataclass(frozen=True)
class OnnxEncoder:
    """An encoder folder in use. The network is loaded at the first `embed`."""

    folder: Path
    config: EncoderConfig

    @classmethod
    def open(cls, folder: Path) -> OnnxEncoder:
        """Reads the description only. Raises EncoderError."""
        return cls(folder, read_config(folder))

    @property
    def name(self) -> str:
        return self.config.name

    @property
    def fingerprint(self) -> str:
        return self.config.fingerprint

    @property
    def modality(self) -> str:
        return self.config.modality

    @property
    def dim(self) -> int:
        return self.config.dim

    @cached_property
    def spec(self) -> PixelSpec:
        return PixelSpec(self.config.width, self.config.height, self.config.channels, self.config.fit)

    @cached_property
    def _session(self) -> InferenceSession:
        return load_session(read_verified(self.folder, self.config, ONNX_NAME), str(self.folder / ONNX_NAME))

    def prepare(self, source: Source) -> Picture:
        """The pixels that the network wants. Safe in threads. Raises MediaError with the reason alone."""
        if isinstance(source, bytes):
            return decode(source, self.spec)
        if isinstance(source, (str, Path)):
            return decode(read_file(source), self.spec)
        if isinstance(source, np.ndarray):
            return from_array(source, self.spec)
        return from_image(source, self.spec)

    def embed(self, pictures: Sequence[Picture]) -> Vectors:
        """Unit vectors of prepared pictures, shape (n, dim), computed in batches of 32 on all processors.

        Raises VectorError when the network gives a zero or non-finite vector, naming the row.
        """
        chunks = [pictures[start : start + BATCH] for start in range(0, len(pictures), BATCH)]
        # One thread a chunk and several chunks at a time: no thread waits for another at the end of each layer.
        parts = list(ahead(self._run, chunks)) if len(chunks) > 1 else [self._run(chunk) for chunk in chunks]
        vectors = np.concatenate(parts) if parts else np.empty((0, self.dim), dtype=np.float32)
        lengths = np.linalg.norm(vectors, axis=1)
        bad = np.flatnonzero(~(np.abs(lengths - 1.0) < 1e-3))
        if len(bad):
            raise VectorError(
                f"encoder {self.name!r} gave a vector of length {lengths[bad[0]]:.3g} in row {bad[0]}, not 1"
            )
        return vectors

    def _run(self, pictures: Sequence[Picture]) -> Vectors:
        embeddings: Vectors = self._session.run(None, {"pixels": np.stack([each.pixels for each in pictures])})[0]
        return embeddings

    def encode(self, sources: Sequence[Source]) -> Vectors:
        """Vectors of shape (len(sources), dim), in order. Raises MediaError naming the first unreadable source."""
        parts, pending = [], []
        for source, picture in zip(sources, ahead(self.prepare_named, sources), strict=True):
            del source
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


def load_session(model: bytes, name: str) -> InferenceSession:
    """The network in `model`. Raises EncoderError when it is broken, or keeps weights in other files."""
    # An ONNX file can name other files to load, anywhere on the disk. Each such reference has the key "location".
    if b"location" in model:
        raise EncoderError(f"{name}: the model refers to external data; export it again as one file")
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    failures = (state.Fail, state.InvalidGraph, state.InvalidProtobuf, state.InvalidArgument, state.NotImplemented,
                state.RuntimeException, state.NoModel, RuntimeError, ValueError)  # fmt: skip
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except failures as error:
        raise EncoderError(f"{name}: ONNX Runtime cannot load it: {str(error).splitlines()[0]}") from error
