"""Material to judge on: class folders of images, and drawings by several drawers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def alphabets(tmp_path_factory: pytest.TempPathFactory, image: Callable[[int], Image.Image]) -> Path:
    """Two groups of four classes of five noisy images, named as Omniglot's: NNNN_05.png is of the fifth drawer."""
    root = tmp_path_factory.mktemp("material") / "alphabets"
    for number in range(8):
        folder = root / ("Greek", "Latin")[number % 2] / f"character{number // 2}"
        folder.mkdir(parents=True)
        base = np.asarray(image(number).resize((24, 24))).astype(np.int64)
        for drawer in range(1, 6):
            noise = np.random.default_rng(10 * number + drawer).normal(0, 40, size=(6, 6, 3)).repeat(4, 0).repeat(4, 1)
            noisy = np.clip(base + noise, 0, 255).astype(np.uint8)
            Image.fromarray(noisy).save(folder / f"{number:04}_{drawer:02}.png")
    return root
