"""Specifications of networks, as stored in encoder.json. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """The specification of an image network. From `widths` to `pooling` all but `dropout` is for `residual`."""

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
    """`mean` is global average pooling; `flat` keeps spatial positions, for images of one centered object."""
    head: bool = False
    """Whether the network has a linear head, which is trained if all other layers are frozen."""
    variant: int = 0
    """Of `lite`: which EfficientNet-Lite it is."""
    features: int = 0
    """Numbers that the network gives to the head, and to the heads of other encoders; 0 is `dim`, and to no others."""
    hidden: int = 0
    """Width of the layer within a head that is a BlendedHead, 0 for a linear head."""
    linear: int = 0
    """Numbers of the linear half of a BlendedHead; 0 is half of `dim`."""

    @property
    def halves(self) -> tuple[int, int]:
        """Numbers of the linear and of the learned half of a BlendedHead."""
        linear = self.linear or self.dim // 2
        return linear, self.dim - linear


@dataclass(frozen=True, slots=True)
class TextSpec:
    """The specification of a text network. `layers` and `heads` are not used by `bag`."""

    kind: str
    vocabulary: int
    """Token ids are 0 to `vocabulary` - 1, and 0 is the padding; the last `codes` are words with digits, hashed."""
    dim: int
    width: int = 0
    """Numbers a token has within the network; 0 means `dim`."""
    layers: int = 1
    heads: int = 4
    max_tokens: int = 256
    codes: int = 0
    dropout: float = 0.0
    head: bool = False
