"""Pictures that are alike but no copies of each other: rendered pages of text, and drawn series of products."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

WORDS = [
    "similarity",
    "the",
    "of",
    "learning",
    "a",
    "network",
    "search",
    "index",
    "vectors",
    "in",
    "to",
    "figure",
    "method",
    "we",
    "data",
    "that",
    "is",
    "results",
    "with",
    "for",
    "by",
    "on",
    "from",
    "each",
    "between",
    "query",
    "image",
    "as",
]


def page(seed: int) -> Image.Image:
    """Lines of words in one font, in paragraphs, as a page of 620 x 877."""
    rng = np.random.default_rng(seed)
    sheet, font, top = Image.new("RGB", (620, 877), "white"), ImageFont.load_default(13), 40
    pen = ImageDraw.Draw(sheet)
    while top < 840:
        line = ""
        while len(line) < 70:
            line += WORDS[int(rng.integers(len(WORDS)))] + " "
        pen.text((40, top), line, fill="black", font=font)
        top += 36 if rng.random() < 0.1 else 18
    return sheet


def product(seed: int) -> Image.Image:
    """A drawing on white; four in a row differ in one part of it alone."""
    series, own = np.random.default_rng([1, seed // 4]), np.random.default_rng([2, seed])
    sheet = Image.new("RGB", (400, 400), "white")
    pen = ImageDraw.Draw(sheet)
    corners = [(int(x), int(y)) for x, y in series.integers(60, 340, (6, 2))]
    pen.polygon(corners, fill=_color(series), outline="black")
    for _ in range(6):
        x, y = (int(value) for value in series.integers(60, 300, 2))
        pen.ellipse((x, y, x + 40, y + 30), fill=_color(series), outline="black")
    x, y = (int(value) for value in own.integers(60, 300, 2))
    pen.rectangle((x, y, x + 60, y + 40), fill=_color(own), outline="black")
    return sheet


def _color(rng: np.random.Generator) -> tuple[int, ...]:
    return tuple(int(level) for level in rng.integers(0, 256, 3))
