"""Which images make a batch. A batch is a function of the seed and the step, so a resumed run draws the same ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Batch:
    """Positions of the images to encode, and either their labels or the pairs among them."""

    images: NDArray[np.int64]
    labels: NDArray[np.int64] | None = None
    pairs: NDArray[np.int64] | None = None
    """(m, 2) positions within `images`."""
    same: NDArray[np.bool_] | None = None


class Sampler(Protocol):
    def batch(self, step: int) -> Batch: ...


class ClassSampler:
    """P classes with K images each (Hermans et al. 2017). A class with fewer than K gives all it has.

    `labels` are 0 .. C-1, `rows` where each image is in the pixels.
    """

    def __init__(
        self, labels: NDArray[np.int64], *, rows: NDArray[np.int64], classes: int, images: int, seed: int
    ) -> None:
        self._labels = labels
        self._rows = rows
        order = np.argsort(labels, kind="stable")
        _, starts = np.unique(labels[order], return_index=True)
        self._members = np.split(order, starts[1:])
        self._classes = min(classes, len(self._members))
        self._images = images
        self._seed = seed

    def batch(self, step: int) -> Batch:
        rng = np.random.default_rng((self._seed, step))
        chosen = rng.choice(len(self._members), self._classes, replace=False)
        parts = [rng.choice(self._members[c], min(self._images, len(self._members[c])), replace=False) for c in chosen]
        images = np.concatenate(parts)
        return Batch(self._rows[images], labels=self._labels[images])


class PairSampler:
    """Given pairs, half of them similar; each image of a batch is encoded once however many pairs it is in."""

    def __init__(self, pairs: NDArray[np.int64], same: NDArray[np.bool_], *, count: int, seed: int) -> None:
        self._pairs, self._same = pairs, same
        self._kinds = (np.flatnonzero(same), np.flatnonzero(~same))
        self._count = count
        self._seed = seed

    def batch(self, step: int) -> Batch:
        rng = np.random.default_rng((self._seed, step))
        half = max(1, self._count // 2)
        chosen = np.concatenate([rng.choice(kind, min(half, len(kind)), replace=False) for kind in self._kinds])
        images, inverse = np.unique(self._pairs[chosen], return_inverse=True)
        return Batch(images, pairs=inverse.reshape(-1, 2), same=self._same[chosen])
