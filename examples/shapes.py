"""Drawn circles, rectangles and triangles in red, green and blue, sorted into folders by color."""

from __future__ import annotations

import random
from pathlib import Path

from PIL import Image, ImageDraw

SIDE = 28
COLORS = {"red": (220, 40, 40), "green": (40, 170, 60), "blue": (50, 80, 220)}
SHAPES = ("circle", "rectangle", "triangle")


def draw(shape: str, color: str, rng: random.Random) -> Image.Image:
    """An image of 28x28 pixels: one shape somewhere on white, its size and its shade chosen by chance."""
    picture = Image.new("RGB", (SIDE, SIDE), "white")
    shade = tuple(max(0, min(255, level + rng.randint(-30, 30))) for level in COLORS[color])
    width = rng.randint(9, 20)
    height = width if shape == "circle" else rng.randint(9, 20)
    left, top = rng.randint(1, SIDE - 2 - width), rng.randint(1, SIDE - 2 - height)
    canvas = ImageDraw.Draw(picture)
    if shape == "circle":
        canvas.ellipse((left, top, left + width, top + height), fill=shade)
    elif shape == "rectangle":
        canvas.rectangle((left, top, left + width, top + height), fill=shade)
    else:
        tip = left + rng.randint(0, width)
        canvas.polygon([(left, top + height), (left + width, top + height), (tip, top)], fill=shade)
    return picture


def draw_by_color(folder: Path, per_color: int, seed: int = 0) -> Path:
    """Fills `folder` with red/, green/ and blue/, each with this many images of all three shapes; returns it."""
    rng = random.Random(seed)
    for color in COLORS:
        (folder / color).mkdir(parents=True)
        for number in range(per_color):
            shape = SHAPES[number % len(SHAPES)]
            draw(shape, color, rng).save(folder / color / f"{shape}{number:03}.png")
    return folder
