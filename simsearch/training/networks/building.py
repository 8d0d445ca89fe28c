"""Construction of networks from their specifications, with random weights."""

from __future__ import annotations

from torch import nn

from simsearch.errors import UsageError
from simsearch.training.networks.convolutional import backbone, digits, shapes
from simsearch.training.networks.efficientnet import FEATURES, efficientnet_lite
from simsearch.training.networks.encoder import ImageEncoder, SiameseEncoder
from simsearch.training.networks.head import build_head
from simsearch.training.networks.residual import residual
from simsearch.training.networks.specification import ModelSpec, TextSpec
from simsearch.training.networks.strokes import COLUMNS, ROWS, STROKE_FEATURES, Strokes
from simsearch.training.networks.text import BagOfTokens, Recurrent, Transformer

TEXT_NETWORKS = {"bag": BagOfTokens, "recurrent": Recurrent, "transformer": Transformer}


def build(spec: ModelSpec, *, mean: tuple[float, ...], std: tuple[float, ...]) -> ImageEncoder:
    """A fresh encoder with random weights. `mean` and `std` are of each channel, for pixels in [0, 1]."""
    builders = {
        "shapes": shapes,
        "digits": digits,
        "backbone": backbone,
        "residual": residual,
        "lite": _lite,
        "strokes": _strokes,
    }
    if spec.kind not in builders:
        raise UsageError(f"Unknown network {spec.kind!r}; there are {', '.join(builders)}")
    return ImageEncoder(builders[spec.kind](spec), build_head(spec), mean=mean, std=std)


def build_text(spec: TextSpec) -> SiameseEncoder:
    """A fresh encoder of texts with random weights. Raises UsageError for a specification that makes no sense."""
    if spec.kind not in TEXT_NETWORKS:
        raise UsageError(f"Unknown network {spec.kind!r} for texts; there are {', '.join(TEXT_NETWORKS)}")
    if spec.kind == "transformer" and (spec.width or spec.dim) % spec.heads:
        raise UsageError(f"{spec.heads} heads cannot share a width of {spec.width or spec.dim} evenly")
    head = nn.Linear(spec.dim, spec.dim, bias=False) if spec.head else None
    return SiameseEncoder(TEXT_NETWORKS[spec.kind](spec), head)


def _lite(spec: ModelSpec) -> nn.Module:
    if (spec.width % 32, spec.height % 32, spec.channels, spec.features) != (0, 0, 3, FEATURES):
        raise UsageError(
            f"EfficientNet-Lite gives {FEATURES} features of color images whose sides are multiples of 32, not "
            f"{spec.features} of {spec.width} x {spec.height} in {spec.channels} channels"
        )
    return efficientnet_lite(spec.variant)


def _strokes(spec: ModelSpec) -> nn.Module:
    # The last maps that are pooled have a 16th of the sides.
    if (spec.width % (16 * COLUMNS), spec.height % (16 * ROWS), spec.channels, spec.features) != (
        0,
        0,
        1,
        STROKE_FEATURES,
    ):
        raise UsageError(
            f"strokes gives {STROKE_FEATURES} features of grayscale images whose sides are multiples of {16 * COLUMNS} "
            f"x {16 * ROWS}, not {spec.features} of {spec.width} x {spec.height} in {spec.channels} channels"
        )
    return Strokes()
