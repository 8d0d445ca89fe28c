"""What the tests of training need: one thread, and small coloured shapes to learn from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from simsearch.training.export import folder
from simsearch.training.export.folder import export_encoder
from simsearch.training.networks.building import build
from simsearch.training.networks.specification import ModelSpec
from simsearch.types import JSONValue

SIDE = 28
COLOURS = {"red": (210, 40, 40), "green": (40, 170, 60), "blue": (50, 70, 200)}
DrawShape = Callable[..., Path]
MakeEncoder = Callable[..., Path]


@pytest.fixture(autouse=True, scope="session")
def single_threaded() -> Iterator[None]:
    """Tiny networks lose more by waiting for other threads than they win."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def shape_picture(shape: str, colour: str, seed: int) -> Image.Image:
    """A filled shape of random size and place on white; the same seed gives the same picture."""
    rng = np.random.default_rng(seed)
    size = int(rng.integers(10, 19))
    left, top = (int(value) for value in rng.integers(1, SIDE - size - 1, size=2))
    box = (left, top, left + size, top + size)
    jitter = rng.integers(-25, 26, size=3)
    fill = tuple(int(value) for value in np.clip(np.array(COLOURS[colour]) + jitter, 0, 255))
    image = Image.new("RGB", (SIDE, SIDE), "white")
    pen = ImageDraw.Draw(image)
    if shape == "circle":
        pen.ellipse(box, fill=fill)
    elif shape == "square":
        pen.rectangle(box, fill=fill)
    else:
        pen.polygon([(left + size // 2, top), (left, top + size), (left + size, top + size)], fill=fill)
    return image


@pytest.fixture(scope="session")
def made() -> MakeEncoder:
    """Makes the folder of an encoder with random weights whose pictures are standardized in a way of its own."""

    def folder_of(
        folder: Path,
        spec: ModelSpec,
        seed: int,
        *,
        fit: str = "crop",
        half: bool = False,
        held_out: Sequence[JSONValue] = (),
    ) -> Path:
        folder.mkdir()
        torch.manual_seed(seed)
        encoder = build(spec, mean=(0.3 + seed / 10,) * spec.channels, std=(0.2 + seed / 10,) * spec.channels)
        pixels = np.random.default_rng(seed).integers(0, 256, (32, spec.height, spec.width, spec.channels), np.uint8)
        encoder(torch.from_numpy(pixels))  # moves the statistics of batch normalisation from where they start
        export_encoder(
            encoder,
            spec,
            folder,
            name=folder.name,
            fit=fit,
            sample=pixels[:4],
            half=half,
            training={"seed": seed, "held_out": list(held_out)},
            figures={},
        )
        return folder

    return folder_of


@pytest.fixture
def unexported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Encoder folders without their ONNX file, which takes seconds to make, for tests that look at all else."""
    monkeypatch.setattr(folder, "to_onnx", lambda *_, **__: b"")
    monkeypatch.setattr(folder, "check_parity", lambda *_: 0.0)


@pytest.fixture(scope="session")
def draw_shape() -> DrawShape:
    """Draws a shape into a file and returns its path; missing folders are made."""

    def drawn(path: Path, shape: str, colour: str, seed: int) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        shape_picture(shape, colour, seed).save(path)
        return path

    return drawn


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory, draw_shape: DrawShape) -> Path:
    """A folder of three classes with 60 pictures each, all different."""
    root = tmp_path_factory.mktemp("shapes") / "labelled"
    for shape, colour in (("circle", "red"), ("square", "green"), ("triangle", "blue")):
        for number in range(60):
            draw_shape(root / shape / f"{number:02}.png", shape, colour, 1000 * len(shape) + number)
    return root
