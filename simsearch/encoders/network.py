"""What image and text encoders share: an encoder folder and its network on ONNX Runtime."""

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
    """An encoder folder in use. The network is loaded when it is first needed."""

    folder: Path
    config: EncoderConfig

    @classmethod
    def open(cls, folder: Path) -> Self:
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
    def _session(self) -> InferenceSession:
        return self.session(ONNX_NAME)

    def session(self, file: str) -> InferenceSession:
        """The network in a file of the folder, loaded. Raises EncoderError."""
        return load_session(read_verified(self.folder, self.config, file), str(self.folder / file))

    def run(self, name: str, batch: NDArray[np.generic]) -> Vectors:
        """What the network gives for its input `name`, on one thread. Raises EncoderError when it cannot take it."""
        return self.given_by(self._session, name, batch, ONNX_NAME)

    def given_by(self, session: InferenceSession, name: str, batch: NDArray[np.generic], file: str) -> Vectors:
        """What a network of the folder gives. Raises EncoderError when it cannot take the batch, or gives no `dim`
        numbers for each of its rows."""
        embeddings = self.output_of(session, None, name, batch, file)
        if embeddings.shape != (len(batch), self.dim):
            raise EncoderError(
                f"{self.folder / file} does not do what its description says: it gives an array of the shape "
                f"{embeddings.shape}, not {(len(batch), self.dim)}"
            )
        return embeddings

    def output_of(
        self, session: InferenceSession, output: str | None, name: str, batch: NDArray[np.generic], file: str
    ) -> NDArray[np.float32]:
        """The first output of a network of the folder, or the one of this name.

        Raises EncoderError when it cannot take the batch, or has no such output.
        """
        from onnxruntime.capi import onnxruntime_pybind11_state as state

        try:
            found: NDArray[np.float32] = session.run(None if output is None else [output], {name: batch})[0]
        except (state.Fail, state.InvalidArgument, state.RuntimeException, ValueError) as error:
            raise EncoderError(
                f"{self.folder / file} does not do what its description says: {str(error).splitlines()[0]}"
            ) from error
        return found

    def checked(self, vectors: Vectors) -> Vectors:
        """The same vectors. Raises VectorError for a zero or non-finite one, naming the row."""
        lengths = np.linalg.norm(vectors, axis=1)
        bad = np.flatnonzero(~(np.abs(lengths - 1.0) < 1e-3))
        if len(bad):
            raise VectorError(
                f"encoder {self.name!r} gave a vector of length {lengths[bad[0]]:.3g} in row {bad[0]}, not 1"
            )
        return vectors


def load_session(model: bytes, name: str) -> InferenceSession:
    """The network in `model`. Raises EncoderError when it is broken, keeps weights in other files, which could be
    any on the disk, or has operators that are not of the standard."""
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
