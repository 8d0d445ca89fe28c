"""The directions in which most of what vectors say is said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

EVEN = 1e-6
"""Share of the mean by which lengths may differ."""


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


def even_directions(vectors: NDArray[np.floating[Any]], dim: int) -> NDArray[np.float32]:
    """The main directions turned within their space until the vectors are as long along each: cosines stay the same.

    The last layer of a residual network gives all its numbers one variance, and the first main direction of what it is
    to say has many times that of the last. One rotation in a plane a direction (Bendel and Mickey 1978); O(d^2 dim).
    """
    turned = main_directions(vectors, dim).astype(np.float64)
    along = vectors.astype(np.float64) @ turned
    products = along.T @ along / len(along)
    mean = float(np.trace(products)) / dim
    for _ in range(dim - 1):
        excess = np.diagonal(products) - mean
        low, high = int(excess.argmin()), int(excess.argmax())
        if excess[high] <= EVEN * mean or excess[low] >= -EVEN * mean:
            break
        # The tangent of the angle that gives `low` the mean: a root of excess_high t^2 + 2 b t + excess_low.
        between = products[low, high]
        tangent = (-between + np.sqrt(between**2 - excess[low] * excess[high])) / excess[high]
        cosine = 1.0 / np.hypot(1.0, tangent)
        plane = np.array([[cosine, -tangent * cosine], [tangent * cosine, cosine]])
        pair = [low, high]
        turned[:, pair] = turned[:, pair] @ plane
        products[:, pair] = products[:, pair] @ plane
        products[pair] = plane.T @ products[pair]
    even: NDArray[np.float32] = turned.astype(np.float32)
    return even


def projected(vectors: NDArray[np.floating[Any]], directions: NDArray[np.float32]) -> NDArray[np.float32]:
    """The vectors along these directions, as unit rows."""
    along = vectors.astype(np.float32) @ directions
    unit: NDArray[np.float32] = along / np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-6)
    return unit
