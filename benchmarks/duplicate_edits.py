"""The edits by which copies of photos are made, to measure the finding of duplicates with."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

Edit = Callable[[Image.Image, np.random.Generator], Image.Image]


def jpeg(quality: int) -> Edit:
    def edit(photo: Image.Image, _: np.random.Generator) -> Image.Image:
        stream = io.BytesIO()
        photo.save(stream, "JPEG", quality=quality)
        return Image.open(io.BytesIO(stream.getvalue())).convert("RGB")

    return edit


def resized(across: float, down: float) -> Edit:
    return lambda photo, _: photo.resize(
        (max(1, round(photo.width * across)), max(1, round(photo.height * down))), Image.Resampling.LANCZOS
    )


def crop(area: float) -> Edit:
    """A window with that share of the area, anywhere."""

    def edit(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
        width, height = (round(side * area**0.5) for side in photo.size)
        left, top = (int(rng.integers(0, room + 1)) for room in (photo.width - width, photo.height - height))
        return photo.crop((left, top, left + width, top + height))

    return edit


def rotated(angle: float) -> Edit:
    return lambda photo, rng: photo.rotate(angle * int(rng.choice([-1, 1])), Image.Resampling.BICUBIC, expand=True)


def exposed(factor: float) -> Edit:
    return lambda photo, _: ImageEnhance.Brightness(photo).enhance(factor)


def tinted(red: float, blue: float) -> Edit:
    return lambda photo, _: Image.fromarray(
        np.clip(np.asarray(photo) * np.array([red, 1.0, blue]), 0, 255).astype(np.uint8)
    )


def noise(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Gaussian, 15 gray levels."""
    levels = np.asarray(photo) + rng.normal(0, 15, (photo.height, photo.width, 3))
    return Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8))


def border(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A frame of one color, an eighth of the width on each side."""
    return ImageOps.expand(photo, photo.width // 8, tuple(int(level) for level in rng.integers(0, 256, size=3)))


def caption(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A bar over the lowest 15 %, with a line of letters on it."""
    photo, bar = photo.copy(), round(photo.height * 0.15)
    pen = ImageDraw.Draw(photo)
    dark = bool(rng.integers(2))
    pen.rectangle((0, photo.height - bar, photo.width, photo.height), fill="black" if dark else "white")
    words = "".join(chr(int(letter)) for letter in rng.integers(65, 91, size=14))
    font = ImageFont.load_default(max(8, bar // 2))
    pen.text((photo.width * 0.05, photo.height - 0.8 * bar), words, fill="white" if dark else "black", font=font)
    return photo


def sticker(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
    """An ellipse of one color with a ring over a third of the area, anywhere."""
    photo = photo.copy()
    width, height = (round(side * (4 / 3 / np.pi) ** 0.5) for side in photo.size)
    left, top = (int(rng.integers(0, room + 1)) for room in (photo.width - width, photo.height - height))
    colors = [tuple(int(level) for level in rng.integers(0, 256, size=3)) for _ in range(2)]
    box = (left, top, left + width, top + height)
    ImageDraw.Draw(photo).ellipse(box, fill=colors[0], outline=colors[1], width=max(2, width // 20))
    return photo


def screenshot(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
    """The photo across the screen of a phone, with bars of icons above and below."""
    width, height = photo.width, round(photo.width * 19.5 / 9)
    dark = bool(rng.integers(2))
    screen = Image.new("RGB", (width, max(height, photo.height + 40)), (18, 18, 18) if dark else "white")
    screen.paste(photo, (0, (screen.height - photo.height) // 2))
    pen, font, ink = ImageDraw.Draw(screen), ImageFont.load_default(max(8, width // 22)), "white" if dark else "black"
    pen.text((width * 0.06, width * 0.03), f"{int(rng.integers(24)):02}:{int(rng.integers(60)):02}", ink, font=font)
    pen.text((width * 0.7, width * 0.03), f"LTE {int(rng.integers(10, 100))} %", ink, font=font)
    for place in range(5):
        left = width * (0.1 + 0.18 * place)
        pen.ellipse(
            (left, screen.height - width * 0.12, left + width * 0.07, screen.height - width * 0.05), outline=ink
        )
    return screen


def screen_photo(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A photo of the photo on a screen: perspective, moiré and glare, on a dark room."""
    width, height = photo.size
    y, x = np.mgrid[0:height, 0:width]
    waves = 10 * np.sin(x * rng.uniform(0.8, 1.4) + y * rng.uniform(0.1, 0.5)) + 6 * np.sin(y * rng.uniform(1.0, 1.6))
    center = rng.uniform(0.2, 0.8, size=2) * (width, height)
    spread = 0.25 * max(width, height)
    glare = 90 * np.exp(-((x - center[0]) ** 2 + (y - center[1]) ** 2) / (2 * spread**2))
    levels = np.asarray(photo) * 0.9 + (waves + glare)[..., None]
    shown = Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8))
    corners = np.array([(0, 0), (0, height), (width, height), (width, 0)]) - rng.uniform(0.02, 0.1, (4, 2)) * np.array(
        [(1, 1), (1, -1), (-1, -1), (-1, 1)]
    ) * (width, height)
    return shown.transform(
        photo.size, Image.Transform.QUAD, tuple(corners.ravel()), Image.Resampling.BICUBIC, fillcolor=(12, 12, 14)
    )


def two_modes(photo: Image.Image, _: np.random.Generator) -> Image.Image:
    """A palette of 64 colors, as a GIF has."""
    return photo.quantize(64).convert("RGB")


EDITS: dict[str, Edit] = {
    "exact": lambda photo, _: photo,
    "JPEG 30": jpeg(30),
    "JPEG 10": jpeg(10),
    "half size": resized(0.5, 0.5),
    "quarter size": resized(0.25, 0.25),
    "changed aspect": resized(1.0, 0.75),
    "crop to 80 %": crop(0.8),
    "crop to 60 %": crop(0.6),
    "crop to 40 %": crop(0.4),
    "mirror": lambda photo, _: ImageOps.mirror(photo),
    "turned by 90": lambda photo, rng: photo.transpose(
        (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270)[int(rng.integers(2))]
    ),
    "turned by 10": rotated(10),
    "exposure 0.5": exposed(0.5),
    "exposure 1.6": exposed(1.6),
    "warmer": tinted(1.2, 0.8),
    "colder": tinted(0.8, 1.2),
    "gray": lambda photo, _: ImageOps.grayscale(photo).convert("RGB"),
    "blurred": lambda photo, _: photo.filter(ImageFilter.GaussianBlur(photo.width / 150)),
    "sharpened": lambda photo, _: photo.filter(ImageFilter.UnsharpMask(2, 200, 0)),
    "noise": noise,
    "border": border,
    "64 colors": two_modes,
    "caption bar": caption,
}
HARD: dict[str, Edit] = {
    "crop to 25 %": crop(0.25),
    "sticker": sticker,
    "screenshot": screenshot,
    "photo of a screen": screen_photo,
}
