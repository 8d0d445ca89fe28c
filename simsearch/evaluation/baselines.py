"""Baselines for images: vectors computed without training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simsearch.errors import VectorError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.types import Vectors

LEVELS = 8
"""Levels of each color channel in a histogram."""


def color_histogram(pixels: NDArray[np.uint8]) -> Vectors:
    """Joint histograms of 8 levels of red, green and blue, shape (n, 512), from pixels of shape (n, h, w, 3).

    The entries are square roots of relative frequencies, so that the cosine is the Bhattacharyya coefficient: 1 for
    equal histograms, 0 for images without a common color.
    """
    _check(pixels)
    level = np.arange(256) * LEVELS // 256
    vectors = np.empty((len(pixels), LEVELS**3), dtype=np.float32)
    for row, picture in enumerate(pixels):
        red, green, blue = level[picture.reshape(-1, 3)].T
        vectors[row] = np.bincount((red * LEVELS + green) * LEVELS + blue, minlength=LEVELS**3)
    return _unit(np.sqrt(vectors))


def raw_pixels(pixels: NDArray[np.uint8]) -> Vectors:
    """The pixels of each image minus their mean, shape (n, h * w * 3); the cosine is the correlation of the images.

    All images of a single gray value have the same vector, a positive constant, which is orthogonal to all others.
    """
    _check(pixels)
    vectors = pixels.reshape(len(pixels), int(np.prod(pixels.shape[1:]))).astype(np.float32)
    # In float64 the mean of one gray is that gray exactly.
    vectors -= vectors.mean(axis=1, keepdims=True, dtype=np.float64).astype(np.float32)
    return _unit(vectors)


def _check(pixels: NDArray[np.uint8]) -> None:
    if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[3] != 3 or 0 in pixels.shape[1:]:
        raise VectorError(f"pixels of shape {pixels.shape} and type {pixels.dtype}; give uint8 of shape (n, h, w, 3)")


def _unit(vectors: NDArray[np.float32]) -> Vectors:
    """Rows of length one; a row of zeros becomes the constant one."""
    vectors[~vectors.any(axis=1)] = 1
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors
