"""Pretrained vision models: the vectors of their own library, pinned by a fingerprint."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from simsearch.encoders import open_encoder
from simsearch.errors import EncoderError, MediaError, VectorError
from simsearch.types import WordsFindPictures

KINDS = pytest.mark.parametrize("kind", ["dinov2", "vit", "clip", "siglip"])
SHAPES = [(50, 41), (33, 90), (32, 32), (7, 5)]


def pictures() -> list[NDArray[np.uint8]]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*shape, 3), dtype=np.uint8) for shape in SHAPES]


def expected(kind: str, folder: Path) -> NDArray[np.float64]:
    """What the library itself gives, one picture at a time; float64 rows of length one."""
    from transformers import AutoImageProcessor, CLIPModel, Dinov2Model, SiglipModel, ViTModel

    model = {"dinov2": Dinov2Model, "vit": ViTModel, "clip": CLIPModel, "siglip": SiglipModel}[kind]
    network = model.from_pretrained(folder)
    processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
    rows = []
    for picture in pictures():
        given = processor(images=Image.fromarray(picture), return_tensors="pt")
        with torch.inference_mode():
            if kind in ("clip", "siglip"):
                found = network.get_image_features(**given).pooler_output
            else:
                # The pooler of this ViT is random: its file has none.
                found = network(**given).last_hidden_state[:, 0]
        rows.append(found[0].double().numpy())
    return np.stack([row / np.linalg.norm(row) for row in rows])


@KINDS
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_vectors_are_those_of_the_library(kind: str, hub_models: dict[str, Path]) -> None:
    encoder = open_encoder(hub_models[kind])
    vectors = encoder.encode(pictures())
    truth = expected(kind, hub_models[kind])
    assert vectors.dtype == np.float32 and vectors.shape == (4, encoder.dim) == truth.shape
    np.testing.assert_allclose(vectors, truth, atol=2e-5)
    assert np.abs(truth[0] - truth[1]).max() > 1e-3
    assert encoder.modality == "image"
    assert isinstance(encoder, WordsFindPictures) == (kind in ("clip", "siglip"))


def test_all_ways_to_give_a_picture_are_one(hub_models: dict[str, Path], tmp_path: Path) -> None:
    encoder = open_encoder(hub_models["dinov2"])
    pixels = pictures()[0]
    path = tmp_path / "a.png"
    Image.fromarray(pixels).save(path)
    vectors = encoder.encode([pixels, Image.fromarray(pixels), path, str(path), path.read_bytes()])
    assert (vectors == vectors[0]).all()
    prepared = encoder.prepare(path)
    assert (prepared.width, prepared.height) == (41, 50)


def test_batches_of_any_size_give_the_same_vectors(hub_models: dict[str, Path]) -> None:
    encoder = open_encoder(hub_models["dinov2"])
    rng = np.random.default_rng(1)
    many = [rng.integers(0, 256, (20, 20, 3), dtype=np.uint8) for _ in range(70)]
    together = encoder.encode(many)
    np.testing.assert_allclose(together, np.concatenate([encoder.encode([one]) for one in many]), atol=1e-5)
    assert encoder.encode([]).shape == (0, 32)


def test_threads_that_ask_first_load_the_network_once(hub_models: dict[str, Path]) -> None:
    from simsearch.encoders.pretrained import PretrainedPictures

    encoder = open_encoder(hub_models["vit"])
    assert isinstance(encoder, PretrainedPictures)
    given = pictures() * 4
    with ThreadPoolExecutor(8) as pool:
        towers = pool.map(lambda _: encoder._loaded[0], range(8))
        prepared = list(pool.map(encoder.prepare, given))
    assert len({id(tower) for tower in towers}) == 1
    np.testing.assert_array_equal(
        np.stack([each.pixels for each in prepared]),
        np.stack([open_encoder(hub_models["vit"]).prepare(each).pixels for each in given]),
    )


def test_a_line_of_pixels_does_not_fill_the_memory(hub_models: dict[str, Path]) -> None:
    """Its short side fitted, it would be 40 x 4,000,000 pixels."""
    line = np.zeros((1, 100_000, 3), dtype=np.uint8)
    line[:, 49_996:50_004] = 255
    prepared = open_encoder(hub_models["dinov2"]).prepare(line)
    assert prepared.pixels.shape == (32, 32, 3) and (prepared.width, prepared.height) == (100_000, 1)
    assert prepared.pixels.min() == 255


def test_what_is_no_picture_is_named(hub_models: dict[str, Path], tmp_path: Path) -> None:
    encoder = open_encoder(hub_models["clip"])
    path = tmp_path / "notes.jpg"
    path.write_text("no picture", encoding="utf-8")
    with pytest.raises(MediaError, match=r"^not a picture"):
        encoder.prepare(path)
    with pytest.raises(MediaError, match=r"notes\.jpg: not a picture"):
        encoder.encode([path])
    with pytest.raises(MediaError, match=r"^an array of uint8 with shape \(3,\)"):
        encoder.encode([np.zeros(3, dtype=np.uint8)])


def test_weights_that_are_no_numbers_are_told_by_row(broken: Callable[..., Path]) -> None:
    folder = broken("dinov2", "layernorm.bias", float("nan"))
    encoder = open_encoder(folder)
    with pytest.raises(VectorError, match="row 0 has a number that is not finite"):
        encoder.encode(pictures()[:1])


def test_missing_weights_are_not_made_up(broken: Callable[..., Path]) -> None:
    folder = broken("dinov2", "encoder.layer.1.mlp.fc2.weight", None)
    with pytest.raises(EncoderError, match=r"do not match its configuration: 1 are missing, the first is encoder\."):
        _ = open_encoder(folder).dim


def test_weights_of_another_shape_are_refused(hub_models: dict[str, Path], tmp_path: Path) -> None:
    folder = shutil.copytree(hub_models["dinov2"], tmp_path / "other")
    config = folder / "config.json"
    config.write_text(config.read_text().replace('"hidden_size": 32', '"hidden_size": 36'), encoding="utf-8")
    with pytest.raises(EncoderError, match="transformers cannot load it"):
        _ = open_encoder(folder).dim


def test_pictures_of_no_fixed_size_are_refused(hub_models: dict[str, Path], tmp_path: Path) -> None:
    folder = shutil.copytree(hub_models["dinov2"], tmp_path / "other")
    config = folder / "preprocessor_config.json"
    config.write_text(config.read_text().replace('"do_center_crop": true', '"do_center_crop": false'), encoding="utf-8")
    with pytest.raises(EncoderError, match="no fixed size"):
        _ = open_encoder(folder).dim


def test_the_fingerprint_covers_weights_and_preprocessing(
    hub_models: dict[str, Path], broken: Callable[..., Path], tmp_path: Path
) -> None:
    original = open_encoder(hub_models["dinov2"]).fingerprint
    copy = shutil.copytree(hub_models["dinov2"], tmp_path / "copy")
    (copy / "README.md").write_text("a card", encoding="utf-8")
    assert open_encoder(copy).fingerprint == original
    config = copy / "preprocessor_config.json"
    config.write_text(config.read_text().replace("0.48", "0.47"), encoding="utf-8")
    changed = broken("dinov2", "layernorm.bias", 0.5)
    assert len({original, open_encoder(copy).fingerprint, open_encoder(changed).fingerprint}) == 3
