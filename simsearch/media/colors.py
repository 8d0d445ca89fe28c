"""Conversion of images of any mode to 8-bit gray or RGB, on white."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

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
