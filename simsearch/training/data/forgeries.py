"""Forgeries: hard negatives of the genuine ones of their writer, without a class of their own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from simsearch.evaluation.metrics import equal_error_rate, roc_auc

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.labelled.forgeries import Writers
    from simsearch.training.data.partition import Partition
    from simsearch.types import Scores


def with_forgeries(partition: Partition, writers: Writers | None) -> Partition:
    """The partition with its forgeries marked, if it has both kinds of pairs for verification."""
    if writers is None or partition.labels is None:
        return partition
    known = replace(partition, forged=writers.forged[partition.labels], writers=writers.numbers[partition.labels])
    return known if len(np.unique(writer_pairs(known)[1])) == 2 else partition


def genuine_only(partition: Partition) -> Partition:
    """The partition without its forgeries and without groups."""
    if partition.forged is None or partition.labels is None:
        return partition
    kept = ~partition.forged
    return replace(
        partition, rows=partition.rows[kept], labels=partition.labels[kept], groups=None, forged=None, writers=None
    )


def writer_pairs(partition: Partition) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """All pairs of two genuine ones of one writer, and of a genuine and a forged one of the same writer.

    As positions (m, 2) within its rows, the genuine one first; and which of them are the same, both genuine.
    """
    assert partition.forged is not None and partition.writers is not None
    pairs = [np.empty((0, 2), dtype=np.int64)]
    for writer in np.unique(partition.writers):
        genuine, forged = (
            np.flatnonzero((partition.writers == writer) & (partition.forged == kind)) for kind in (False, True)
        )
        if len(forged):
            first, second = np.triu_indices(len(genuine), 1)
            pairs.append(np.stack([genuine[first], genuine[second]], axis=1))
            pairs.append(np.stack(np.meshgrid(genuine, forged, indexing="ij"), axis=-1).reshape(-1, 2))
    every = np.concatenate(pairs)
    return every, np.all(~partition.forged[every], axis=1)


def some_writers(partition: Partition, most: int, rng: np.random.Generator) -> Partition:
    """A sample of about `most` rows, those of random writers."""
    assert partition.labels is not None and partition.forged is not None and partition.writers is not None
    writers, counts = np.unique(partition.writers, return_counts=True)
    drawn = rng.permutation(len(writers))
    before = np.cumsum(counts[drawn]) - counts[drawn]
    chosen = np.isin(partition.writers, writers[drawn[before < most]])
    return replace(
        partition,
        rows=partition.rows[chosen],
        labels=partition.labels[chosen],
        groups=None,
        forged=partition.forged[chosen],
        writers=partition.writers[chosen],
    )


def auc_of_writers(
    partition: Partition, pairs: NDArray[np.int64], scores: Scores, same: NDArray[np.bool_]
) -> list[float]:
    """The area under the ROC curve of the pairs of each writer who has both kinds."""
    return [roc_auc(scores[own], same[own]) for own in _of_each(partition, pairs, same)]


def forgery_figures(
    partition: Partition, pairs: NDArray[np.int64], scores: Scores, same: NDArray[np.bool_]
) -> dict[str, float]:
    """The equal error rate of those pairs with one threshold for all, and the mean of it with each writer's own."""
    each = [equal_error_rate(scores[own], same[own]) for own in _of_each(partition, pairs, same)]
    return {
        "forgery_equal_error_rate": equal_error_rate(scores, same),
        "forgery_equal_error_rate_by_writer": float(np.mean(each)),
    }


def _of_each(partition: Partition, pairs: NDArray[np.int64], same: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """The masks of the pairs of each writer who has both kinds of them."""
    assert partition.writers is not None
    writer = partition.writers[pairs[:, 0]]
    masks = [writer == number for number in np.unique(writer)]
    return [mask for mask in masks if len(np.unique(same[mask])) == 2]
