"""Batch sampling, as a function of the seed and the step, so that a resumed run draws the same batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from simsearch.training.data.forgeries import genuine_only
from simsearch.training.losses.table import loss_entry

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.training.data.partition import Partition
    from simsearch.training.recipes import Recipe


@dataclass(frozen=True, slots=True)
class Batch:
    """The rows to encode, with their labels, pairs or triplets."""

    rows: NDArray[np.int64]
    labels: NDArray[np.int64] | None = None
    pairs: NDArray[np.int64] | None = None
    """(m, 2) positions within `rows`."""
    same: NDArray[np.bool_] | None = None
    scores: NDArray[np.float32] | None = None
    """The similarity of each pair, from 0 to 1."""
    triplets: NDArray[np.int64] | None = None
    """(t, 3) positions within `rows`: anchor, positive, negative."""


class Sampler(Protocol):
    def batch(self, step: int) -> Batch: ...


class ClassSampler:
    """P classes with K rows each (Hermans et al. 2017). All rows of a class with fewer than K.

    A quarter of the classes of a batch, or what others leave, have a single row: they are negatives, and in no pair.
    `labels` are 0 .. C-1, `rows` where each one is among the inputs.
    """

    def __init__(
        self, labels: NDArray[np.int64], *, rows: NDArray[np.int64], classes: int, images: int, seed: int
    ) -> None:
        self._labels = labels
        self._rows = rows
        order = np.argsort(labels, kind="stable")
        _, starts = np.unique(labels[order], return_index=True)
        members = np.split(order, starts[1:])
        self._members = [rows for rows in members if len(rows) > 1]
        self._single = np.array([rows[0] for rows in members if len(rows) == 1], dtype=np.int64)
        self._singles = min(len(self._single), max(classes // 4, classes - len(self._members)))
        self._classes = min(classes - self._singles, len(self._members))
        self._images = images
        self._seed = seed

    def batch(self, step: int) -> Batch:
        rng = np.random.default_rng((self._seed, step))
        chosen = rng.choice(len(self._members), self._classes, replace=False)
        parts = [rng.choice(self._members[c], min(self._images, len(self._members[c])), replace=False) for c in chosen]
        if self._singles:
            parts.append(rng.choice(self._single, self._singles, replace=False))
        drawn = np.concatenate(parts)
        return Batch(self._rows[drawn], labels=self._labels[drawn])


class PairSampler:
    """Given pairs, half of them similar; each row of a batch is encoded once however many pairs it is in."""

    def __init__(self, pairs: NDArray[np.int64], same: NDArray[np.bool_], *, count: int, seed: int) -> None:
        self._pairs, self._same = pairs, same
        self._kinds = (np.flatnonzero(same), np.flatnonzero(~same))
        self._count = count
        self._seed = seed

    def batch(self, step: int) -> Batch:
        rng = np.random.default_rng((self._seed, step))
        half = max(1, self._count // 2)
        chosen = np.concatenate([rng.choice(kind, min(half, len(kind)), replace=False) for kind in self._kinds])
        rows, inverse = np.unique(self._pairs[chosen], return_inverse=True)
        return Batch(rows, pairs=inverse.reshape(-1, 2), same=self._same[chosen])


class GradedSampler:
    """Given pairs with a score each, any of them as likely as any other."""

    def __init__(self, pairs: NDArray[np.int64], scores: NDArray[np.float32], *, count: int, seed: int) -> None:
        self._pairs, self._scores = pairs, scores
        self._count = min(count, len(pairs))
        self._seed = seed

    def batch(self, step: int) -> Batch:
        rng = np.random.default_rng((self._seed, step))
        chosen = rng.choice(len(self._pairs), self._count, replace=False)
        rows, inverse = np.unique(self._pairs[chosen], return_inverse=True)
        return Batch(rows, pairs=inverse.reshape(-1, 2), scores=self._scores[chosen])


class TripletSampler:
    """Given triplets of anchor, positive and negative."""

    def __init__(self, triplets: NDArray[np.int64], *, count: int, seed: int) -> None:
        self._triplets = triplets
        self._count = min(count, len(triplets))
        self._seed = seed

    def batch(self, step: int) -> Batch:
        rng = np.random.default_rng((self._seed, step))
        chosen = rng.choice(len(self._triplets), self._count, replace=False)
        rows, inverse = np.unique(self._triplets[chosen], return_inverse=True)
        return Batch(rows, triplets=inverse.reshape(-1, 3))


class ViewSampler:
    """Each row twice, as a class of its own: two augmentations or two dropout passes make it a positive pair (Chen et
    al. 2020; Gao et al. 2021). Where `next_rows` names a neighbour (-1 for none), the second view is the neighbour.
    """

    def __init__(
        self, rows: NDArray[np.int64], *, count: int, seed: int, next_rows: NDArray[np.int64] | None = None
    ) -> None:
        self._rows = rows
        self._next = rows if next_rows is None else np.where(next_rows < 0, rows, next_rows)
        self._count = min(count, len(rows))
        self._seed = seed

    def batch(self, step: int) -> Batch:
        rng = np.random.default_rng((self._seed, step))
        chosen = rng.choice(len(self._rows), self._count, replace=False)
        # Labels are numbers of rows, so that they mean the same in a memory of past batches.
        labels = self._rows[chosen]
        return Batch(np.concatenate([labels, self._next[chosen]]), labels=np.concatenate([labels, labels]))


class ForgerySampler:
    """Genuine rows of some classes, and as many forgeries of each of these.

    Each forgery has a label of its own, beyond those of the classes: it is a negative of all others in any loss.
    `classes` and `images` are the numbers of classes and of images of each, with forgeries.
    """

    def __init__(self, partition: Partition, *, classes: int, images: int, seed: int) -> None:
        assert partition.labels is not None and partition.forged is not None and partition.writers is not None
        self._rows = partition.rows
        genuine = np.flatnonzero(~partition.forged)
        names, labels = np.unique(partition.labels[genuine], return_inverse=True)
        self._labels = np.arange(len(names), len(names) + len(partition.rows))
        self._labels[genuine] = labels
        self._genuine = [genuine[labels == number] for number in range(len(names))]
        self._forged = [
            np.flatnonzero(partition.forged & (partition.writers == partition.writers[members[0]]))
            for members in self._genuine
        ]
        self._classes = min(classes, len(names))
        self._images = max(2, images // 2)
        self._seed = seed

    def batch(self, step: int) -> Batch:
        rng = np.random.default_rng((self._seed, step))
        chosen = rng.choice(len(self._genuine), self._classes, replace=False)
        drawn = np.concatenate(
            [
                rng.permutation(members)[: self._images]
                for number in chosen
                for members in (self._genuine[number], self._forged[number])
            ]
        )
        return Batch(self._rows[drawn], labels=self._labels[drawn])


def make_sampler(partition: Partition, recipe: Recipe) -> Sampler:
    """Batches of this partition, of about the batch size of the recipe, in inputs or pairs."""
    if partition.forged is not None and not loss_entry(recipe.loss).learns:
        return ForgerySampler(partition, classes=recipe.batch_classes, images=recipe.batch_images, seed=recipe.seed)
    partition = genuine_only(partition)
    if partition.labels is not None:
        dense = np.unique(partition.labels, return_inverse=True)[1]
        return ClassSampler(
            dense, rows=partition.rows, classes=recipe.batch_classes, images=recipe.batch_images, seed=recipe.seed
        )
    count = recipe.batch_classes * recipe.batch_images // 2
    if partition.pairs is not None and partition.same is not None:
        return PairSampler(partition.rows[partition.pairs], partition.same, count=count, seed=recipe.seed)
    if partition.pairs is not None and partition.scores is not None:
        return GradedSampler(partition.rows[partition.pairs], partition.scores, count=count, seed=recipe.seed)
    if partition.triplets is not None:
        return TripletSampler(partition.rows[partition.triplets], count=count, seed=recipe.seed)
    neighbours = None
    if partition.neighbours is not None:
        neighbours = np.where(partition.neighbours < 0, -1, partition.rows[partition.neighbours])
    return ViewSampler(partition.rows, count=count, seed=recipe.seed, next_rows=neighbours)
