"""Validation of an ONNX file, and its inputs and outputs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simsearch.encoders.converting.storing import MOST_BYTES
from simsearch.encoders.network import load_session
from simsearch.encoders.onnx_contents import check_contents
from simsearch.errors import EncoderError, MissingExtraError, UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_NUMBERS = 1 << 28
"""Maximum size of an intermediate array of the network, for one image or one token: 1 GB in 32 bits."""
FAILURES = (ValueError, RuntimeError, TypeError)
"""The exceptions that the checker and shape inference raise for a damaged file, beside their own."""
OLDEST_OPERATORS = 9
"""The oldest operator set version with the operators that are added to a network."""


@dataclass(frozen=True, slots=True)
class Input:
    """An input of a graph; a dynamic axis of its shape is None."""

    name: str
    kind: int
    """The ONNX code of its data type."""
    shape: tuple[int | None, ...]

    def __str__(self) -> str:
        return f"{self.name!r} ({', '.join('any' if side is None else str(side) for side in self.shape)})"


def read_model(path: Path) -> Any:
    """The model in a file, with standard operators, no external data and bounded memory.

    Raises EncoderError for any other, MissingExtraError without the onnx library.
    """
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError:
        raise MissingExtraError(f"Converting {path}", "pretrained") from None
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size <= MOST_BYTES else b""
    except OSError as error:
        raise EncoderError(f"{path}: {error.strerror or error}") from error
    if size > MOST_BYTES:
        raise EncoderError(f"{path}: {size / 1e9:.1f} GB, more than {MOST_BYTES / 1e9:.0f}: too large for one file")
    check_contents(content, str(path))
    try:
        model = onnx.load_model_from_string(content)
        onnx.checker.check_model(model)
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    except (DecodeError, onnx.checker.ValidationError, onnx.shape_inference.InferenceError, *FAILURES) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise EncoderError(f"{path}: not a valid ONNX file: {lines[0]:.200}") from error
    _check_sizes(inferred, path)
    version = next((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), 0)
    if version < OLDEST_OPERATORS:
        raise EncoderError(
            f"{path}: its operator set has version {version}, older than {OLDEST_OPERATORS}: export it again"
        )
    return model


def _check_sizes(inferred: Any, path: Path) -> None:
    for value in (*inferred.graph.value_info, *inferred.graph.input, *inferred.graph.output):
        numbers = math.prod(abs(side.dim_value) or 1 for side in value.type.tensor_type.shape.dim)
        if numbers > MOST_NUMBERS:
            raise EncoderError(
                f"{path}: the array {value.name[:80]!r} within the network has {numbers:,} elements, more than "
                f"{MOST_NUMBERS:,}; the file is damaged or malicious"
            )


def inputs_of(model: Any) -> list[Input]:
    """The inputs that are not initializers, in the file's order."""
    weights = {tensor.name for tensor in model.graph.initializer}
    found = []
    for value in model.graph.input:
        if value.name not in weights:
            kind = value.type.tensor_type
            sides = (side.dim_value if side.HasField("dim_value") else None for side in kind.shape.dim)
            found.append(Input(value.name, kind.elem_type, tuple(sides)))
    return found


def output_of(model: Any, asked: str | None, path: Path) -> str:
    """The output with the embeddings. Raises UsageError if it must be named, or does not exist."""
    names = [value.name for value in model.graph.output]
    if asked in names or (not asked and len(names) == 1):
        return asked or names[0]
    if asked:
        raise UsageError(f"{path} has no output {asked!r}; there are {', '.join(names)}")
    raise UsageError(f"{path} has {len(names)} outputs; name the one with the embeddings: --output {' | '.join(names)}")


def run_original(
    model: Any, given: dict[str, NDArray[Any]], output: str, path: Path, *, one_by_one: bool
) -> NDArray[Any]:
    """The output of the unchanged file for a batch. Raises EncoderError for an invalid batch."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    session = load_session(model.SerializeToString(), str(path))
    rows = len(next(iter(given.values())))
    parts = [slice(row, row + 1) for row in range(rows)] if one_by_one else [slice(0, rows)]
    failures = (state.Fail, state.InvalidArgument, state.RuntimeException, state.NotImplemented, ValueError)
    try:
        found = [session.run([output], {name: rows[part] for name, rows in given.items()})[0] for part in parts]
    except failures as error:
        shapes = ", ".join(f"{name} {each.shape}" for name, each in given.items())
        raise EncoderError(f"{path} does not accept {shapes}: {str(error).splitlines()[0]:.300}") from error
    return np.concatenate(found)


def named(inputs: Sequence[Input]) -> str:
    return ", ".join(map(str, inputs)) or "none"
