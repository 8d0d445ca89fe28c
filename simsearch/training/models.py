"""The networks, and the siamese encoder around them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from simsearch.errors import UsageError

NORM_FLOOR = 1e-6
"""Outputs shorter than this are divided by it: an all-zero output stays zero instead of becoming NaN."""


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """All that is needed to build a network again. `widths` and `stem_stride` are used by `residual` only."""

    kind: str
    width: int
    height: int
    channels: int
    dim: int
    widths: tuple[int, ...] = ()
    stem_stride: int = 1
    dropout: float = 0.0


class SiameseEncoder(nn.Module):
    """Unit embeddings of inputs, one tensor of them.

    The twin branches of a siamese network share their weights (Bromley et al. 1993), so they are one network
    applied to every input of a pair. `head` is a last linear layer that fine-tuning may add.
    """

    def __init__(self, trunk: nn.Module, head: nn.Module | None = None) -> None:
        super().__init__()
        self.trunk = trunk
        self.head = head or nn.Identity()

    def forward(self, inputs: Tensor) -> Tensor:
        return self.embed(self.prepare(inputs))

    def prepare(self, inputs: Tensor) -> Tensor:
        """The inputs as augmentation works on them."""
        return inputs

    def standardized(self, prepared: Tensor) -> Tensor:
        """What the first layer takes."""
        return prepared

    def embed(self, prepared: Tensor) -> Tensor:
        """Unit embeddings (n, dim) of what `prepare` gave."""
        return unit_rows(self.head(self.trunk(self.standardized(prepared))))


class ImageEncoder(SiameseEncoder):
    """Unit embeddings of uint8 pixels (n, height, width, channels)."""

    def __init__(
        self, trunk: nn.Module, head: nn.Module | None = None, *, mean: tuple[float, ...], std: tuple[float, ...]
    ) -> None:
        super().__init__(trunk, head)
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(1, -1, 1, 1), persistent=True)
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(1, -1, 1, 1), persistent=True)

    def prepare(self, inputs: Tensor) -> Tensor:
        """Pixels as float32 (n, channels, height, width) in [0, 1]."""
        return inputs.permute(0, 3, 1, 2).to(torch.float32) / 255.0

    def standardized(self, prepared: Tensor) -> Tensor:
        """Images with the mean of each channel taken away, divided by its standard deviation."""
        return (prepared - self.get_buffer("mean")) / self.get_buffer("std")


def unit_rows(vectors: Tensor) -> Tensor:
    """The vectors divided by their length, or by NORM_FLOOR if that is more."""
    return F.normalize(vectors, dim=1, eps=NORM_FLOOR)


def build(spec: ModelSpec, *, mean: tuple[float, ...], std: tuple[float, ...]) -> ImageEncoder:
    """A fresh encoder with random weights. `mean` and `std` are of each channel, for pixels in [0, 1]."""
    builders = {"shapes": _shapes, "digits": _digits, "backbone": _backbone, "residual": _residual}
    if spec.kind not in builders:
        raise UsageError(f"Unknown network {spec.kind!r}; there are {', '.join(builders)}")
    return ImageEncoder(builders[spec.kind](spec), mean=mean, std=std)


def _shapes(spec: ModelSpec) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(spec.channels, 16, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 8, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(8 * _pooled_twice(spec.height) * _pooled_twice(spec.width), spec.dim),
    )  # fmt: skip


def _pooled_twice(side: int) -> int:
    """The side of a picture after twice a 3x3 convolution without padding and a 2x2 pooling."""
    return ((side - 2) // 2 - 2) // 2


def _digits(spec: ModelSpec) -> nn.Module:
    inputs = spec.channels * spec.height * spec.width
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(inputs, 128), nn.ReLU(), nn.Dropout(spec.dropout),
        nn.Linear(128, 128), nn.ReLU(), nn.Dropout(spec.dropout),
        nn.Linear(128, spec.dim),
    )  # fmt: skip


def _backbone(spec: ModelSpec) -> nn.Module:
    inputs = 64 * _pooled_twice(spec.height) * _pooled_twice(spec.width)
    return nn.Sequential(
        nn.Conv2d(spec.channels, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(inputs, 256), nn.ReLU(), nn.Linear(256, spec.dim),
    )  # fmt: skip


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a short cut (He et al. 2016)."""

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


def _residual(spec: ModelSpec) -> nn.Module:
    layers: list[nn.Module] = [_convolution(spec.channels, spec.widths[0], 3, spec.stem_stride), nn.ReLU()]
    inputs = spec.widths[0]
    for stage, outputs in enumerate(spec.widths):
        layers.append(ResidualBlock(inputs, outputs, 1 if stage == 0 else 2))
        inputs = outputs
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, spec.dim, bias=False)]
    # The mean is taken away before normalizing, so that unrelated pictures score near zero (Luo et al. 2019).
    layers.append(nn.BatchNorm1d(spec.dim, affine=False))
    return nn.Sequential(*layers)
