"""All verification metrics of scored pairs at once, with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from simsearch.errors import VectorError
from simsearch.evaluation.statistics.curves import checked_pairs, curve
from simsearch.evaluation.statistics.intervals import LEVEL, ROUNDS, Figure, bootstrap

if TYPE_CHECKING:
    from numpy.typing import NDArray

FARS = (0.1, 0.01, 0.001)


@dataclass(frozen=True, slots=True)
class _Units:
    """The units that are resampled: the pairs, or the classes of the two items of each pair, shape (pairs, 2)."""

    pairs: int
    classes: NDArray[np.int64] | None = None

    def weighted(self, counts: NDArray[np.float64]) -> NDArray[np.float64]:
        """The weight of each pair in the resamples: for a pair of two classes the product of their counts (Owen 2007,
        the pigeonhole bootstrap), for one of a single class the count of that class."""
        if self.classes is None:
            return counts
        left, right = self.classes.T
        return np.where(left == right, counts[:, left], counts[:, left] * counts[:, right])

    def __len__(self) -> int:
        return self.pairs if self.classes is None else int(self.classes.max()) + 1


def verification_figures(
    scores: NDArray[np.floating[Any]],
    same: NDArray[np.bool_],
    *,
    fars: Sequence[float] = FARS,
    threshold: float | None = None,
    classes: NDArray[Any] | None = None,
    seed: int,
    rounds: int = ROUNDS,
    level: float = LEVEL,
) -> dict[str, Figure]:
    """`roc_auc`, `average_precision`, `eer`, `tar@far=...` and, at a `threshold` chosen on other data, `accuracy`.

    The bootstrap is over pairs or, with `classes`, the classes of both items of each pair, shape (pairs, 2), over
    classes, since pairs that share a class are not independent.
    """
    scores, same = checked_pairs(scores, same)
    names = ["roc_auc", "average_precision", "eer", *(f"tar@far={far:g}" for far in fars)]
    names += [] if threshold is None else ["accuracy"]
    units = _units(len(scores), classes)

    def measured(counts: NDArray[np.float64] | None) -> NDArray[np.float64]:
        found = curve(scores, same, None if counts is None else units.weighted(counts))
        columns = [found.auc(), found.average_precision(), found.equal_error_rate(), *map(found.tar_at_far, fars)]
        return np.stack(columns + ([] if threshold is None else [found.accuracy_at(threshold)]), axis=-1)

    values = measured(None)
    ends = bootstrap(measured, len(units), width=len(scores), seed=seed, rounds=rounds, level=level)
    return {name: Figure(*map(float, (value, *pair))) for name, value, pair in zip(names, values, ends, strict=True)}


def operating_points(
    scores: NDArray[np.floating[Any]], same: NDArray[np.bool_], fars: Sequence[float] = FARS
) -> dict[str, float]:
    """The threshold of each `tar@far=...` of `verification_figures`: the score from which on a pair is accepted."""
    found = curve(scores, same)
    return {f"tar@far={far:g}": found.threshold_at_far(far) for far in fars}


def _units(pairs: int, classes: NDArray[Any] | None) -> _Units:
    if classes is None:
        return _Units(pairs)
    if np.shape(classes) != (pairs, 2):
        raise VectorError(f"{pairs} pairs but classes of shape {np.shape(classes)}; give the classes of both items")
    return _Units(pairs, np.unique(classes, return_inverse=True)[1].reshape(pairs, 2).astype(np.int64))
