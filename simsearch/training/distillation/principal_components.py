"""The directions in which most of what vectors say is said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def main_directions(vectors: NDArray[np.floating[Any]], dim: int) -> NDArray[np.float32]:
    """The matrix (d, dim) onto the directions that keep most of the cosines between the vectors.

    Principal components without taking the mean away (Pearson 1901), which cosines would not survive; the largest
    number of each is positive, so that equal vectors give equal directions.
    """
    products = np.zeros((vectors.shape[1], vectors.shape[1]))
    for start in range(0, len(vectors), 8_192):
        part = vectors[start : start + 8_192].astype(np.float64)
        products += part.T @ part
    directions = np.linalg.eigh(products)[1][:, ::-1][:, :dim]
    largest = directions[np.abs(directions).argmax(axis=0), np.arange(directions.shape[1])]
    turned: NDArray[np.float32] = (directions * np.sign(largest)).astype(np.float32)
    return turned


def projected(vectors: NDArray[np.floating[Any]], directions: NDArray[np.float32]) -> NDArray[np.float32]:
    """The vectors along these directions, as unit rows."""
    along = vectors.astype(np.float32) @ directions
    unit: NDArray[np.float32] = along / np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-6)
    return unit
