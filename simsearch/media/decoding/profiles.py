"""Color profiles (ICC) of images, converted to sRGB."""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from PIL.ImageCms import ImageCmsTransform

_GRAY_MODES = ("1", "L", "LA", "La", "I", "F", "I;16", "I;16L", "I;16B", "I;16N")
_NEGLIGIBLE = 3
"""Levels of 255 by which colors may differ from sRGB without being converted."""
_WITHOUT_CACHE = 0x40
"""A flag of Little CMS, without which a transform must not be used by two threads at a time."""


def base_mode(mode: str) -> str:
    """The mode in which the colors of a picture are defined: L, RGB or CMYK."""
    return "L" if mode in _GRAY_MODES else "CMYK" if mode == "CMYK" else "RGB"


def foreign_profile(picture: Image.Image) -> ImageCmsTransform | None:
    """The transform from the colors of a picture to sRGB; None where they are sRGB, or the profile cannot be used."""
    profile = picture.info.get("icc_profile")
    return _transform(profile, base_mode(picture.mode)) if isinstance(profile, bytes) and profile else None


def to_srgb(picture: Image.Image, transform: ImageCmsTransform) -> Image.Image:
    """The RGB picture in sRGB. Cheap for a picture that has been reduced before."""
    from PIL import ImageCms

    converted = ImageCms.applyTransform(picture, transform)
    assert converted is not None
    return converted


@lru_cache(maxsize=64)
def _transform(profile: bytes, mode: str) -> ImageCmsTransform | None:
    """Building one takes milliseconds, and the pictures of one camera have the same profile."""
    from PIL import ImageCms

    try:
        source, target = ImageCms.ImageCmsProfile(BytesIO(profile)), ImageCms.createProfile("sRGB")
        transform = ImageCms.buildTransform(source, target, mode, "RGB", flags=ImageCms.Flags(_WITHOUT_CACHE))
        colors = _probe(mode)
        converted = np.asarray(to_srgb(colors, transform), dtype=np.int16)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        # Viewers show such a picture without its profile, and so does this.
        return None
    plain = np.asarray(colors.convert("RGB"), dtype=np.int16)
    # Pillow's own conversion of CMYK has no profile, so there a difference always matters.
    return transform if np.abs(converted - plain).max() > _NEGLIGIBLE else None


def _probe(mode: str) -> Image.Image:
    """Colors on a grid through all of the space."""
    steps = np.linspace(0, 255, 9).astype(np.uint8)
    if mode == "L":
        return Image.fromarray(steps[None])
    channels = len(Image.new(mode, (1, 1)).getbands())
    grid = np.stack(np.meshgrid(*[steps] * channels), axis=-1).reshape(1, -1, channels)
    return Image.frombytes(mode, (grid.shape[1], 1), grid.tobytes())
