"""Export of a trained text tower to words.onnx."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from simsearch.training.export.quantization import eight_bits

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from words_tower import Tower

OPSET = 18


def to_onnx(tower: Tower) -> bytes:
    """`ids` (int64, texts x length, filled up with 0) to `embeddings` (float32, texts x dim): unit rows, or zero where
    no word and no pair of words is a name.

    Words are stored in product codes, the other tables in 8 bits with a scale for each row.
    """
    dim = tower.table.shape[1]
    graph = helper.make_graph(
        [*_words(), *_wholes(), *_pairs(), *_sum()],
        "words",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", "length"])],
        [helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, ["batch", dim])],
        [numpy_helper.from_array(value, name) for name, value in _stored(tower).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _stored(tower: Tower) -> dict[str, NDArray[np.generic]]:
    assert tower.codes is not None, "compress the tower first"
    codes = tower.codes
    groups, choices, size = codes.books.shape
    stored: dict[str, NDArray[np.generic]] = {
        "codes": codes.codes.numpy(),
        "factors.half": codes.scale.numpy().astype(np.float16)[:, None],
        "books.half": codes.books.numpy().astype(np.float16).reshape(groups * choices, size),
        "starts": (np.arange(groups) * choices).astype(np.int32),
        "turn.half": codes.turn.numpy().astype(np.float16),
        "flat": np.array([0, 0, groups * size], np.int64),
        "slots": tower.slots.numpy().astype(np.int16),
        "keys": tower.keys.numpy().reshape(1, 1, -1),
        "vocabulary": np.array(len(tower.table), np.int64),
        "filling": np.array([0, 0, 0, 1], np.int64),
        "end": np.array([np.iinfo(np.int64).max], np.int64),
        "least": np.array(1e-6, np.float32),
        "at.most": np.array(1.0, np.float32),
        "naming": np.array(tower.naming, np.int64),
        **{name: np.array([value], np.int64) for name, value in (("zero", 0), ("one", 1), ("two", 2), ("last", -1))},
    }
    whole = tower.whole.detach().clone()
    whole[0] = 0.0
    for name, rows in (("whole", whole), ("pairs", tower.pairs.detach()[1:])):
        numbers, scale = eight_bits(rows)
        stored |= {f"{name}.rows": numbers.numpy(), f"{name}.scale": scale.numpy().astype(np.float16)[:, None]}
    return stored


def _words() -> list[onnx.NodeProto]:
    return [
        _node("Gather", ["codes", "ids"], "code8", axis=0),
        _node("Cast", ["code8"], "code", to=TensorProto.INT32),
        _node("Add", ["code", "starts"], "place"),
        _node("Gather", ["books.half", "place"], "numbers16", axis=0),
        _node("Cast", ["numbers16"], "numbers", to=TensorProto.FLOAT),
        _node("Reshape", ["numbers", "flat"], "turned"),
        _node("Gather", ["factors.half", "ids"], "factor16", axis=0),
        _node("Cast", ["factor16"], "factor", to=TensorProto.FLOAT),
        _node("Mul", ["turned", "factor"], "each"),
        _node("ReduceSum", ["each", "one"], "bag", keepdims=0),
        _node("Cast", ["turn.half"], "turn", to=TensorProto.FLOAT),
        _node("MatMul", ["bag", "turn"], "words"),
    ]


def _wholes() -> list[onnx.NodeProto]:
    return [
        _node("Gather", ["slots", "ids"], "slot16", axis=0),
        _node("Cast", ["slot16"], "slot", to=TensorProto.INT32),
        _node("Gather", ["whole.rows", "slot"], "whole8", axis=0),
        _node("Gather", ["whole.scale", "slot"], "whole.factor16", axis=0),
        _node("Cast", ["whole8"], "whole", to=TensorProto.FLOAT),
        _node("Cast", ["whole.factor16"], "whole.factor", to=TensorProto.FLOAT),
        _node("Mul", ["whole", "whole.factor"], "whole32"),
        _node("ReduceSum", ["whole32", "one"], "wholes", keepdims=0),
    ]


def _pairs() -> list[onnx.NodeProto]:
    """Each two neighbors are compared with all keys: a few thousand, and texts are short."""
    return [
        _node("Pad", ["ids", "filling"], "longer"),
        _node("Slice", ["longer", "zero", "last", "one"], "left"),
        _node("Slice", ["longer", "one", "end", "one"], "right"),
        _node("Mul", ["left", "vocabulary"], "high"),
        _node("Add", ["high", "right"], "neighbors"),
        _node("Unsqueeze", ["neighbors", "two"], "column"),
        _node("Equal", ["column", "keys"], "same"),
        _node("Cast", ["same"], "same32", to=TensorProto.FLOAT),
        _node("ReduceSum", ["same32", "one"], "counts", keepdims=0),
        _node("Cast", ["pairs.rows"], "pairs8", to=TensorProto.FLOAT),
        _node("Cast", ["pairs.scale"], "pairs.factor", to=TensorProto.FLOAT),
        _node("Mul", ["pairs8", "pairs.factor"], "pairs32"),
        _node("MatMul", ["counts", "pairs32"], "joint"),
    ]


def _sum() -> list[onnx.NodeProto]:
    return [
        _node("Add", ["words", "wholes"], "single"),
        _node("Add", ["single", "joint"], "summed"),
        _node("ReduceL2", ["summed", "one"], "length", keepdims=1),
        _node("Max", ["length", "least"], "divisor"),
        _node("Div", ["summed", "divisor"], "direction"),
        _node("GreaterOrEqual", ["ids", "naming"], "named"),
        _node("Cast", ["named"], "named32", to=TensorProto.FLOAT),
        _node("ReduceMax", ["named32", "one"], "any.word", keepdims=1),
        _node("ReduceMax", ["counts", "one"], "any.pair", keepdims=1),
        _node("Max", ["any.word", "any.pair"], "any"),
        _node("Min", ["any", "at.most"], "answered"),
        _node("Mul", ["direction", "answered"], "embeddings"),
    ]


def _node(kind: str, inputs: list[str], output: str, **attributes: int) -> onnx.NodeProto:
    node: onnx.NodeProto = helper.make_node(kind, inputs, [output], None, None, None, None, **attributes)
    return node
