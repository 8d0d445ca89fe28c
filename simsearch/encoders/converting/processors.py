"""The image processor of a model's library, and the equivalent preprocessing of encoder.json."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from simsearch.encoders.converting.loading import loading
from simsearch.encoders.converting.samples import pictures
from simsearch.errors import EncoderError
from simsearch.media.images import PixelSpec, from_array

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.encoders.pretrained_folder import PretrainedFolder

PROBES = ((97, 64), (50, 131))
RESAMPLES = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}
"""Pillow's codes of resampling filters, which the libraries use."""
MOST_LEVELS = 5.0
"""The largest accepted mean difference between the library's pixels and ours, in gray levels of 256."""


@dataclass(frozen=True, slots=True)
class Pixels:
    """The preprocessing of an image: the model's own processor fits it, then it is normalized by mean and standard
    deviation of each channel (for pixels in [0, 1])."""

    processor: Any
    width: int
    height: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def fitted(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Pixels (h, w, 3) of an image as uint8 (height, width, 3)."""
        return _processed(self.processor, pixels, raw=True).transpose(1, 2, 0)

    def normalized(self, pixels: Tensor) -> Tensor:
        """uint8 (n, height, width, 3) as float32 (n, 3, height, width)."""
        mean, std = (torch.tensor(each).view(1, -1, 1, 1) for each in (self.mean, self.std))
        return (pixels.permute(0, 3, 1, 2).to(torch.float32) / 255.0 - mean) / std


def load_pixels(folder: PretrainedFolder) -> Pixels:
    """The processor of a folder. Raises EncoderError for one whose images differ in size, or that does more."""
    with loading(folder):
        from transformers import AutoImageProcessor

        # Always Pillow: embeddings must not depend on whether torchvision is installed.
        processor: Any = AutoImageProcessor.from_pretrained(  # type: ignore[no-untyped-call]
            folder.path, backend="pil", local_files_only=True, trust_remote_code=False
        )
        probes = [np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8) for size in PROBES]
        raw = [_processed(processor, probe, raw=True) for probe in probes]
        wanted = [_processed(processor, probe, raw=False) for probe in probes]
        scale = processor.rescale_factor * 255.0 if processor.do_rescale else 255.0
        mean = np.array(processor.image_mean if processor.do_normalize else [0.0] * 3, dtype=np.float64) / scale
        std = np.array(processor.image_std if processor.do_normalize else [1.0] * 3, dtype=np.float64) / scale
    shapes = {(each.shape, each.dtype) for each in raw}
    if len(shapes) != 1 or raw[0].dtype != np.uint8 or raw[0].ndim != 3 or len(raw[0]) != 3:
        raise EncoderError(f"{folder.name}: its images have no fixed size ({raw[0].shape}, {raw[1].shape})")
    pixels = Pixels(processor, raw[0].shape[2], raw[0].shape[1], tuple(mean.tolist()), tuple(std.tolist()))
    given = torch.from_numpy(np.stack(raw)).permute(0, 2, 3, 1)
    if not np.allclose(pixels.normalized(given).numpy(), np.stack(wanted), atol=1e-4):
        raise EncoderError(f"{folder.name}: its processor does more than to fit and normalize images")
    return pixels


def _processed(processor: Any, pixels: NDArray[np.uint8], *, raw: bool) -> NDArray[Any]:
    """One image through the processor, shape (3, h, w); `raw` leaves out scaling and normalizing."""
    options = {"do_rescale": False, "do_normalize": False} if raw else {}
    found = processor(images=pixels, return_tensors="np", input_data_format="channels_last", **options)
    first: NDArray[Any] = found["pixel_values"][0]
    return first


def pixel_spec(pixels: Pixels, name: str) -> tuple[PixelSpec, float]:
    """The preprocessing that is closest to the processor's, and the mean difference of its pixels in gray levels of 256
    on the image with the largest one.

    A shift of the center crop by half a pixel makes a difference of up to 3 on these fine patterns. Raises EncoderError
    when it is more than 5: then encoder.json cannot represent what the processor does.
    """
    given = pictures(pixels.width, pixels.height)
    wanted = [pixels.fitted(each).astype(np.float32) for each in given]

    def difference(spec: PixelSpec) -> float:
        ours = (from_array(each, spec).pixels for each in given)
        return max(float(np.abs(a - b).mean()) for a, b in zip(ours, wanted, strict=True))

    found = [(difference(spec), spec) for spec in _candidates(pixels)]
    levels, spec = min(found, key=lambda each: each[0])
    if levels > MOST_LEVELS:
        raise EncoderError(
            f"{name}: encoder.json cannot represent the preprocessing of its processor; the closest ({spec.fit}) "
            f"differs by {levels:.1f} gray levels of 256, more than {MOST_LEVELS:g}"
        )
    return spec, levels


def _candidates(pixels: Pixels) -> Iterator[PixelSpec]:
    """The possible interpretations of the processor's settings, the simplest first."""
    processor = pixels.processor
    known = RESAMPLES.get(int(processor.resample)) if processor.resample is not None else None
    for resample in [known] if known else RESAMPLES.values():
        for fit, zoom in [("squash", 1.0), *(("crop", zoom) for zoom in _zooms(processor, pixels))]:
            yield PixelSpec(pixels.width, pixels.height, 3, fit, resample, zoom)


def _zooms(processor: Any, pixels: Pixels) -> list[float]:
    """The possible relative sizes of the center crop."""
    size = processor.size or {}
    shortest = [size.get(name) for name in ("shortest_edge", "height")]
    shares = [min(pixels.width, pixels.height) / each for each in shortest if each]
    share = getattr(processor, "crop_pct", None)
    return sorted({1.0, *(each for each in (*shares, *([share] if share else [])) if 0 < each < 1)}, reverse=True)
