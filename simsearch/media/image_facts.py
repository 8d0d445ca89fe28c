"""What a file of an image holds beside its pixels, and small copies of images."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from PIL import Image

from simsearch.errors import MediaError
from simsearch.media.formats import decoding, open_picture

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SMALL = 12
_EXIF_PARTS = (0x8769, 0x8825)
"""Tags of the inner tables: of the camera's settings, and of the place."""


def small_jpeg(pixels: NDArray[np.uint8], size: int, quality: int) -> tuple[bytes, tuple[int, int]]:
    """A JPEG of RGB pixels, reduced to fit into a square of `size`, and its width and height."""
    small, stream = Image.fromarray(pixels), BytesIO()
    small.thumbnail((size, size), Image.Resampling.LANCZOS)
    small.save(stream, "JPEG", quality=quality)
    return stream.getvalue(), small.size


def small_gray(pixels: NDArray[np.uint8]) -> bytes:
    """The means of `SMALL` x `SMALL` parts of an image of shape (height, width, channels), as gray levels row by row.

    They hardly change with blur, noise, compression or size, which move embeddings.
    """
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    return image.convert("L").resize((SMALL, SMALL), Image.Resampling.BOX).tobytes()


def metadata_entries(content: bytes) -> int:
    """How many entries of EXIF the bytes of a picture hold; 0 where there are none or none that can be read."""
    try:
        name, picture = open_picture(content)
        with decoding(name):
            exif = picture.getexif()
            return len(exif) + sum(len(exif.get_ifd(part)) for part in _EXIF_PARTS)
    except MediaError:
        return 0


def frames(content: bytes) -> int:
    """How many pictures the bytes of a file hold: pages or the frames of an animation. Raises MediaError."""
    name, picture = open_picture(content)
    with decoding(name):
        return int(getattr(picture, "n_frames", 1))
