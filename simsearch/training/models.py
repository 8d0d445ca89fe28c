"""The small networks, and the siamese encoder around all of them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from simsearch.errors import UsageError
from simsearch.training.lite import FEATURES, lite
from simsearch.training.residual import residual
from simsearch.training.strokes import COLUMNS, ROWS, STROKE_FEATURES, Strokes

NORM_FLOOR = 1e-6
"""Outputs shorter than this are divided by it: an all-zero output stays zero instead of becoming NaN."""


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """All that is needed to build a network again. From `widths` to `pooling` all but `dropout` is for `residual`."""

    kind: str
    width: int
    height: int
    channels: int
    dim: int
    widths: tuple[int, ...] = ()
    """Maps of each stage of a residual network."""
    stem_stride: int = 1
    dropout: float = 0.0
    stem_width: int = 0
    """Maps of the first convolution; 0 is as many as the first stage has."""
    stem_size: int = 3
    first_stride: int = 1
    """Stride of the first stage; each later one halves the sides."""
    blocks: tuple[int, ...] = ()
    """Blocks of each stage, 1 where none are given."""
    pooling: str = "mean"
    """`mean` forgets where in the picture something was; `flat` keeps it, for pictures that show one thing whole."""
    head: bool = False
    """Whether a further linear layer stands behind the network: what is trained when all of it is frozen."""
    variant: int = 0
    """Of `lite`: which EfficientNet-Lite it is."""
    features: int = 0
    """Numbers that the network gives to the head, and to the heads of other encoders; 0 is `dim`, and to no others."""
    hidden: int = 0
    """Width of the layer within a head that is a Blend, 0 for a linear head."""
    linear: int = 0
    """Numbers of the linear half of a Blend; 0 is half of `dim`."""

    @property
    def halves(self) -> tuple[int, int]:
        """Numbers of the linear and of the learned half of a Blend."""
        linear = self.linear or self.dim // 2
        return linear, self.dim - linear


class Network(nn.Module):
    """What learns: from inputs, as augmentation works on them, to unit embeddings."""

    def forward(self, inputs: Tensor) -> Tensor:
        return self.embed(self.prepare(inputs))

    def prepare(self, inputs: Tensor) -> Tensor:
        """The inputs as augmentation works on them."""
        return inputs

    def embed(self, prepared: Tensor) -> Tensor:
        """Unit embeddings (n, dim) of what `prepare` gave."""
        raise NotImplementedError


class SiameseEncoder(Network):
    """Unit embeddings of inputs, one tensor of them.

    The twin branches of a siamese network share their weights (Bromley et al. 1993), so they are one network
    applied to every input of a pair. `head` is a last linear layer that fine-tuning may add.
    """

    def __init__(self, trunk: nn.Module, head: nn.Module | None = None) -> None:
        super().__init__()
        self.trunk = trunk
        self.head = head or nn.Identity()

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


class Blend(nn.Module):
    """A head of two halves: a linear map that something else than learning has found, and a part that learns.

    The cosine of two embeddings is the mean of the cosines of the halves, weighed by what `weigh` was given.
    """

    def __init__(self, linear: nn.Linear, learned: nn.Sequential) -> None:
        super().__init__()
        self.linear = linear.requires_grad_(False)
        self.learned = learned
        last = learned[-1]
        assert isinstance(last, nn.Linear)
        self._lengths = torch.tensor([linear.out_features, last.out_features])
        self.register_buffer("scale", torch.ones(int(self._lengths.sum())))

    def weigh(self, kept: float) -> None:
        """Gives the linear half this weight, from 0 to 1, and the other one the rest."""
        self.scale = torch.tensor([kept, 1.0 - kept]).sqrt().repeat_interleave(self._lengths)

    def forward(self, features: Tensor) -> Tensor:
        halves = (unit_rows(part(features)) for part in (self.linear, self.learned))
        return torch.cat(tuple(halves), dim=1) * self.get_buffer("scale")


def unit_rows(vectors: Tensor) -> Tensor:
    """The vectors divided by their length, or by NORM_FLOOR if that is more."""
    return F.normalize(vectors, dim=1, eps=NORM_FLOOR)


def build(spec: ModelSpec, *, mean: tuple[float, ...], std: tuple[float, ...]) -> ImageEncoder:
    """A fresh encoder with random weights. `mean` and `std` are of each channel, for pixels in [0, 1]."""
    builders = {"shapes": _shapes, "digits": _digits, "backbone": _backbone, "residual": residual, "lite": _lite,
                "strokes": _strokes}  # fmt: skip
    if spec.kind not in builders:
        raise UsageError(f"Unknown network {spec.kind!r}; there are {', '.join(builders)}")
    return ImageEncoder(builders[spec.kind](spec), build_head(spec), mean=mean, std=std)


def build_head(spec: ModelSpec) -> nn.Module | None:
    """What stands behind the network, with random weights; None for nothing."""
    if not spec.head:
        return None
    if not spec.features:
        return nn.Linear(spec.dim, spec.dim, bias=False)
    if not spec.hidden:
        return nn.Linear(spec.features, spec.dim)
    return Blend(nn.Linear(spec.features, spec.halves[0]), learned_half(spec))


def learned_half(spec: ModelSpec) -> nn.Sequential:
    """The half of a Blend that learns, with random weights."""
    return nn.Sequential(
        nn.Linear(spec.features, spec.hidden), nn.ReLU(), nn.Dropout(spec.dropout),
        nn.Linear(spec.hidden, spec.halves[1]),
    )  # fmt: skip


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


def _lite(spec: ModelSpec) -> nn.Module:
    if (spec.width % 32, spec.height % 32, spec.channels, spec.features) != (0, 0, 3, FEATURES):
        raise UsageError(
            f"EfficientNet-Lite gives {FEATURES} features of pictures in colour whose sides are multiples of 32, not "
            f"{spec.features} of {spec.width} x {spec.height} in {spec.channels} channels"
        )
    return lite(spec.variant)


def _strokes(spec: ModelSpec) -> nn.Module:
    # The last maps that are pooled have a 16th of the sides.
    if (spec.width % (16 * COLUMNS), spec.height % (16 * ROWS), spec.channels, spec.features) != (
        0, 0, 1, STROKE_FEATURES,
    ):  # fmt: skip
        raise UsageError(
            f"strokes gives {STROKE_FEATURES} features of grey pictures whose sides are multiples of {16 * COLUMNS} x "
            f"{16 * ROWS}, not {spec.features} of {spec.width} x {spec.height} in {spec.channels} channels"
        )
    return Strokes()


def _backbone(spec: ModelSpec) -> nn.Module:
    inputs = 64 * _pooled_twice(spec.height) * _pooled_twice(spec.width)
    return nn.Sequential(
        nn.Conv2d(spec.channels, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(inputs, 256), nn.ReLU(), nn.Linear(256, spec.dim),
    )  # fmt: skip
