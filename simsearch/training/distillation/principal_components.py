"""Uncentered principal components (Pearson 1901)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def principal_components(vectors: NDArray[np.floating[Any]], dim: int) -> NDArray[np.float32]:
    """The matrix (d, dim) of the first uncentered principal components of the vectors (n, d).

    Uncentered because taking the mean away would change cosines. The largest coefficient of each component is
    positive, so that equal vectors give equal components.
    """
    products = np.zeros((vectors.shape[1], vectors.shape[1]))
    for start in range(0, len(vectors), 8_192):
        part = vectors[start : start + 8_192].astype(np.float64)
        products += part.T @ part
    components = np.linalg.eigh(products)[1][:, ::-1][:, :dim]
    largest = components[np.abs(components).argmax(axis=0), np.arange(components.shape[1])]
    signed: NDArray[np.float32] = (components * np.sign(largest)).astype(np.float32)
    return signed


def project(vectors: NDArray[np.floating[Any]], components: NDArray[np.float32]) -> NDArray[np.float32]:
    """The vectors projected onto these components, as unit rows."""
    projections = vectors.astype(np.float32) @ components
    unit: NDArray[np.float32] = projections / np.maximum(np.linalg.norm(projections, axis=1, keepdims=True), 1e-6)
    return unit
