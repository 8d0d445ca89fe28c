"""Typical edits of photos, for evaluation only; no encoder is trained with them."""

from __future__ import annotations

import io
import math
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFont, ImageOps

Edit = Callable[[Image.Image, np.random.Generator], Image.Image]


def crop(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A window of 70 to 90 % of each side, anywhere."""
    return _window(photo, rng.uniform(0.7, 0.9), rng)


def half(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A window of 50 to 70 % of each side, anywhere."""
    return _window(photo, rng.uniform(0.5, 0.7), rng)


def _window(photo: Image.Image, share: float, rng: np.random.Generator) -> Image.Image:
    width, height = round(photo.width * share), round(photo.height * share)
    left, top = (int(rng.integers(0, room + 1)) for room in (photo.width - width, photo.height - height))
    return photo.crop((left, top, left + width, top + height))


def mirror(photo: Image.Image, _: np.random.Generator) -> Image.Image:
    return ImageOps.mirror(photo)


def rotation(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Turned by 5 to 15 degrees either way, the corners black."""
    angle = rng.uniform(5, 15) * rng.choice([-1, 1])
    return photo.rotate(angle, Image.Resampling.BILINEAR)


def quarter_turn(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
    return photo.transpose((Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270)[int(rng.integers(2))])


def text(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Two lines of letters over the photo, white with a black edge, a sixth of the height each."""
    photo, size = photo.copy(), max(6, photo.height // 6)
    pen, font = ImageDraw.Draw(photo), ImageFont.load_default(size)
    for top in (0.05, 0.75):
        words = "".join(chr(int(letter)) for letter in rng.integers(65, 91, size=9))
        place = (photo.width * 0.04, photo.height * top)
        pen.text(place, words, fill="white", font=font, stroke_width=max(1, size // 12), stroke_fill="black")
    return photo


def compression(photo: Image.Image, _: np.random.Generator) -> Image.Image:
    """JPEG of quality 10."""
    stream = io.BytesIO()
    photo.save(stream, "JPEG", quality=10)
    return Image.open(io.BytesIO(stream.getvalue())).convert("RGB")


def border(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A frame of one color, an eighth of the width on each side."""
    color = tuple(int(level) for level in rng.integers(0, 256, size=3))
    return ImageOps.expand(photo, max(1, photo.width // 8), color)


def smaller(photo: Image.Image, _: np.random.Generator) -> Image.Image:
    """A third of the sides, and back."""
    small = photo.resize((max(1, photo.width // 3), max(1, photo.height // 3)), Image.Resampling.BOX)
    return small.resize(photo.size, Image.Resampling.BILINEAR)


def colors(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Each channel brighter or darker by up to 30 %, by itself."""
    gains = rng.uniform(0.7, 1.3, size=3)
    return Image.fromarray(np.clip(np.asarray(photo) * gains, 0, 255).astype(np.uint8))


def gray(photo: Image.Image, _: np.random.Generator) -> Image.Image:
    return ImageOps.grayscale(photo).convert("RGB")


def brightness(factor: float) -> Edit:
    """All levels times `factor`."""
    return lambda photo, _: ImageEnhance.Brightness(photo).enhance(factor)


def exposure(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
    """All levels times 0.5 to 1.6."""
    return brightness(math.exp(rng.uniform(math.log(0.5), math.log(1.6))))(photo, rng)


EDITS: dict[str, Edit] = {
    "crop": crop,
    "crop to half": half,
    "mirror": mirror,
    "rotation": rotation,
    "quarter turn": quarter_turn,
    "text over it": text,
    "compression": compression,
    "border": border,
    "fewer pixels": smaller,
    "colors": colors,
    "gray": gray,
    "exposure": exposure,
    **{f"brightness {factor:g}": brightness(factor) for factor in (0.5, 0.6, 0.8, 1.25, 1.6)},
}
