"""Images as the pixels that an encoder takes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from simsearch.errors import MediaError, UsageError
from simsearch.media.decoding.colors import FAINTEST, flatten, image_of, is_blank
from simsearch.media.decoding.depth import is_deep
from simsearch.media.decoding.loading import Loaded, load
from simsearch.media.decoding.profiles import base_mode, foreign_profile, to_srgb
from simsearch.media.files import MAX_FILE_BYTES, read_file
from simsearch.media.formats import HEAD, IMAGE_SUFFIXES, MAX_PIXELS, check_size, decoding, open_picture, sniff

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "BLANK_REMARK",
    "IMAGE_SUFFIXES",
    "MAX_FILE_BYTES",
    "MAX_PIXELS",
    "Picture",
    "PixelSpec",
    "decode",
    "from_array",
    "from_image",
    "may_differ",
    "read_file",
    "thumbnail",
    "whole",
]

FITS = ("squash", "crop", "pad", "ink")
RESAMPLES = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "lanczos": Image.Resampling.LANCZOS,
    "nearest": Image.Resampling.NEAREST,
}
INK_MARGIN, INK_LEAST, INK_WORKING = 0.15, 0.4, 8
"""White left on each side of the ink, as a share of its longer side; the least share of the picture's longer side that
is taken; the pixels for each one wanted among which the ink is looked for."""
BLANK_REMARK = "blank: there is nothing to see"
MAX_SIDE = 4096
_LARGEST_BLOCK = 32
_ORIENTATION = 274  # EXIF tag
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = frozenset((5, 6, 7, 8))
_Box: TypeAlias = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class PixelSpec:
    """The pixels that an encoder takes. `fit` determines how images of another shape are resized:

    squash: both sides resized freely; crop: the short side fitted, then the centre cut out; pad: the long side
    fitted, then white added on both sides; ink: the same of the square around all that is dark, however small it was
    drawn and wherever on the page (not below 40 % of the longer side). With a `zoom` below 1 only that share of both
    sides is taken, in the middle of what `squash` or `crop` would take. Raises UsageError for values that make no
    sense.
    """

    width: int
    height: int
    channels: int
    fit: str
    resample: str = "bicubic"
    zoom: float = 1.0

    def __post_init__(self) -> None:
        if not (1 <= self.width <= MAX_SIDE and 1 <= self.height <= MAX_SIDE):
            raise UsageError(f"image size {self.width}x{self.height}: both sides must be from 1 to {MAX_SIDE}")
        if self.channels not in (1, 3):
            raise UsageError(f"channels must be 1 (gray) or 3 (color), not {self.channels}")
        if self.fit not in FITS:
            raise UsageError(f"fit must be one of {', '.join(FITS)}, not {self.fit!r}")
        if self.resample not in RESAMPLES:
            raise UsageError(f"resample must be one of {', '.join(RESAMPLES)}, not {self.resample!r}")
        if not 0 < self.zoom <= 1 or (self.zoom < 1 and self.fit not in ("squash", "crop")):
            raise UsageError(f"zoom {self.zoom} with fit {self.fit!r}: must be in (0, 1], and 1 without squash or crop")

    @property
    def mode(self) -> str:
        """Pillow's name of the mode."""
        return "L" if self.channels == 1 else "RGB"


@dataclass(frozen=True, slots=True)
class Picture:
    """uint8 pixels of shape (height, width, channels), C-contiguous; `width` and `height` are those of the original,
    turned upright."""

    pixels: NDArray[np.uint8]
    width: int
    height: int
    remark: str = ""
    incomplete: bool = False


def decode(content: bytes, spec: PixelSpec) -> Picture:
    """The picture in the bytes of a file (its first frame), upright and resized. Safe in threads.

    A large JPEG is decoded at a reduced scale, never below twice the wanted size: on average a pixel then differs by
    less than one gray level from the full decode. Raises MediaError with a short reason for whatever cannot be read.
    """
    loaded, small, (width, height) = _decoded(content, spec)
    return _picture(small, spec, (width, height), loaded)


def _picture(small: Image.Image, spec: PixelSpec, size: tuple[int, int], loaded: Loaded) -> Picture:
    pixels = _pixels(small, spec)
    remark = loaded.remark or (BLANK_REMARK if is_blank(pixels) else "")
    return Picture(pixels, *size, remark, loaded.missing is not None)


def may_differ(content: bytes) -> bool:
    """Whether the rules of version 1 may read the bytes of a file differently, judged by its header."""
    _, picture = open_picture(content)
    return bool(picture.has_transparency_data) or is_deep(picture) or foreign_profile(picture) is not None


def thumbnail(content: bytes, size: int) -> Image.Image:
    """The RGB picture, upright, its long side `size` pixels. Raises MediaError like `decode`."""
    return _decoded(content, PixelSpec(size, size, 3, "pad"))[1]


def whole(source: bytes | Image.Image | NDArray[Any], enough: int) -> Picture:
    """The RGB picture, upright, not resized: the bytes of a file, an image in memory, or an array of pixels.

    A JPEG whose sides are both at least 2 x `enough` pixels is decoded at a reduced scale, never below `enough`.
    Raises MediaError like `decode`.
    """
    if isinstance(source, bytes):
        loaded = load(source, lambda picture: _reduce_to(picture, enough))
    else:
        picture = image_of(source) if isinstance(source, np.ndarray) else source
        check_size(*picture.size)
        loaded = Loaded(picture, picture.size)
    with decoding("image"):
        picture = loaded.picture
        picture.load()
        turn = _orientation(picture)
        flat = _in_srgb(picture, "RGB", lambda colors: colors)
        upright = flat.transpose(_TURNS[turn]) if turn in _TURNS else flat
        return Picture(np.array(upright, dtype=np.uint8), *_turned(loaded.size, turn))


def _reduce_to(picture: JpegImageFile, enough: int) -> float:
    drafted = picture.draft("RGB", (enough, enough))
    return picture.width / drafted[1][2] if drafted else 1.0


def from_image(picture: Image.Image, spec: PixelSpec) -> Picture:
    """What `decode` gives, of an image in memory. Raises MediaError when Pillow cannot load or convert it."""
    check_size(*picture.size)
    with decoding("image"):
        picture.load()
        turn = _orientation(picture)
        small = _upright(picture, spec, turn, picture.size)
    return _picture(small, spec, _turned(picture.size, turn), Loaded(picture, picture.size))


def from_array(pixels: NDArray[Any], spec: PixelSpec) -> Picture:
    """What `decode` gives, of an array of pixels (see `image_of`). Raises MediaError for other arrays."""
    return from_image(image_of(pixels), spec)


def _decoded(content: bytes, spec: PixelSpec) -> tuple[Loaded, Image.Image, tuple[int, int]]:
    """The picture as loaded, then fitted but not yet padded, and the original size; both upright."""
    loaded = load(content, lambda picture: _reduce(picture, spec))
    with decoding(sniff(content[:HEAD]) or "image"):
        turn = _orientation(loaded.picture)
        small = _upright(loaded.picture, spec, turn, loaded.size, loaded.factor)
    return loaded, small, _turned(loaded.size, turn)


def _reduce(picture: JpegImageFile, spec: PixelSpec) -> float:
    """Has a JPEG decoded at 1/2, 1/4 or 1/8 if that is still twice the wanted size; returns the factor, 1 to 8."""
    width, height = picture.size
    size, box = _fit(picture.size, spec, _orientation(picture))
    enough = (math.ceil(2 * size[0] * width / (box[2] - box[0])), math.ceil(2 * size[1] * height / (box[3] - box[1])))
    # A profile is that of the colors.
    drafted = picture.draft("RGB" if foreign_profile(picture) else spec.mode, enough)
    return width / drafted[1][2] if drafted else 1.0


def _upright(
    picture: Image.Image, spec: PixelSpec, turn: int, stored: tuple[int, int], factor: float = 1.0
) -> Image.Image:
    """The picture resized and turned upright; in the file it has the size `stored`, which is `factor` times its own."""
    size, box = _fit(stored, spec, turn)
    # A reduced JPEG has ceil(side / factor) pixels: the last can be a part of one, which must not stretch the rest.
    box = (box[0] / factor, box[1] / factor, min(box[2] / factor, picture.width), min(box[3] / factor, picture.height))
    # Averaging whole blocks first saves time, but Pillow rounds its sums down: by 1 % for blocks of 400 x 400.
    gap = max(3.0, (box[2] - box[0]) / size[0] / _LARGEST_BLOCK, (box[3] - box[1]) / size[1] / _LARGEST_BLOCK)
    small = _in_srgb(
        picture, spec.mode, lambda colors: colors.resize(size, RESAMPLES[spec.resample], box, reducing_gap=gap)
    )
    return small.transpose(_TURNS[turn]) if turn in _TURNS else small


def _in_srgb(picture: Image.Image, mode: str, resize: Callable[[Image.Image], Image.Image]) -> Image.Image:
    """The picture in `mode` and resized; where it has a profile of its own, the small one is converted to sRGB."""
    transform = foreign_profile(picture)
    if transform is None:
        return resize(flatten(picture, mode))
    base = base_mode(picture.mode)
    small = to_srgb(resize(picture if base == "CMYK" else flatten(picture, base)), transform)
    return small if small.mode == mode else small.convert(mode)


def _fit(stored: tuple[int, int], spec: PixelSpec, turn: int) -> tuple[tuple[int, int], _Box]:
    """The size to resize to, and the box to crop, before the EXIF rotation."""
    width, height = stored
    wanted = _turned((spec.width, spec.height), turn)
    across, down = wanted[0] / width, wanted[1] / height
    if spec.fit == "ink":
        # Reduced no further than the ink can be found and enlarged in; it is cut out when the picture is upright.
        scale = min(1.0, INK_WORKING * min(across, down))
        return (max(1, round(width * scale)), max(1, round(height * scale))), (0, 0, width, height)
    if spec.fit == "pad":
        scale = min(across, down)
        size = (min(wanted[0], max(1, round(width * scale))), min(wanted[1], max(1, round(height * scale))))
        return size, (0, 0, width, height)
    if spec.fit == "crop":
        across = down = max(across, down)
    left = max(0.0, (width - wanted[0] / across * spec.zoom) / 2)
    top = max(0.0, (height - wanted[1] / down * spec.zoom) / 2)
    return wanted, (left, top, width - left, height - top)


def _turned(size: tuple[int, int], turn: int) -> tuple[int, int]:
    return (size[1], size[0]) if turn in _SIDEWAYS else size


def _orientation(picture: Image.Image) -> int:
    """The EXIF orientation from 1 to 8; 1 where there is none or none that can be read."""
    try:
        with decoding("EXIF"):
            turn = picture.getexif().get(_ORIENTATION, 1)
    except MediaError:
        return 1
    return turn if isinstance(turn, int) and turn in _TURNS else 1


def _pixels(small: Image.Image, spec: PixelSpec) -> NDArray[np.uint8]:
    """The pixels as an array of their own, with white where the picture is smaller than wanted."""
    if spec.fit == "ink":
        small = _inked(small, spec)
    if small.size != (spec.width, spec.height):
        page = Image.new(spec.mode, (spec.width, spec.height), "white")
        page.paste(small, ((spec.width - small.width) // 2, (spec.height - small.height) // 2))
        small = page
    return np.array(small, dtype=np.uint8).reshape(spec.height, spec.width, spec.channels)


def _inked(picture: Image.Image, spec: PixelSpec) -> Image.Image:
    """The part of the picture around its ink, on white, in the wanted size; all of it where there is no ink."""
    gray = np.asarray(picture.convert("L"))
    darkest, lightest = int(gray.min()), int(gray.max())
    dark = gray <= min((darkest + lightest) / 2, lightest - FAINTEST)
    left, right = _extent(dark, axis=0)
    top, bottom = _extent(dark, axis=1)
    share = max(
        max((right - left) / spec.width, (bottom - top) / spec.height) * (1 + 2 * INK_MARGIN),
        max(picture.width / spec.width, picture.height / spec.height) * INK_LEAST,
    )
    width, height = max(1, round(share * spec.width)), max(1, round(share * spec.height))
    page = Image.new(spec.mode, (width, height), "white")
    page.paste(picture, ((width - left - right) // 2, (height - top - bottom) // 2))
    return page.resize((spec.width, spec.height), Image.Resampling.BICUBIC, reducing_gap=3.0)


def _extent(dark: NDArray[np.bool_], *, axis: int) -> tuple[int, int]:
    """Along the other axis, from the first place with a dark pixel to behind the last; all where there is none."""
    places = np.flatnonzero(dark.any(axis=axis))
    return (int(places[0]), int(places[-1]) + 1) if len(places) else (0, dark.shape[1 - axis])
