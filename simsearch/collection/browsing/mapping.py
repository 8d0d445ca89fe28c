"""A map of a collection: each item a point of the plane, near ones near, and how far it lies from the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simsearch.progress import Working

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.progress import Progress
    from simsearch.store import Store
    from simsearch.types import Ids, Vectors

SAMPLE = 4096
"""Contents that each one is compared with to find how far it lies from the others."""
NEAREST = 10
BLOCK = 4096


@dataclass(frozen=True, slots=True, eq=False)
class CollectionMap:
    """Items by ascending id, as they were at a generation. Arrays have a row for each.

    `points` are in [-1, 1], the two principal components of the vectors; `labels` are places in `names`, -1 for none.
    `outlier` is 1 less the mean cosine to the nearest ten of a random sample of all, from 0 to 2: larger is farther
    from everything else.
    """

    generation: int
    ids: Ids
    points: NDArray[np.float32]
    labels: NDArray[np.int32]
    names: tuple[str, ...]
    outlier: NDArray[np.float32]


def map_of(store: Store, progress: Progress, seed: int = 0) -> CollectionMap:
    """The map of a collection as it is now."""
    with store.snapshot():
        generation = store.generation()
        content_ids, vectors = _all_vectors(store)
        rows = [(item.id, item.content_id, item.label) for page in store.iterate_items() for item in page]
    names = sorted({label for _, _, label in rows if label is not None})
    numbers = {name: number for number, name in enumerate(names)}
    at = np.searchsorted(content_ids, np.array([content for _, content, _ in rows], dtype=np.int64))
    with Working(progress, len(content_ids), "vectors", "map"):
        points = principal_plane(vectors)
        outlier = outliers(vectors, progress, seed)
    return CollectionMap(
        generation,
        np.array([item for item, _, _ in rows], dtype=np.int64),
        points[at],
        np.array([-1 if label is None else numbers[label] for _, _, label in rows], dtype=np.int32),
        tuple(names),
        outlier[at],
    )


def _all_vectors(store: Store) -> tuple[Ids, Vectors]:
    pages = list(store.vectors())
    if not pages:
        return np.empty(0, np.int64), np.empty((0, store.dim), np.float32)
    return np.concatenate([ids for ids, _ in pages]), np.concatenate([vectors for _, vectors in pages])


def principal_plane(vectors: Vectors) -> NDArray[np.float32]:
    """The two principal components of each row, scaled together into [-1, 1]; shape (n, 2).

    The sign of a component is such that its largest weight is positive, so that the map does not flip.
    """
    if len(vectors) < 2:
        return np.zeros((len(vectors), 2), np.float32)
    mean = vectors.mean(axis=0, dtype=np.float64)
    covariance = np.zeros((vectors.shape[1],) * 2)
    for start in range(0, len(vectors), BLOCK):
        centred = vectors[start : start + BLOCK] - mean
        covariance += centred.T @ centred
    axes = np.linalg.eigh(covariance)[1][:, ::-1][:, :2]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), range(axes.shape[1])])
    points = np.zeros((len(vectors), 2), np.float32)
    points[:, : axes.shape[1]] = (vectors - mean.astype(np.float32)) @ axes.astype(np.float32)
    farthest = float(np.abs(points).max())
    return points / farthest if farthest > 0 else points


def outliers(vectors: Vectors, progress: Progress, seed: int = 0) -> NDArray[np.float32]:
    """How far each row lies from the others, see `CollectionMap`; O(n) products with the sample."""
    count = len(vectors)
    rng = np.random.default_rng(seed)
    sample = np.sort(rng.choice(count, SAMPLE, replace=False)) if count > SAMPLE else np.arange(count)
    references, nearest = vectors[sample], min(NEAREST, len(sample) - 1)
    found = np.zeros(count, np.float32)
    for start in range(0, count if nearest > 0 else 0, BLOCK):
        scores = vectors[start : start + BLOCK] @ references.T
        # A row of the sample is not its own neighbour.
        own = np.searchsorted(sample, np.arange(start, start + len(scores)))
        inside = (own < len(sample)) & (sample[np.minimum(own, len(sample) - 1)] == start + np.arange(len(scores)))
        scores[np.flatnonzero(inside), own[inside]] = -1.0
        best = np.partition(scores, len(sample) - nearest, axis=1)[:, len(sample) - nearest :]
        found[start : start + BLOCK] = np.clip(1.0 - best.mean(axis=1), 0.0, 2.0)
        progress.advance(len(scores))
    return found
