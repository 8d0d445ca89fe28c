"""Scenes to compare: drawn so that they have many local features, or hardly any."""

from __future__ import annotations

import numpy as np
from PIL import Image

from simsearch.duplicates.finding.evidence import Described, described
from simsearch.duplicates.finding.features import view_of


def scene(seed: int, width: int = 480, height: int = 360) -> Image.Image:
    """Noise of several scales under some shapes: like a photo, full of features."""
    rng = np.random.default_rng(seed)
    page = np.full((height, width, 3), 128.0)
    for cells in (4, 12, 36, 90):
        coarse = rng.integers(0, 256, (cells * 3 // 4, cells, 3), dtype=np.uint8)
        page += (np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)) - 128.0) * 0.5
    return Image.fromarray(np.clip(page, 0, 255).astype(np.uint8))


def soft(seed: int, width: int = 480, height: int = 360) -> Image.Image:
    """Smooth blobs: hardly any features."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def looked_at(picture: Image.Image) -> Described:
    return described(view_of(np.asarray(picture.convert("RGB"))))
