"""Loading the pixels of an image file, also of one whose end is missing."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from simsearch.errors import MediaError
from simsearch.media.decoding.depth import deepened
from simsearch.media.formats import decoding, open_picture

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.ImageFile import ImageFile

MOST_MISSING = 0.5
"""The share of the rows that may be missing."""
FEWEST_SCANS = 3
"""Of a progressive JPEG, the scans that must have begun: the first has blocks of 8 x 8 pixels only."""
_PROGRESSIVE = b"\xff\xc2"
_SCAN, _SEGMENT = re.compile(rb"\xff\xda"), re.compile(rb"\xff[\xc4\xda\xdb\xdd]")
_END_OF_JPEG = b"\xff\xd9"
_JPEG_FILLING = (127, 128)
"""What the decoder gives for blocks that are not there: the middle of the range, inverted for CMYK."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A picture with its pixels, its size in the file, and by which factor it was reduced in loading.

    `missing` is the share of rows that the file does not hold; None when it is complete.
    """

    picture: Image.Image
    size: tuple[int, int]
    factor: float = 1.0
    missing: float | None = None

    @property
    def remark(self) -> str:
        if self.missing is None:
            return ""
        rows = f", and with it {ceil(100 * self.missing)} % of the rows" if self.missing else ""
        return f"incomplete: the end of the file is missing{rows}"


def load(content: bytes, reduce: Callable[[JpegImageFile], float]) -> Loaded:
    """The picture in the bytes of a file. `reduce` may have a JPEG decoded at a smaller scale; it returns the factor.

    Of a file without its end at least half of the rows must be there. Raises MediaError.
    """
    name, picture = open_picture(content)
    # Reducing a JPEG changes its size.
    size = picture.size
    try:
        factor = _load(name, picture, reduce)
    except MediaError as error:
        part, factor, missing = _load_part(name, picture, content, reduce, error)
        return Loaded(part, size, factor, missing)
    return Loaded(deepened(name, content, picture), size, factor)


def _load(name: str, picture: ImageFile, reduce: Callable[[JpegImageFile], float]) -> float:
    with decoding(name):
        factor = reduce(picture) if isinstance(picture, JpegImageFile) else 1.0
        picture.load()
    return factor


def _load_part(
    name: str, picture: ImageFile, content: bytes, reduce: Callable[[JpegImageFile], float], error: MediaError
) -> tuple[ImageFile, float, float]:
    """What there is of a picture, the factor, and the share of its rows that is missing."""
    if "truncated" not in str(error):
        raise error
    factor = 1.0
    if isinstance(picture, JpegImageFile):
        _, picture = open_picture(_ended(content, error))
        factor = _load(name, picture, reduce)
    elif picture._im is None or picture._im.size != picture.size:
        raise error
    else:
        # The rows that were decoded are there; what is not, is zero.
        picture.tile = []
    with decoding(name):
        missing = _filled(np.asarray(picture), _JPEG_FILLING if name == "JPEG" else (0,))
    if missing > MOST_MISSING:
        raise MediaError(f"{error}; {missing:.0%} of it is missing")
    return picture, factor, missing


def _ended(content: bytes, error: MediaError) -> bytes:
    """A JPEG with the end that it lacks; a progressive one without a segment that is cut, of three scans at least."""
    scans = [found.start() for found in _SCAN.finditer(content)]
    if content.find(_PROGRESSIVE, 0, scans[0] if scans else 0) < 0:
        return content + _END_OF_JPEG
    if len(scans) < FEWEST_SCANS:
        raise error
    last = max(found.start() for found in _SEGMENT.finditer(content, scans[0]))
    length = int.from_bytes(content[last + 2 : last + 4])
    return (content if last + 2 + length < len(content) else content[:last]) + _END_OF_JPEG


def _filled(pixels: NDArray[Any], values: tuple[int, ...]) -> float:
    """The share of the rows at the end, or at the beginning, of one of these values only."""
    rows = pixels.reshape(len(pixels), -1)
    filled: NDArray[np.bool_] = np.all(np.isin(rows, values), axis=1)
    if filled.all():
        return 1.0
    first, last = int(np.argmin(filled)), int(np.argmin(filled[::-1]))
    return max(first, last) / len(rows)
