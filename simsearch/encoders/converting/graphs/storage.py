"""Storage of a converted ONNX network, compared with the original file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from simsearch.encoders.converting.parity import PARITY, agreed, check_cosine, lowest_cosine
from simsearch.encoders.converting.storing import halve, lift_constants, round_to_half, to_eight_bits
from simsearch.encoders.folder import Layer
from simsearch.encoders.network import load_session
from simsearch.errors import EncoderError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from simsearch.types import JSONValue, Vectors


@dataclass(frozen=True, slots=True)
class Around:
    """Two ways to the same embeddings: by the original file, and by the file with added operators."""

    path: Path
    original: Callable[[Any], NDArray[np.float32]]
    """The features (n, dim) of the sample by the unchanged model, with preprocessing outside of it."""
    operated: Callable[[Any], Any]
    """The model with added operators for preprocessing and normalization."""
    input_name: str
    sample: NDArray[Any]
    most: float = PARITY
    """The largest accepted difference of the two."""


@dataclass(frozen=True, slots=True)
class Stored:
    content: bytes
    dim: int
    layer: Layer
    figures: dict[str, JSONValue]


def stored(model: Any, around: Around, bits: int) -> Stored:
    """The model with weights in `bits`. Raises EncoderError when its embeddings differ from those of the original file.

    With weights rounded equally in both they may differ by 1e-4; in 8 bits the cosine to those in 32 must be at least
    0.99. Rows of a batch must not depend on each other.
    """
    lift_constants(model)
    wide = unit(around.original(model), around.path)
    who = f"the original {around.path.name} and the converted file"
    parity = agreed(wide, _run(around.operated(model), around, around.sample), who, most=around.most)
    if bits == 16:
        round_to_half(model)
        parity = max(parity, _parity_in_half(model, around, who))
    made = around.operated(model)
    if bits == 16:
        halve(made)
    elif bits == 8:
        to_eight_bits(made)
    found = _run(made, around, around.sample)
    cosine = check_cosine(lowest_cosine(wide, found), bits)
    alone = np.concatenate([_run(made, around, around.sample[row : row + 1]) for row in range(2)])
    together = f"{around.path}: its batch is of a fixed size within; rows alone and in a batch"
    agreed(found[:2], alone, together, most=around.most)
    numbers = sum(int(np.prod(tensor.dims)) for tensor in model.graph.initializer)
    dim = found.shape[1]
    figures: dict[str, JSONValue] = {"onnx_parity": parity, "lowest_cosine_to_32_bits": cosine}
    return Stored(_bytes(made), dim, Layer("network", model.producer_name or "ONNX", (dim,), numbers), figures)


def _parity_in_half(rounded: Any, around: Around, who: str) -> float:
    made = around.operated(rounded)
    halve(made)
    found = _run(made, around, around.sample)
    return agreed(unit(around.original(rounded), around.path), found, who, most=around.most)


def _run(model: Any, around: Around, sample: NDArray[Any]) -> Vectors:
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    session = load_session(_bytes(model), str(around.path))
    try:
        found: Vectors = session.run(None, {around.input_name: sample})[0]
    except (state.Fail, state.InvalidArgument, state.RuntimeException) as error:
        raise EncoderError(
            f"{around.path} does not accept a batch of {len(sample)} ({str(error).splitlines()[0]:.200}); export it "
            "again with a batch of any size (a dynamic axis)"
        ) from error
    return found


def _bytes(model: Any) -> bytes:
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def unit(features: NDArray[np.float32], path: Path) -> Vectors:
    """The normalized rows. Raises EncoderError unless the shape is (n, dim) with dim > 1."""
    if features.ndim != 2 or features.shape[1] < 2:
        raise EncoderError(f"{path}: the output has the shape {features.shape}, not that of embeddings (n, dim)")
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    if not (np.isfinite(lengths).all() and (lengths > 0).all()):
        raise EncoderError(f"{path}: embeddings of the sample are zero or not finite")
    return np.asarray(features / lengths, dtype=np.float32)


def pooled(
    found: NDArray[Any], pooling: str | None, mask: NDArray[np.bool_] | None, path: Path, output: str
) -> NDArray[np.float32]:
    """The features (n, dim) of an output. Raises EncoderError if the pooling must be given."""
    values = found.astype(np.float32)
    if values.ndim == 3 and pooling == "cls":
        return np.asarray(values[:, 0])
    if values.ndim == 3 and pooling == "mean":
        weights = np.ones(values.shape[:2], np.float32) if mask is None else mask.astype(np.float32)
        return np.asarray((values * weights[:, :, None]).sum(axis=1) / weights.sum(axis=1, keepdims=True))
    if values.ndim == 4 and pooling == "mean":
        return np.asarray(values.mean(axis=(2, 3)))
    if values.ndim == 2 or (values.ndim == 4 and values.shape[2:] == (1, 1)):
        if pooling is not None:
            raise UsageError(f"{path}: the output {output!r} is one vector per input; omit --pooling {pooling}")
        return np.asarray(values.reshape(len(values), -1))
    possible = {3: "--pooling mean or --pooling cls", 4: "--pooling mean"}.get(values.ndim)
    raise UsageError(
        f"{path}: the output {output!r} has the shape {found.shape}, which is not one vector per input; "
        + (f"choose a pooling: {possible}" if possible else "name another: --output")
    )
