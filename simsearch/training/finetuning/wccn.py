"""Within-class covariance normalization (WCCN, Hatch et al. 2006), with an exponent."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from simsearch.training.data.forgeries import genuine_only
from simsearch.training.measure import embed_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.training.data.dataset import Dataset
    from simsearch.training.networks.encoder import SiameseEncoder
    from simsearch.training.recipes import Recipe

FLOOR = 0.03
"""The regularization: this share of the mean variance is added to all variances."""
MOST_INPUTS = 20_000
"""The approximate largest number of training inputs for the covariance."""
RUN = 16
PART = 8_192


def wccn_matrix(
    vectors: NDArray[np.floating[Any]], labels: NDArray[np.int64], power: float, floor: float = FLOOR
) -> NDArray[np.float32]:
    """The WCCN matrix (d, d): the within-class covariance of vectors (n, d) to the power of -`power`.

    The power is a half in Hatch et al. 2006. Scaled so that an average direction keeps its length; symmetric.
    O(n d^2 + d^3).
    """
    numbers = np.unique(labels, return_inverse=True)[1]
    sums = np.zeros((numbers.max() + 1, vectors.shape[1]))
    np.add.at(sums, numbers, vectors)
    means = sums / np.bincount(numbers)[:, None]
    covariance = np.zeros((vectors.shape[1], vectors.shape[1]))
    for first in range(0, len(vectors), PART):
        part = vectors[first : first + PART] - means[numbers[first : first + PART]]
        covariance += part.T @ part
    variances, directions = np.linalg.eigh(covariance / len(vectors))
    mean = variances.mean()
    if mean <= 0.0:
        # One input of each class: the within-class covariance is unknown.
        return np.eye(vectors.shape[1], dtype=np.float32)
    weights = (variances + floor * mean) ** -power
    matrix: NDArray[np.float32] = ((directions * weights) @ directions.T / np.sqrt(np.mean(weights**2))).astype(
        np.float32
    )
    return matrix


def append_wccn(encoder: SiameseEncoder, data: Dataset, recipe: Recipe) -> Recipe:
    """Appends the WCCN matrix of the training classes to the encoder, and returns the recipe of the new network.

    Without a `within_power` the encoder is unchanged. Large train partitions are sampled.
    """
    genuine = genuine_only(data.train)
    labels = genuine.labels
    if not recipe.within_power or labels is None:
        return recipe
    some = sample_by_class(labels)
    vectors = embed_rows(encoder, data.inputs, genuine.rows[some])
    normalization = torch.from_numpy(wccn_matrix(vectors, labels[some], recipe.within_power))
    # A linear layer multiplies by the transpose of its weights; the matrix is symmetric.
    before = encoder.head.weight.detach() if isinstance(encoder.head, nn.Linear) else torch.eye(len(normalization))
    head = nn.Linear(before.shape[1], before.shape[0], bias=False)
    with torch.no_grad():
        head.weight.copy_(normalization @ before)
    encoder.head = head
    return replace(recipe, model=replace(recipe.model, head=True))


def sample_by_class(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """At most about MOST_INPUTS positions, evenly spread over the classes, in runs mostly of one class."""
    ordered = np.argsort(labels, kind="stable")
    every = -(-len(labels) // MOST_INPUTS)
    some: NDArray[np.int64] = ordered[np.arange(len(labels)) // RUN % every == 0]
    return some
