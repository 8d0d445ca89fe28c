"""Baselines against what numpy and a loop say."""

from __future__ import annotations

import numpy as np
import pytest

from simsearch.errors import VectorError
from simsearch.evaluation.baselines import color_histogram, raw_pixels

PIXELS = np.random.default_rng(0).integers(0, 256, size=(6, 5, 4, 3), dtype=np.uint8)


def test_histograms_are_those_of_numpy() -> None:
    found = color_histogram(PIXELS)
    for picture, vector in zip(PIXELS, found, strict=True):
        counts = np.histogramdd(picture.reshape(-1, 3), bins=8, range=[(0, 256)] * 3)[0]
        np.testing.assert_allclose(vector, np.sqrt(counts.ravel() / 20), atol=1e-6)
    assert found.shape == (6, 512) and found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)


def test_a_histogram_knows_colors_and_not_places() -> None:
    red, blue = np.array([200, 0, 0], dtype=np.uint8), np.array([0, 0, 200], dtype=np.uint8)
    pictures = np.array([[[red, blue]], [[blue, red]], [[red, red]], [[blue, blue]]])
    scores = color_histogram(pictures) @ color_histogram(pictures).T
    half = np.sqrt(0.5)
    np.testing.assert_allclose(scores[0], [1, 1, half, half], atol=1e-6)
    assert scores[2, 3] == 0


def test_raw_pixels_give_the_correlation() -> None:
    found = raw_pixels(PIXELS)
    assert found.shape == (6, 60) and found.dtype == np.float32
    np.testing.assert_allclose(found @ found.T, np.corrcoef(PIXELS.reshape(6, -1).astype(float)), atol=1e-5)


def test_pictures_of_one_gray_are_one_vector_and_no_nan() -> None:
    flat = np.stack([np.full((30, 30, 3), gray, dtype=np.uint8) for gray in (0, 7, 255)])
    found = raw_pixels(flat)
    np.testing.assert_allclose(found, np.full((3, 2700), 2700**-0.5), rtol=1e-5)
    bumped = flat[:1].copy()
    bumped[0, 0, 0, 0] = 1
    assert abs(float(raw_pixels(bumped)[0] @ found[0])) < 1e-5
    np.testing.assert_allclose(np.linalg.norm(color_histogram(flat), axis=1), 1)


def test_no_pictures_are_no_vectors() -> None:
    assert color_histogram(PIXELS[:0]).shape == (0, 512)
    assert raw_pixels(PIXELS[:0]).shape == (0, 60)


@pytest.mark.parametrize("baseline", [color_histogram, raw_pixels])
@pytest.mark.parametrize(
    "pixels",
    [PIXELS[0], PIXELS[..., :2], PIXELS.astype(np.float32), PIXELS[:, :0]],
    ids=["3d", "2ch", "float", "empty"],
)
def test_what_is_no_picture_is_refused(baseline: object, pixels: np.ndarray) -> None:
    with pytest.raises(VectorError, match="give uint8 of shape"):
        baseline(pixels)  # type: ignore[operator]
