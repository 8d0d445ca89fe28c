"""What an ONNX file must not hold is found by a look at its bytes: other files, foreign operators, shapes that lie."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from simsearch.encoders.folder import BUNDLED, ONNX_NAME
from simsearch.encoders.network import load_session
from simsearch.encoders.onnx_contents import DEEPEST, check_contents
from simsearch.errors import EncoderError


def model(*nodes: onnx.NodeProto, weights: onnx.TensorProto | None = None) -> onnx.ModelProto:
    """From `x` (n, 4) to `y`, by the nodes."""
    graph = helper.make_graph(
        list(nodes) or [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [weights if weights is not None else numpy_helper.from_array(np.ones((4, 3), np.float32), "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def within(inner: onnx.NodeProto, depth: int) -> onnx.NodeProto:
    """A node that stands in the branches of conditions, one in the other."""
    for _ in range(depth):
        branch = helper.make_graph([inner], "b", [], [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)])
        inner = helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)
    return inner


@pytest.mark.parametrize("folder", sorted(path.parent for path in BUNDLED.glob("*/encoder.json")), ids=lambda f: f.name)
def test_what_ships_passes(folder: Path) -> None:
    check_contents((folder / ONNX_NAME).read_bytes(), folder.name)


def test_a_plain_model_passes_and_runs() -> None:
    content = model().SerializeToString()
    check_contents(content, "it")
    found = load_session(content, "it").run(None, {"x": np.ones((2, 4), np.float32)})[0]
    np.testing.assert_array_equal(found, np.full((2, 3), 4, np.float32))


def external() -> onnx.TensorProto:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4, 3], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="/etc/passwd")
    return tensor


def of_dims(*dims: int) -> onnx.TensorProto:
    return TensorProto(name="w", data_type=TensorProto.FLOAT, dims=dims, raw_data=b"\0" * 48)


@pytest.mark.parametrize(
    ("hostile", "reason"),
    [
        (lambda: model(weights=external()), "refers to external data"),
        (lambda: model(helper.make_node("Constant", [], ["y"], value=external())), "refers to external data"),
        (lambda: model(within(helper.make_node("Constant", [], ["y"], value=external()), 3)), "external data"),
        (
            lambda: model(helper.make_node("Read", ["x"], ["y"], domain="evil.ops")),
            r"non-standard operators \('evil.ops'\)",
        ),
        (lambda: model(helper.make_node("FusedMatMul", ["x", "w"], ["y"], domain="com.microsoft")), "com.microsoft"),
        (
            lambda: model(within(helper.make_node("Read", ["x"], ["y"], domain="evil"), 2)),
            r"non-standard operators \('evil'\)",
        ),
        (lambda: model(weights=of_dims(4, 4)), "'w' has 48 bytes, but its shape needs 64"),
        (lambda: model(weights=of_dims(1 << 40, 1 << 40)), "'w' has 48 bytes, but its shape needs"),
        (lambda: model(weights=of_dims(-4, 3)), "'w' has 48 bytes, but its shape needs"),
        (lambda: model(within(helper.make_node("Identity", ["x"], ["y"]), DEEPEST + 1)), "nested graphs"),
    ],
)
def test_hostile_models_are_refused_before_they_are_loaded(hostile: Callable[[], onnx.ModelProto], reason: str) -> None:
    with pytest.raises(EncoderError, match=f"^somewhere.*{reason}"):
        load_session(hostile().SerializeToString(), "somewhere")


def test_functions_of_a_model_are_refused() -> None:
    hostile = model(helper.make_node("F", ["x"], ["y"], domain="local"))
    body = [helper.make_node("Identity", ["a"], ["b"])]
    hostile.functions.append(helper.make_function("local", "F", ["a"], ["b"], body, [helper.make_opsetid("", 18)]))
    with pytest.raises(EncoderError, match=r"non-standard operators \('functions of its own', 'local'\)"):
        load_session(hostile.SerializeToString(), "it")


@given(st.data())
def test_damaged_bytes_are_an_error_of_one_line_or_pass(data: st.DataObject) -> None:
    content = bytearray(model(within(helper.make_node("MatMul", ["x", "w"], ["y"]), 1)).SerializeToString())
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=4)):
        content[place] = data.draw(st.integers(0, 255))
    try:
        check_contents(bytes(content), "it")
    except EncoderError as error:
        assert "\n" not in str(error) and str(error).startswith("it")
