"""Fine-tuning from a pretrained model, from files to an encoder folder that needs neither torch nor its library."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from simsearch.encoders import open_encoder
from simsearch.errors import EncoderError, UsageError
from simsearch.training import train
from simsearch.training.presets import preset

STILL = {"steps": 1, "learning_rate": 1e-12, "evaluate_every": 1, "batch_classes": 2, "batch_images": 2}


@pytest.fixture
def squares(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for label, color in (("red", (200, 30, 30)), ("blue", (30, 30, 200))):
        (tmp_path / "in" / label).mkdir(parents=True)
        for number in range(8):
            pixels = np.clip(np.array(color) + rng.integers(-30, 30, (20, 20, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "in" / label / f"{number}.png")
    return tmp_path / "in"


@pytest.mark.parametrize("freeze", ["none", "all"])
def test_pictures(squares: Path, tmp_path: Path, hub_models: dict[str, Path], freeze: str) -> None:
    recipe = replace(preset("backbone"), **STILL)  # type: ignore[arg-type]
    trained = train(squares, tmp_path / "out", recipe=recipe, start=hub_models["vit"], freeze=freeze, report=False)
    paths = sorted(str(path) for path in squares.rglob("*.png"))
    encoder = open_encoder(trained.folder)
    assert type(encoder).__name__ == "OnnxEncoder"
    np.testing.assert_allclose(encoder.encode(paths), open_encoder(hub_models["vit"]).encode(paths), atol=2e-2)
    with pytest.raises(EncoderError, match="name the pretrained model instead"):
        train(squares, tmp_path / "again", recipe=recipe, start=trained.folder, report=False)
    if freeze == "all":
        converted = open_encoder(hub_models["vit"]).folder
        with pytest.raises(EncoderError, match="was converted from 'vit' for inference only; fine-tune that model"):
            train(squares, tmp_path / "again", recipe=recipe, start=converted, report=False)


def test_texts(tmp_path: Path, hub_models: dict[str, Path]) -> None:
    texts = ["a red square", "the small dog", "a big cat", "on a circle", "the red dog", "a small circle"]
    rows = [f"{text} {more},{number % 2}" for number, text in enumerate(texts) for more in ("", "cat", "dog", "big")]
    (tmp_path / "in.csv").write_text("\n".join(["text,label", *rows]))
    recipe = replace(preset("words"), **STILL)  # type: ignore[arg-type]
    trained = train(tmp_path / "in.csv", tmp_path / "out", recipe=recipe, start=hub_models["sentences"], report=False)
    np.testing.assert_allclose(
        open_encoder(trained.folder).encode(texts), open_encoder(hub_models["sentences"]).encode(texts), atol=2e-3
    )
    with pytest.raises(UsageError, match="not a sequence of layers"):
        train(
            tmp_path / "in.csv",
            tmp_path / "other",
            recipe=recipe,
            start=hub_models["sentences"],
            freeze="part",
            report=False,
        )
