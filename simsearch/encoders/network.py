"""The common base of image and text encoders: an encoder folder and its networks on ONNX Runtime."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from simsearch.encoders.folder import ONNX_NAME, EncoderConfig, read_config, read_verified
from simsearch.encoders.onnx_contents import check_contents
from simsearch.errors import EncoderError, VectorError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnxruntime import InferenceSession

    from simsearch.types import Vectors


@dataclass(frozen=True)
class FolderEncoder:
    """An opened encoder folder. The network is loaded on first use."""

    folder: Path
    config: EncoderConfig

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Opens the folder, reading encoder.json only. Raises EncoderError."""
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
    def _session(self) -> InferenceSession:
        return self.session(ONNX_NAME)

    def session(self, file: str) -> InferenceSession:
        """An ONNX Runtime session of a file of the folder. Raises EncoderError."""
        return load_session(read_verified(self.folder, self.config, file), str(self.folder / file))

    def run(self, name: str, batch: NDArray[np.generic]) -> Vectors:
        """The embeddings of a batch for the input `name`, on one thread. Raises EncoderError for an invalid batch."""
        return self.given_by(self._session, name, batch, ONNX_NAME)

    def given_by(self, session: InferenceSession, name: str, batch: NDArray[np.generic], file: str) -> Vectors:
        """The embeddings by a network of the folder. Raises EncoderError for an invalid batch, or if the output is not
        of shape (n, dim)."""
        embeddings = self.output_of(session, None, name, batch, file)
        if embeddings.shape != (len(batch), self.dim):
            raise EncoderError(
                f"{self.folder / file} does not match its description: the output has the shape {embeddings.shape}, "
                f"not {(len(batch), self.dim)}"
            )
        return embeddings

    def output_of(
        self, session: InferenceSession, output: str | None, name: str, batch: NDArray[np.generic], file: str
    ) -> NDArray[np.float32]:
        """The first output of a network of the folder, or the one of this name.

        Raises EncoderError for an invalid batch, or if there is no such output.
        """
        from onnxruntime.capi import onnxruntime_pybind11_state as state

        try:
            found: NDArray[np.float32] = session.run(None if output is None else [output], {name: batch})[0]
        except (state.Fail, state.InvalidArgument, state.RuntimeException, ValueError) as error:
            raise EncoderError(
                f"{self.folder / file} does not match its description: {str(error).splitlines()[0]}"
            ) from error
        return found

    def checked(self, vectors: Vectors) -> Vectors:
        """The vectors, checked to be normalized. Raises VectorError for a zero or non-finite one, naming the row."""
        lengths = np.linalg.norm(vectors, axis=1)
        bad = np.flatnonzero(~(np.abs(lengths - 1.0) < 1e-3))
        if len(bad):
            raise VectorError(
                f"encoder {self.name!r} gave a vector of length {lengths[bad[0]]:.3g}, not 1", int(bad[0])
            )
        return vectors


def load_session(model: bytes, name: str) -> InferenceSession:
    """An ONNX Runtime session of `model`. Raises EncoderError when it is damaged, refers to external data (which could
    be any file on the disk), or has non-standard operators."""
    check_contents(model, name)
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    failures = (
        state.Fail,
        state.InvalidGraph,
        state.InvalidProtobuf,
        state.InvalidArgument,
        state.NotImplemented,
        state.RuntimeException,
        state.NoModel,
        RuntimeError,
        ValueError,
    )
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except failures as error:
        raise EncoderError(f"{name}: ONNX Runtime cannot load it: {str(error).splitlines()[0]}") from error
