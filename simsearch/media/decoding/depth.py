"""Images with 16 bits a channel: values of fewer bits are not taken for black."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from simsearch.media.formats import decoding, open_picture

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.ImageFile import ImageFile

_DEEP_FORMATS = ("TIFF", "PNG")
_SWAPPED = {";16L": ";16B", ";16B": ";16L", ";16N": ";16B"}
_FEWER_BITS = 64
"""Values of 14 bits and fewer have a higher byte below this."""


def is_deep(picture: Image.Image) -> bool:
    """Whether a picture has over 8 bits a channel in its file; to be asked before it is loaded."""
    return picture.mode in ("I", "F") or picture.mode.startswith("I;16") or bool(_byte_order(picture))


def _byte_order(picture: Image.Image) -> str:
    """The byte order in which 16-bit channels are read, as ";16L"; empty for other pictures."""
    tiles = getattr(picture, "tile", None) or []
    rawmode = str(_rawmode(tiles[0].args)) if tiles else ""
    return next((order for order in _SWAPPED if rawmode.endswith(order)), "")


def _rawmode(args: object) -> object:
    return args[0] if isinstance(args, tuple) and args else args


def deepened(name: str, content: bytes, picture: ImageFile) -> Image.Image:
    """The loaded picture; one of colors of 9 to 14 bits in 16 with its values scaled to 8 bits.

    Pillow keeps the higher byte of each channel, which such values hardly use; read in the other byte order it keeps
    the lower one.
    """
    if name not in _DEEP_FORMATS or picture.mode not in ("RGB", "RGBA"):
        return picture
    with decoding(name):
        highest = max(high for _, high in picture.getextrema()[:3])  # type: ignore[misc]
        if highest >= _FEWER_BITS:
            return picture
        _, lower = open_picture(content)
        order = _byte_order(lower)
        if not order:
            return picture
        lower.tile = [tile._replace(args=_reordered(tile.args, order)) for tile in lower.tile]
        lower.load()
        values = (np.asarray(picture).astype(np.uint16) << 8) | np.asarray(lower)
        bits = bits_of(values[..., :3])
        scaled = (values >> (bits - 8)).astype(np.uint8)
        if picture.mode == "RGBA":
            scaled[..., 3] = np.asarray(picture)[..., 3]
        return Image.fromarray(scaled, picture.mode)


def _reordered(args: Any, order: str) -> Any:
    if isinstance(args, tuple):
        return (_reordered(args[0], order), *args[1:])
    return str(args).removesuffix(order) + _SWAPPED[order]


def bits_of(values: NDArray[Any]) -> int:
    """The bits that the values use, at least 8 and even, as sensors have them: 8, 10, 12, 14 or 16."""
    used = max(8, int(values.max(initial=0)).bit_length())
    return used + used % 2
