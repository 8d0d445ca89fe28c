"""Compact residual networks, by width, depth and input size."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from simsearch.training.networks.specification import ModelSpec


class ResidualBlock(nn.Module):
    """A residual block of two 3x3 convolutions (He et al. 2016)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = _convolution(inputs, outputs, 3, stride)
        self.second = _convolution(outputs, outputs, 3, 1)
        same = inputs == outputs and stride == 1
        self.shortcut = nn.Identity() if same else _convolution(inputs, outputs, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.second(F.relu(self.first(x))) + self.shortcut(x))


def _convolution(inputs: int, outputs: int, size: int, stride: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False), nn.BatchNorm2d(outputs))


def residual(spec: ModelSpec) -> nn.Module:
    """A first convolution, the stages of `widths`, a pooling and a linear map to `dim` numbers of mean zero."""
    inputs = spec.stem_width or spec.widths[0]
    layers: list[nn.Module] = [_convolution(spec.channels, inputs, spec.stem_size, spec.stem_stride), nn.ReLU()]
    for stage, outputs in enumerate(spec.widths):
        for block in range(spec.blocks[stage] if spec.blocks else 1):
            stride = 1 if block else spec.first_stride if stage == 0 else 2
            layers.append(ResidualBlock(inputs, outputs, stride))
            inputs = outputs
    if spec.pooling == "mean":
        layers.append(nn.AdaptiveAvgPool2d(1))
    else:
        inputs *= _last_side(spec.height, spec) * _last_side(spec.width, spec)
    layers += [nn.Flatten(), nn.Linear(inputs, spec.dim, bias=False)]
    # The mean is taken away before normalizing, so that unrelated pictures score near zero (Luo et al. 2019).
    layers.append(nn.BatchNorm1d(spec.dim, affine=False))
    return nn.Sequential(*layers)


def _last_side(side: int, spec: ModelSpec) -> int:
    """The side of the maps of the last stage: every stride divides and rounds up."""
    for stride in (spec.stem_stride, spec.first_stride, *[2] * (len(spec.widths) - 1)):
        side = -(-side // stride)
    return side
