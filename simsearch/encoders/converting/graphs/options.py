"""Options for what an ONNX file does not specify."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from simsearch.errors import UsageError
from simsearch.media.arguments import check_fields
from simsearch.media.images import FITS, RESAMPLES

LAYOUTS = ("nchw", "nhwc")
POOLINGS = ("mean", "cls")


@dataclass(frozen=True, slots=True)
class OnnxOptions:
    """Preprocessing and output of an ONNX model. Raises UsageError for invalid values."""

    size: tuple[int, int] | None = None
    """Width and height of the images, if the file leaves them open."""
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    """For each channel in the model's order, or for all: the network's input is (pixel - mean) / std."""
    scale: float = 1.0
    """The value of white before normalization: 1 for pixels in [0, 1], 255 for those in [0, 255]."""
    layout: str | None = None
    """`nchw` or `nhwc`, if the file leaves it open."""
    bgr: bool = False
    """Whether the channels are in the order blue, green, red."""
    fit: str = "crop"
    resample: str = "bicubic"
    output: str | None = None
    """The output with the embeddings, if there are several."""
    pooling: str | None = None
    """The pooling of outputs with a vector for each token or position: `mean`, or the first, `cls`."""
    tokenizer: Path | None = None
    """The tokenizer.json of a text model. Without it, the one beside the file."""
    max_tokens: int | None = None
    """Texts are truncated to this many tokens; by default that of tokenizer.json."""

    def __post_init__(self) -> None:
        check_fields(self)
        for name, value, known in (
            ("layout", self.layout, LAYOUTS),
            ("pooling", self.pooling, POOLINGS),
            ("fit", self.fit, FITS),
            ("resample", self.resample, tuple(RESAMPLES)),
        ):
            if value is not None and value not in known:
                raise UsageError(f"{name} {value!r}: must be one of {', '.join(known)}")
        if not self.scale > 0 or any(value == 0 for value in self.std):
            raise UsageError(
                f"scale {self.scale:g}, std {self.std}: the scale must be above 0, and no deviation may be 0"
            )
        if self.max_tokens is not None and self.max_tokens < 1:
            raise UsageError(f"max tokens must be 1 or more, not {self.max_tokens}")

    def given(self) -> list[str]:
        """The names of the options that differ from the defaults."""
        return [item.name for item in fields(self) if getattr(self, item.name) != item.default]
