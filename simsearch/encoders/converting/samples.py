"""The fixed images and texts on which a model and its conversion are compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simsearch.media.images import MAX_SIDE, PixelSpec, from_array

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHAPES = ((1.0, 1.0), (1.5, 1.5), (2.0, 1.3), (1.2, 2.9), (0.6, 0.5), (3.1, 3.0))
"""Height and width of the images, as multiples of the network's input size."""
GRAINS = (2, 16, 6)
"""Squares along the side of a pattern, the first as a number, the others as the pixels of the network's side that one
takes: finer ones would tell of half a pixel, by which libraries differ."""
TEXTS = (
    "a photo of a small dog on a big sofa",
    "Dog",
    "A red square.",
    "two people, talking; it's late!",
    "The invoice of 2024-03-17 was paid (EUR 1,299.00).",
    "  spaces  at both   ends ",
    "ÉCOLE naïve Straße Ångström",
    "日本語のテキスト",
    "e-mail: someone@example.com",
    "x",
    "UPPER CASE AND lower case",
    "line one\nline two\ttabbed",
    "In the morning they walked along the river, past the old mill and the new bridge, and talked about what had been "
    "said at the meeting the day before; nobody remembered it in the same way, and so they began again from its start. "
    * 4,
)


def noise(width: int, height: int, channels: int, count: int) -> NDArray[np.uint8]:
    """Input images, half of them patterns, the others noise, shape (count, height, width, channels)."""
    rng = np.random.default_rng(0)
    plain = rng.integers(0, 256, (count, height, width, channels), dtype=np.uint8)
    for row in range(0, count, 2):
        plain[row] = _pattern(rng, width, height, min(width, height))[:, :, :channels]
    return plain


def pictures(width: int, height: int) -> list[NDArray[np.uint8]]:
    """Patterns of several shapes around the size of the network, coarse and fine as in photos, uint8 (h, w, 3)."""
    rng = np.random.default_rng(1)
    sides = [
        (min(MAX_SIDE, max(2, round(width * across))), min(MAX_SIDE, max(2, round(height * down))))
        for down, across in SHAPES
    ]
    return [_pattern(rng, *each, min(width, height)) for each in sides]


def _pattern(rng: np.random.Generator, width: int, height: int, side: int) -> NDArray[np.uint8]:
    total = np.zeros((height, width, 3), dtype=np.float32)
    for grain in (GRAINS[0], *(2 + side // pixels for pixels in GRAINS[1:])):
        coarse = rng.integers(0, 256, (min(grain, height), min(grain, width), 3), dtype=np.uint8)
        total += from_array(coarse, PixelSpec(width, height, 3, "squash")).pixels / np.float32(len(GRAINS))
    return np.clip(total, 0, 255).astype(np.uint8)
