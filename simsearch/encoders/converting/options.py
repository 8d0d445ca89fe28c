"""What a file of ONNX does not say about itself."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from simsearch.errors import UsageError
from simsearch.media.images import FITS, RESAMPLES

LAYOUTS = ("nchw", "nhwc")
POOLINGS = ("mean", "cls")


@dataclass(frozen=True, slots=True)
class OnnxOptions:
    """How an ONNX file is used. Raises UsageError for values that make no sense."""

    size: tuple[int, int] | None = None
    """Width and height of the images, where the file does not say them."""
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    """Of each channel in the model's order, or of all: the network is given (pixel - mean) / std."""
    scale: float = 1.0
    """What white is before that: 1 for pixels in [0, 1], 255 for those in [0, 255]."""
    layout: str | None = None
    """`nchw` or `nhwc`, where the file leaves it open."""
    bgr: bool = False
    """Whether the model takes blue before green before red."""
    fit: str = "crop"
    resample: str = "bicubic"
    output: str | None = None
    """The output with the embeddings, where there are several."""
    pooling: str | None = None
    """Where there is a vector for each token or place: their `mean`, or that of the first, `cls`."""
    tokenizer: Path | None = None
    """The tokenizer.json of a text model. Without it, the one beside the file."""
    max_tokens: int | None = None
    """What follows so many tokens of a text is not looked at; where it is not said, tokenizer.json says it."""

    def __post_init__(self) -> None:
        for name, value, known in (
            ("layout", self.layout, LAYOUTS),
            ("pooling", self.pooling, POOLINGS),
            ("fit", self.fit, FITS),
            ("resample", self.resample, tuple(RESAMPLES)),
        ):
            if value is not None and value not in known:
                raise UsageError(f"{name} {value!r}: one of {', '.join(known)} is possible")
        if not self.scale > 0 or any(value == 0 for value in self.std):
            raise UsageError(f"scale {self.scale:g}, std {self.std}: the scale is above 0, and no deviation is 0")
        if self.max_tokens is not None and self.max_tokens < 1:
            raise UsageError(f"max tokens must be 1 or more, not {self.max_tokens}")

    def said(self) -> list[str]:
        """The names of what differs from the defaults."""
        return [item.name for item in fields(self) if getattr(self, item.name) != item.default]
