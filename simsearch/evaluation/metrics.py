"""Figures of scored pairs, and how sure they are. Pure functions on arrays.

A pair is *accepted* (called the same) when its score is at least the threshold. FAR is the share of different pairs
that are accepted, TAR the share of same pairs that are. A figure that the pairs cannot give raises VectorError.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from simsearch.errors import UsageError, VectorError
from simsearch.evaluation.pairs import all_pairs, pair_scores, sample_pairs
from simsearch.evaluation.ranking import recall_at, retrieval

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "Confusion",
    "accuracy_at",
    "all_pairs",
    "best_threshold",
    "bootstrap",
    "confusion",
    "cosine_to_distance",
    "equal_error_rate",
    "mean_interval",
    "pair_scores",
    "recall_at",
    "retrieval",
    "roc_auc",
    "sample_pairs",
    "tar_at_far",
]


@dataclass(frozen=True, slots=True)
class Confusion:
    """Counts of pairs: accepted same (tp) and different (fp), rejected different (tn) and same (fn)."""

    tp: int
    fp: int
    tn: int
    fn: int

    @property
    def accuracy(self) -> float:
        """The share of pairs that are judged right."""
        return (self.tp + self.tn) / (self.tp + self.fp + self.tn + self.fn)


def cosine_to_distance(scores: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """The L2 distance of unit vectors with these cosines, sqrt(2 - 2 s); 0 where rounding has made s larger than 1."""
    squared: NDArray[np.floating[Any]] = np.maximum(0, 2 - 2 * np.asarray(scores))
    distances: NDArray[np.floating[Any]] = np.sqrt(squared)
    return distances


def accuracy_at(scores: NDArray[np.floating[Any]], same: NDArray[np.bool_], threshold: float) -> float:
    """The share of pairs that are judged right at `threshold`."""
    return confusion(scores, same, threshold).accuracy


def confusion(scores: NDArray[np.floating[Any]], same: NDArray[np.bool_], threshold: float) -> Confusion:
    """The four counts at `threshold`; they add up to the number of pairs."""
    scores, same = _checked(scores, same)
    accepted = scores >= threshold
    tp = int(np.count_nonzero(accepted & same))
    fp = int(np.count_nonzero(accepted)) - tp
    fn = int(np.count_nonzero(same)) - tp
    return Confusion(tp, fp, len(same) - tp - fp - fn, fn)


def best_threshold(scores: NDArray[np.floating[Any]], same: NDArray[np.bool_]) -> tuple[float, float]:
    """A threshold with the largest accuracy that any has, and that accuracy; of equally good ones the highest.

    It lies half way between the two scores that it parts, and is a number of the precision of `scores`, so that
    comparing in that precision or in float64 decides alike. Exact, O(n log n).
    """
    steps = _steps(scores, same)
    right = np.concatenate([[0], steps.tp - steps.fp]) + steps.different
    best = int(np.argmax(right))
    accuracy = float(right[best] / (steps.positives + steps.different))
    value = steps.value
    if best == 0:
        return float(np.nextafter(value[0], value.dtype.type(np.inf))), accuracy
    if best == len(value):
        return float(value[-1]), accuracy
    upper, lower = value[best - 1], value[best]
    middle = (upper / 2 + lower / 2).astype(value.dtype)
    return float(middle if middle > lower else upper), accuracy


def roc_auc(scores: NDArray[np.floating[Any]], same: NDArray[np.bool_]) -> float:
    """The probability that a same pair scores higher than a different one, equal scores counting one half."""
    steps = _steps(scores, same)
    height = steps.tp - np.diff(steps.tp, prepend=0) / 2
    area = float(np.dot(np.diff(steps.fp, prepend=0), height))
    return area / (steps.positives * steps.different)


def equal_error_rate(scores: NDArray[np.floating[Any]], same: NDArray[np.bool_]) -> float:
    """The rate at which FAR equals 1 - TAR, on the straight line between the two thresholds around it."""
    steps = _steps(scores, same)
    far = np.concatenate([[0.0], steps.fp / steps.different])
    frr = 1 - np.concatenate([[0.0], steps.tp / steps.positives])
    gap = far - frr
    after = int(np.argmax(gap >= 0))
    share = -gap[after - 1] / (gap[after] - gap[after - 1])
    return float(far[after - 1] + share * (far[after] - far[after - 1]))


def tar_at_far(scores: NDArray[np.floating[Any]], same: NDArray[np.bool_], far: float) -> float:
    """The largest TAR of any threshold whose FAR is at most `far`. Measured, never interpolated."""
    if not 0 <= far <= 1:
        raise UsageError(f"the FAR is {far}; give a rate from 0 to 1")
    steps = _steps(scores, same)
    allowed = steps.fp / steps.different <= far
    return float(np.max(steps.tp[allowed], initial=0) / steps.positives)


def mean_interval(values: Sequence[float] | NDArray[Any], level: float = 0.95) -> tuple[float, float]:
    """The mean, and half the width of its confidence interval, z s / sqrt(n) of the normal distribution."""
    sample = _sample(values, level)
    if len(sample) < 2:
        raise VectorError("one value has no interval; give two or more")
    spread = float(np.std(sample, ddof=1)) / len(sample) ** 0.5
    return float(np.mean(sample)), NormalDist().inv_cdf((1 + level) / 2) * spread


def bootstrap(
    values: Sequence[float] | NDArray[Any],
    statistic: Callable[[NDArray[Any]], float],
    rng: np.random.Generator,
    rounds: int = 1000,
    level: float = 0.95,
) -> tuple[float, float]:
    """The percentile interval of `statistic` over resamples of the first axis of `values` (Efron 1979)."""
    sample = _sample(values, level)
    if rounds < 1:
        raise UsageError(f"{rounds} rounds of bootstrap; give at least 1")
    found = [statistic(sample[rng.integers(0, len(sample), size=len(sample))]) for _ in range(rounds)]
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _sample(values: Sequence[float] | NDArray[Any], level: float) -> NDArray[Any]:
    sample = np.asarray(values)
    if not 0 < level < 1:
        raise UsageError(f"the level is {level}; give one between 0 and 1")
    if sample.ndim == 0 or not len(sample):
        raise VectorError("there are no values to take an interval of")
    return sample


@dataclass(frozen=True, slots=True)
class _Steps:
    """What is accepted at each distinct score, from the highest: counts of same (tp) and different pairs (fp)."""

    value: NDArray[np.floating[Any]]
    tp: NDArray[np.int64]
    fp: NDArray[np.int64]
    positives: int
    different: int


def _steps(scores: NDArray[np.floating[Any]], same: NDArray[np.bool_]) -> _Steps:
    scores, same = _checked(scores, same)
    positives = int(np.count_nonzero(same))
    if positives in {0, len(same)}:
        kind = "same" if positives else "different"
        raise VectorError(f"all {len(same)} pairs are of the {kind} kind; this figure needs pairs of both kinds")
    order = np.argsort(-scores, kind="stable")
    falling = scores[order]
    last = np.flatnonzero(np.append(falling[1:] != falling[:-1], True))
    tp = np.cumsum(same[order], dtype=np.int64)[last]
    return _Steps(falling[last], tp, last + 1 - tp, positives, len(same) - positives)


def _checked(
    scores: NDArray[np.floating[Any]], same: NDArray[np.bool_]
) -> tuple[NDArray[np.floating[Any]], NDArray[np.bool_]]:
    scores, same = np.asarray(scores), np.asarray(same, dtype=bool)
    if scores.ndim != 1 or scores.shape != same.shape or not len(scores):
        raise VectorError(f"scores of shape {scores.shape} and truth of shape {same.shape}; give one truth a score")
    if not np.isfinite(scores).all():
        raise VectorError("a score is not finite; check the vectors that it comes from")
    return scores if np.issubdtype(scores.dtype, np.floating) else scores.astype(np.float64), same
