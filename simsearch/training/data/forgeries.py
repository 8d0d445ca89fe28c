"""Forgeries: no class of their own, but what the genuine ones of their writer must be told from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from simsearch.evaluation.metrics import equal_error_rate, roc_auc

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.labelled.forgeries import Writers
    from simsearch.training.data.partition import Side
    from simsearch.types import Scores


def with_forgeries(side: Side, writers: Writers | None) -> Side:
    """The side that knows its forgeries, where it has pairs to judge them by."""
    if writers is None or side.labels is None:
        return side
    known = replace(side, forged=writers.forged[side.labels], writers=writers.numbers[side.labels])
    return known if len(np.unique(writer_pairs(known)[1])) == 2 else side


def genuine_only(side: Side) -> Side:
    """The side without its forgeries, whose labels are classes like any others; these are of no group."""
    if side.forged is None or side.labels is None:
        return side
    kept = ~side.forged
    return replace(side, rows=side.rows[kept], labels=side.labels[kept], groups=None, forged=None, writers=None)


def writer_pairs(side: Side) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """All pairs of two genuine ones of one writer, and of a genuine and a forged one of the same writer.

    As positions (m, 2) within the side's rows, the genuine one first; and which of them are the same, both genuine.
    """
    assert side.forged is not None and side.writers is not None
    pairs = [np.empty((0, 2), dtype=np.int64)]
    for writer in np.unique(side.writers):
        genuine, forged = (np.flatnonzero((side.writers == writer) & (side.forged == kind)) for kind in (False, True))
        if len(forged):
            first, second = np.triu_indices(len(genuine), 1)
            pairs.append(np.stack([genuine[first], genuine[second]], axis=1))
            pairs.append(np.stack(np.meshgrid(genuine, forged, indexing="ij"), axis=-1).reshape(-1, 2))
    every = np.concatenate(pairs)
    return every, np.all(~side.forged[every], axis=1)


def some_writers(side: Side, most: int, rng: np.random.Generator) -> Side:
    """The rows of writers drawn at random, until there are so many."""
    assert side.labels is not None and side.forged is not None and side.writers is not None
    writers, counts = np.unique(side.writers, return_counts=True)
    drawn = rng.permutation(len(writers))
    before = np.cumsum(counts[drawn]) - counts[drawn]
    chosen = np.isin(side.writers, writers[drawn[before < most]])
    return replace(
        side, rows=side.rows[chosen], labels=side.labels[chosen], groups=None, forged=side.forged[chosen],
        writers=side.writers[chosen],
    )  # fmt: skip


def auc_of_writers(side: Side, pairs: NDArray[np.int64], scores: Scores, same: NDArray[np.bool_]) -> list[float]:
    """The area under the ROC curve of the pairs of each writer who has both kinds."""
    return [roc_auc(scores[own], same[own]) for own in _of_each(side, pairs, same)]


def forgery_figures(
    side: Side, pairs: NDArray[np.int64], scores: Scores, same: NDArray[np.bool_]
) -> dict[str, float]:  # fmt: skip
    """The equal error rate of those pairs with one threshold for all, and the mean of it with each writer's own."""
    each = [equal_error_rate(scores[own], same[own]) for own in _of_each(side, pairs, same)]
    return {
        "forgery_equal_error_rate": equal_error_rate(scores, same),
        "forgery_equal_error_rate_by_writer": float(np.mean(each)),
    }


def _of_each(side: Side, pairs: NDArray[np.int64], same: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """Which of the pairs are of each writer who has both kinds of them."""
    assert side.writers is not None
    writer = side.writers[pairs[:, 0]]
    masks = [writer == number for number in np.unique(writer)]
    return [mask for mask in masks if len(np.unique(same[mask])) == 2]
