"""Intermediate outputs of a network: what one of its blocks takes, computed on ONNX Runtime beside the features."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from simsearch.encoders.folder import ONNX_NAME, read_verified
from simsearch.encoders.network import load_session

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.encoders.onnx import OnnxEncoder
    from simsearch.media.images import Picture

FeaturesAndMaps = Callable[[Sequence["Picture"]], tuple["NDArray[np.float32]", "NDArray[np.float32]"]]


def features_and_maps(encoder: OnnxEncoder, block: int) -> FeaturesAndMaps | None:
    """A function from pictures to pooled features (n, d) and the input (n, c, h, w) of the trunk's layer `block`.

    None when the graph has no convolution of that name, as graphs that other programs wrote have not. The operators
    are those of `encoder.features`; the graph has one output more.
    """
    import onnx

    model = onnx.load_from_string(read_verified(encoder.folder, encoder.config, ONNX_NAME))
    weight = f"encoder.trunk.{block}.expand.weight"
    tensor = next((node.input[0] for node in model.graph.node if weight in node.input), None)
    if tensor is None or "features" not in [output.name for output in model.graph.output]:
        return None
    model.graph.output.append(onnx.helper.make_tensor_value_info(tensor, onnx.TensorProto.FLOAT, None))
    session = load_session(model.SerializeToString(), str(encoder.folder / ONNX_NAME))

    def run(pictures: Sequence[Picture]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        pixels = np.stack([each.pixels for each in pictures])
        features, maps = session.run(["features", tensor], {"pixels": pixels})
        return features, maps

    return run
