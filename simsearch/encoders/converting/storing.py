"""Quantization of the weights of an ONNX graph to 16 or 8 bits. ONNX Runtime restores 32 bits when it loads the file.

Both use the operators Cast and Mul on constants, which every runtime has and folds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SMALL = 256
"""Tensors with at most this many elements, and single rows, keep full precision: their size is negligible."""
HALF = ".half"
"""The suffix of the names of tensors in 16 bits."""
STEPS = 127
BITS = (32, 16, 8)
MOST_BYTES = 2_000_000_000
"""The maximum size of a protocol buffers file, rounded down."""


def large_weights(model: Any) -> list[tuple[Any, NDArray[np.float32]]]:
    """The tensors of the graph that are quantized, with their values."""
    import onnx
    from onnx import numpy_helper

    tensors = [tensor for tensor in model.graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT]
    found = [(tensor, numpy_helper.to_array(tensor)) for tensor in tensors if len(tensor.dims) > 1]
    return [(tensor, values) for tensor, values in found if values.size > SMALL]


def lift_constants(model: Any) -> None:
    """Converts large Constant nodes to initializers, so that they are quantized too."""
    for node in [node for node in model.graph.node if node.op_type == "Constant"]:
        given = {attribute.name: attribute for attribute in node.attribute}
        if "value" in given and len(given["value"].t.dims) > 1:
            tensor = model.graph.initializer.add()
            tensor.CopyFrom(given["value"].t)
            tensor.name = node.output[0]
            model.graph.node.remove(node)


def round_to_half(model: Any) -> None:
    """Rounds large weights to 16-bit precision; tensors beyond its range stay."""
    from onnx import numpy_helper

    for tensor, values in large_weights(model):
        with np.errstate(over="ignore"):
            rounded = values.astype(np.float16).astype(np.float32)
        if np.isfinite(rounded).all():
            tensor.CopyFrom(numpy_helper.from_array(rounded, tensor.name))


def halve(model: Any) -> None:
    """Stores large weights in 16 bits where that is exact, with a cast to 32 bits after each."""
    import onnx
    from onnx import helper, numpy_helper

    casts = []
    for tensor, values in large_weights(model):
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)
        if not np.array_equal(half.astype(np.float32), values):
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(half, f"{name}{HALF}"))
        casts.append(helper.make_node("Cast", [f"{name}{HALF}"], [name], to=onnx.TensorProto.FLOAT))
    _put_first(model, casts)


def to_eight_bits(model: Any) -> None:
    """Stores large weights as int8 with a scale for each row, or for each column if that is more accurate."""
    import onnx
    from onnx import helper, numpy_helper

    nodes = []
    for tensor, values in large_weights(model):
        name = tensor.name
        steps, factors = eight_bits(values)
        tensor.CopyFrom(numpy_helper.from_array(steps, f"{name}.steps"))
        model.graph.initializer.append(numpy_helper.from_array(factors, f"{name}.factors"))
        nodes += [
            helper.make_node("Cast", [f"{name}.steps"], [f"{name}.wide"], to=onnx.TensorProto.FLOAT),
            helper.make_node("Mul", [f"{name}.wide", f"{name}.factors"], [name]),
        ]
    _put_first(model, nodes)


def eight_bits(values: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """The values as int8 in [-127, 127] and their scales, along the first or the last axis."""
    found = []
    for axis in (0, values.ndim - 1):
        factors = np.abs(values).max(axis=_others(values, axis), keepdims=True) / np.float32(STEPS)
        factors[factors == 0] = 1
        steps = np.rint(values / factors).astype(np.int8)
        found.append((_lost(values, steps * factors), axis, steps, factors))
    _, _, steps, factors = min(found, key=lambda each: each[:2])
    return steps, factors.astype(np.float32)


def _lost(values: NDArray[np.float32], kept: NDArray[np.float32]) -> float:
    """The mean relative squared error of rounding over rows and columns, so that small ones count too."""
    lost = 0.0
    for axis in (0, values.ndim - 1):
        squares = [
            np.square(each).sum(axis=_others(values, axis), dtype=np.float64) for each in (kept - values, values)
        ]
        lost += float((squares[0] / np.maximum(squares[1], np.finfo(np.float32).tiny)).mean())
    return lost


def _others(values: NDArray[np.float32], axis: int) -> tuple[int, ...]:
    return tuple(number for number in range(values.ndim) if number != axis)


def _put_first(model: Any, nodes: list[Any]) -> None:
    for node in reversed(nodes):
        model.graph.node.insert(0, node)


def initializers(content: bytes) -> dict[str, NDArray[Any]]:
    """The weights in an ONNX file by their names, without the suffix of `halve`.

    Raises ValueError if it is not an ONNX file.
    """
    import onnx
    from google.protobuf.message import DecodeError
    from onnx import numpy_helper

    try:
        model = onnx.load_model_from_string(content)
    except DecodeError as error:
        raise ValueError(f"not an ONNX file: {error}") from error
    return {tensor.name.removesuffix(HALF): numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
