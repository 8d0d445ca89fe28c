"""Small networks without residual connections: convolutional ones, and one of dense layers."""

from __future__ import annotations

from torch import nn

from simsearch.training.networks.specification import ModelSpec


def shapes(spec: ModelSpec) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(spec.channels, 16, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 8, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(8 * _pooled_twice(spec.height) * _pooled_twice(spec.width), spec.dim),
    )


def _pooled_twice(side: int) -> int:
    """The side of a picture after twice a 3x3 convolution without padding and a 2x2 pooling."""
    return ((side - 2) // 2 - 2) // 2


def digits(spec: ModelSpec) -> nn.Module:
    inputs = spec.channels * spec.height * spec.width
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(inputs, 128),
        nn.ReLU(),
        nn.Dropout(spec.dropout),
        nn.Linear(128, 128),
        nn.ReLU(),
        nn.Dropout(spec.dropout),
        nn.Linear(128, spec.dim),
    )


def backbone(spec: ModelSpec) -> nn.Module:
    inputs = 64 * _pooled_twice(spec.height) * _pooled_twice(spec.width)
    return nn.Sequential(
        nn.Conv2d(spec.channels, 32, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(inputs, 256),
        nn.ReLU(),
        nn.Linear(256, spec.dim),
    )
