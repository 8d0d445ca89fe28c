from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from simsearch.errors import UsageError
from simsearch.training.networks.building import build
from simsearch.training.networks.efficientnet import (
    EPSILON,
    FEATURES,
    Block,
    Convolution,
    efficientnet_lite,
    from_published,
)
from simsearch.training.networks.specification import ModelSpec

SPEC = ModelSpec("lite", 32, 64, 3, 8, head=True, features=FEATURES)


def published(variant: int) -> dict[str, Tensor]:
    """Random weights under the names of the package, with batch statistics that change something."""
    network, weights = efficientnet_lite(variant), {}
    generator = torch.Generator().manual_seed(0)

    def convolution(name: str, norm: str, like: Convolution) -> None:
        channels = like.weight.shape[0]
        weights[f"{name}.weight"] = torch.randn(like.weight.shape, generator=generator) * 0.2
        for key, low, high in (
            ("weight", 0.5, 1.5),
            ("bias", -0.5, 0.5),
            ("running_mean", -1, 1),
            ("running_var", 0.1, 2),
        ):
            weights[f"{norm}.{key}"] = torch.empty(channels).uniform_(low, high, generator=generator)

    convolution("_conv_stem", "_bn0", network[0].convolution)
    for number, block in enumerate(list(network)[1:-1]):
        prefix = f"_blocks.{number}."
        if block.expand is not None:
            convolution(f"{prefix}_expand_conv", f"{prefix}_bn0", block.expand)
        convolution(f"{prefix}_depthwise_conv", f"{prefix}_bn1", block.depthwise)
        convolution(f"{prefix}_project_conv", f"{prefix}_bn2", block.project)
    convolution("_conv_head", "_bn1", network[-1].convolution)
    return weights


def unfolded(maps: Tensor, weights: dict[str, Tensor], name: str, norm: str, stride: int, groups: int) -> Tensor:
    """A convolution padded as TensorFlow's SAME, then batch normalization, each by its own formula."""
    kernel = weights[f"{name}.weight"]
    pads = []
    for side, size in zip(reversed(maps.shape[2:]), reversed(kernel.shape[2:]), strict=True):
        total = max((-(-side // stride) - 1) * stride + size - side, 0)
        pads += [total // 2, total - total // 2]
    made = F.conv2d(F.pad(maps, pads), kernel, stride=stride, groups=groups)
    mean, var, gain, shift = (
        weights[f"{norm}.{key}"].view(1, -1, 1, 1) for key in ("running_mean", "running_var", "weight", "bias")
    )
    return (made - mean) / torch.sqrt(var + EPSILON) * gain + shift


@pytest.mark.parametrize("variant", [0, 2])
def test_folded_weights_compute_what_the_published_network_does(variant: int) -> None:
    weights = {name: tensor.double() for name, tensor in published(variant).items()}
    # In 32 bits, errors of the last digit grow through fifty random layers to any size.
    torch.set_default_dtype(torch.float64)
    try:
        network = from_published(weights, variant)
    finally:
        torch.set_default_dtype(torch.float32)
    images = torch.randn(2, 3, 64, 32, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.no_grad():
        maps = F.relu6(unfolded(images, weights, "_conv_stem", "_bn0", 2, 1))
        for number, block in enumerate(list(network)[1:-1]):
            assert isinstance(block, Block)
            inner, prefix = maps, f"_blocks.{number}."
            if block.expand is not None:
                inner = F.relu6(unfolded(maps, weights, f"{prefix}_expand_conv", f"{prefix}_bn0", 1, 1))
            stride, groups = block.depthwise.stride[0], inner.shape[1]
            inner = F.relu6(unfolded(inner, weights, f"{prefix}_depthwise_conv", f"{prefix}_bn1", stride, groups))
            inner = unfolded(inner, weights, f"{prefix}_project_conv", f"{prefix}_bn2", 1, 1)
            maps = maps + inner if block.residual else inner
        maps = F.relu6(unfolded(maps, weights, "_conv_head", "_bn1", 1, 1)).clamp_min(1e-6)
        expected = (maps**3).mean(dim=(2, 3)) ** (1 / 3)
        torch.testing.assert_close(network(images), expected, rtol=1e-6, atol=1e-8)


def test_the_variants_have_the_published_numbers_of_parameters() -> None:
    # Published: 4,652,008 and 6,092,072 with a classifier of 1,281,000 and batch normalization, of whose four numbers a
    # channel two are parameters and one is left.
    for variant, expected in ((0, 4_652_008), (2, 6_092_072)):
        network = efficientnet_lite(variant)
        biases = sum(module.bias.numel() for module in network.modules() if isinstance(module, Convolution))
        assert sum(tensor.numel() for tensor in network.parameters()) + biases + 1_281_000 == expected


def test_an_encoder_on_it_gives_unit_rows_of_any_pixels() -> None:
    encoder = build(SPEC, mean=(0.5,) * 3, std=(0.5,) * 3).eval()
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 64, 32, 3), dtype=np.uint8))
    with torch.no_grad():
        rows = encoder(torch.cat([pixels, torch.zeros_like(pixels[:1])]))
    assert rows.shape == (4, 8)
    torch.testing.assert_close(rows.norm(dim=1), torch.ones(4))


@pytest.mark.parametrize(
    "spec",
    [
        ModelSpec("lite", 40, 64, 3, 8, head=True, features=FEATURES),
        ModelSpec("lite", 32, 64, 1, 8, head=True, features=FEATURES),
        ModelSpec("lite", 32, 64, 3, 8, head=True, features=7),
        ModelSpec("lite", 32, 64, 3, 8, head=True, features=FEATURES, variant=9),
    ],
)
def test_what_it_cannot_be_is_refused(spec: ModelSpec) -> None:
    with pytest.raises(UsageError):
        build(spec, mean=(0.5,) * spec.channels, std=(0.5,) * spec.channels)
