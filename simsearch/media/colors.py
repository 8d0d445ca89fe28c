"""Conversion of images of any mode to 8-bit gray or RGB, on white, and of arrays of pixels to images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from simsearch.errors import MediaError

if TYPE_CHECKING:
    from numpy.typing import NDArray

CHANNELS = (1, 3, 4)
"""Gray, RGB, and RGB with opacity."""
_WHITE_IS_ZERO = 0
_STRIP = 256
_PHOTOMETRIC, _LOWEST, _HIGHEST = 262, 340, 341  # TIFF tags


def flatten(picture: Image.Image, mode: str) -> Image.Image:
    """The picture in `mode` ("L" or "RGB"), 8 bits a channel; what is transparent shows white.

    16-bit values lose their lower byte. Wider integers and floats are scaled from the range that the file declares
    (TIFF tags 340 and 341; 16 bits for PNM), else floats from [0, 1] when all lie within, else from the
    range of values that occur; what is not finite shows the lowest.
    """
    if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
        picture = _to_eight_bits(picture)
    if picture.mode == "La":
        picture = picture.convert("LA")
    if picture.has_transparency_data:
        picture = _on_white(picture)
    return picture if picture.mode == mode else picture.convert(mode)


def _on_white(picture: Image.Image) -> Image.Image:
    opaque = picture.convert("RGBA")
    page = Image.new("RGB", picture.size, "white")
    page.paste(opaque, mask=opaque.getchannel("A"))
    return page


def _to_eight_bits(picture: Image.Image) -> Image.Image:
    values = np.asarray(picture)
    tags: Any = getattr(picture, "tag_v2", {})
    if picture.mode.startswith("I;16"):
        gray = (values >> 8).astype(np.uint8)
    elif picture.mode == "I" and picture.format in ("PPM", "PNG"):
        gray = np.clip(values >> 8, 0, 255).astype(np.uint8)
    else:
        gray = _scaled(values, _declared_range(tags))
    # Pillow inverts 8-bit TIFFs whose zero is white, but not the wider ones.
    return Image.fromarray(255 - gray if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO else gray)


def _declared_range(tags: Any) -> tuple[float, float] | None:
    lowest, highest = (_first(tags.get(tag)) for tag in (_LOWEST, _HIGHEST))
    if lowest is None or highest is None or not lowest < highest:
        return None
    return lowest, highest


def _first(value: object) -> float | None:
    if isinstance(value, tuple) and value:
        value = value[0]
    return float(value) if isinstance(value, (int, float)) else None


def _scaled(values: NDArray[Any], declared: tuple[float, float] | None) -> NDArray[np.uint8]:
    finite = np.isfinite(values)
    lowest, highest = declared or _occurring_range(values, finite)
    spread = (highest - lowest) or 1.0
    gray = np.empty(values.shape, dtype=np.uint8)
    # In strips, as float64 takes eight times the memory of the result.
    for top in range(0, len(values), _STRIP):
        rows = slice(top, top + _STRIP)
        shares = (np.where(finite[rows], values[rows], lowest).astype(np.float64) - lowest) / spread
        gray[rows] = np.rint(np.clip(shares, 0.0, 1.0) * 255.0)
    return gray


def _occurring_range(values: NDArray[Any], finite: NDArray[np.bool_]) -> tuple[float, float]:
    if not finite.any():
        return 0.0, 1.0
    lowest, highest = float(values[finite].min()), float(values[finite].max())
    unit = np.issubdtype(values.dtype, np.floating) and lowest >= 0.0 and highest <= 1.0
    return (0.0, 1.0) if unit else (lowest, highest)


def image_of(pixels: NDArray[Any]) -> Image.Image:
    """The image that an array is: uint8, or floats from 0 to 1, or booleans, gray or with 1, 3 or 4 channels.

    Channels are the last axis, or the first where the last cannot be. Raises MediaError for other arrays.
    """
    placed = _channels_last(pixels)
    if placed is None or not pixels.size:
        raise MediaError(
            f"an array of shape {pixels.shape}; give the pixels of an image as (h, w), (h, w, 3) or (3, h, w)"
        )
    return Image.fromarray(np.ascontiguousarray(_eight_bits(placed)))


def _channels_last(pixels: NDArray[Any]) -> NDArray[Any] | None:
    if pixels.ndim == 2:
        return pixels
    if pixels.ndim != 3:
        return None
    if pixels.shape[2] not in CHANNELS:
        if pixels.shape[0] not in (1, 3):
            return None
        pixels = pixels.transpose(1, 2, 0)
    return pixels[:, :, 0] if pixels.shape[2] == 1 else pixels


def _eight_bits(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype == np.bool_:
        return pixels.astype(np.uint8) * np.uint8(255)
    if pixels.dtype.kind != "f":
        raise MediaError(
            f"an array of {pixels.dtype}; give pixels as uint8 from 0 to 255 (array.astype(numpy.uint8)), or as floats "
            "from 0 to 1"
        )
    least, most = float(pixels.min()), float(pixels.max())
    if not (least >= 0 and most <= 1):
        raise MediaError(
            f"an array of {pixels.dtype} with values from {least:g} to {most:g}; give pixels as floats from 0 to 1, or "
            "as uint8 from 0 to 255"
        )
    scaled: NDArray[np.uint8] = np.rint(pixels * 255).astype(np.uint8)
    return scaled
