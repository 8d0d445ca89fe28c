"""Operators added before and after the network of an ONNX file, all of the oldest supported operator set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

OURS, THEIRS = "simsearch/", "model/"
"""The prefixes of the names of added arrays and of those of the file, so that they do not collide."""


class Surgery:
    """A copy of a model whose input and output are replaced."""

    def __init__(self, model: Any) -> None:
        import onnx
        from onnx import compose

        self.model = onnx.ModelProto()
        self.model.CopyFrom(model)
        compose.add_prefix(self.model, THEIRS, inplace=True)
        del self.model.graph.value_info[:]
        self.before: list[Any] = []
        self.behind: list[Any] = []
        self._count = 0

    def constant(self, values: NDArray[Any]) -> str:
        """Adds a constant array; returns its name."""
        from onnx import numpy_helper

        name = self._name()
        self.model.graph.initializer.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def node(self, kind: str, *inputs: str, behind: bool = False, result: str = "", **attributes: Any) -> str:
        """Adds an operator; returns the name of its output."""
        from onnx import helper

        name = result or self._name()
        made = helper.make_node(kind, list(inputs), [name], **attributes)
        (self.behind if behind else self.before).append(made)
        return name

    def _name(self) -> str:
        self._count += 1
        return f"{OURS}{self._count}"

    def finished(self, name: str, kind: int, shape: Sequence[str | int]) -> Any:
        """The model with one input of this name and shape, and with one output, `embeddings`."""
        from onnx import TensorProto, helper

        graph = self.model.graph
        kept = list(graph.node)
        del graph.node[:]
        graph.node.extend([*self.before, *kept, *self.behind])
        # Weights that older files list among the inputs become initializers only, which needs a newer IR version.
        del graph.input[:]
        del graph.output[:]
        graph.input.append(helper.make_tensor_value_info(name, kind, list(shape)))
        graph.output.append(helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, ["batch", "dim"]))
        self.model.ir_version = max(self.model.ir_version, 4)
        self._strip()
        return self.model

    def _strip(self) -> None:
        """Removes documentation and metadata of the authors' machine."""
        self.model.doc_string = ""
        self.model.graph.doc_string = ""
        del self.model.metadata_props[:]
        for node in self.model.graph.node:
            node.doc_string = ""
            del node.metadata_props[:]


def pixels_before(
    surgery: Surgery,
    target: str,
    *,
    kind: int,
    nchw: bool,
    bgr: bool,
    factor: NDArray[np.float32],
    offset: NDArray[np.float32],
) -> None:
    """Adds the input `pixels`, uint8 (n, height, width, channels), before `target`: pixel x factor + offset."""
    from onnx import TensorProto

    name = "pixels"
    if bgr:
        name = surgery.node("Gather", name, surgery.constant(np.array([2, 1, 0], dtype=np.int64)), axis=3)
    name = surgery.node("Cast", name, to=TensorProto.FLOAT)
    name = surgery.node("Mul", name, surgery.constant(factor))
    name = surgery.node("Add", name, surgery.constant(offset))
    if nchw:
        name = surgery.node("Transpose", name, perm=[0, 3, 1, 2])
    surgery.node("Cast", name, to=kind, result=THEIRS + target)


def ids_before(surgery: Surgery, targets: dict[str, int], padding: int, filler: int) -> str:
    """Adds the input `ids`, int64 (n, length), before the inputs of a text model; returns the name of the mask.

    The mask is 1.0 for tokens and 0.0 for padding, shape (n, length).
    """
    from onnx import TensorProto

    none = surgery.node("Equal", "ids", surgery.constant(np.array(padding, dtype=np.int64)))
    mask = surgery.node("Cast", surgery.node("Not", none), to=TensorProto.FLOAT)
    filled = surgery.node("Where", none, surgery.constant(np.array(filler, dtype=np.int64)), "ids")
    sources = {"attention_mask": mask, "token_type_ids": surgery.node("Sub", "ids", "ids")}
    for target, kind in targets.items():
        surgery.node("Cast", sources.get(target, filled), to=kind, result=THEIRS + target)
    return mask


def embeddings_behind(surgery: Surgery, output: str, *, rank: int, pooling: str | None, mask: str = "") -> None:
    """Adds the normalized output `embeddings`. Mean pooling needs no division, as the result is normalized."""
    from onnx import TensorProto

    name = surgery.node("Cast", THEIRS + output, behind=True, to=TensorProto.FLOAT)
    if rank == 3 and pooling == "cls":
        name = surgery.node("Gather", name, surgery.constant(np.array(0, dtype=np.int64)), axis=1, behind=True)
    elif rank == 3 and mask:
        shape = surgery.constant(np.array([0, 1, -1], dtype=np.int64))
        row = surgery.node("Reshape", mask, shape, behind=True)
        name = surgery.node("MatMul", row, name, behind=True)
    elif pooling == "mean":
        if rank == 3:
            name = surgery.node("Transpose", name, perm=[0, 2, 1], behind=True)
        name = surgery.node("GlobalAveragePool", name, behind=True)
    name = surgery.node("Flatten", name, axis=1, behind=True)
    surgery.node("LpNormalization", name, axis=1, p=2, behind=True, result="embeddings")
