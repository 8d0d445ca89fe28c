"""The encoder for edited copies that ships finds the photo that a copy was made from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from simsearch import open_encoder
from simsearch.encoders.onnx import OnnxEncoder

SAMPLES = Path(__file__).parents[3] / "examples" / "samples" / "clothing"


@pytest.fixture(scope="module")
def photos() -> list[Image.Image]:
    paths = sorted(SAMPLES.glob("*/*.jpg"))
    return [Image.open(path).convert("RGB") for path in paths]


@pytest.fixture(scope="module")
def encoder() -> OnnxEncoder:
    encoder = open_encoder("photo-copies")
    assert isinstance(encoder, OnnxEncoder)
    return encoder


def found(encoder: OnnxEncoder, photos: list[Image.Image], copies: list[Image.Image]) -> float:
    scores = encoder.encode(copies) @ encoder.encode(photos).T
    return float(np.mean(scores.argmax(axis=1) == np.arange(len(photos))))


def test_a_mirror_image_has_the_same_vector(encoder: OnnxEncoder, photos: list[Image.Image]) -> None:
    # 64 pixels of their own: a larger picture is not reduced the same from both sides.
    small = [photo.resize((64, 64)) for photo in photos[:20]]
    mirrored = encoder.encode([ImageOps.mirror(photo) for photo in small])
    np.testing.assert_allclose(encoder.encode(small), mirrored, atol=1e-5)


@pytest.mark.parametrize("turn", [Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270])
def test_a_quarter_turn_is_found(turn: Image.Transpose, encoder: OnnxEncoder, photos: list[Image.Image]) -> None:
    assert found(encoder, photos, [photo.transpose(turn) for photo in photos]) > 0.9
    # What is made for kinds of things does not find it.
    kinds = open_encoder("photo")
    assert isinstance(kinds, OnnxEncoder)
    assert found(kinds, photos, [photo.transpose(turn) for photo in photos]) < 0.8


def test_a_frame_and_no_colours_are_found(encoder: OnnxEncoder, photos: list[Image.Image]) -> None:
    framed = [ImageOps.expand(photo, photo.width // 10, (30, 160, 60)) for photo in photos]
    assert found(encoder, photos, framed) > 0.8
    assert found(encoder, photos, [ImageOps.grayscale(photo).convert("RGB") for photo in photos]) > 0.9
