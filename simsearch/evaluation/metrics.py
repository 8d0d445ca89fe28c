"""Metrics of scored pairs, with confidence intervals. Pure functions on arrays.

A pair is *accepted* (classified as the same) when its score is at least the threshold. FAR is the share of impostor
pairs that are accepted, TAR the share of genuine pairs. A metric that is undefined for the pairs raises VectorError.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from simsearch.evaluation.pairs import all_pairs, pair_scores, sample_pairs
from simsearch.evaluation.ranking import retrieval
from simsearch.evaluation.statistics.correlation import graded_figures, pearson, spearman
from simsearch.evaluation.statistics.curves import checked_pairs, curve
from simsearch.evaluation.statistics.intervals import Figure, bootstrap, mean_figures, mean_interval
from simsearch.evaluation.verifying import verification_figures

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "Confusion",
    "Figure",
    "accuracy_at",
    "all_pairs",
    "average_precision",
    "best_threshold",
    "bootstrap",
    "confusion",
    "cosine_to_distance",
    "equal_error_rate",
    "graded_figures",
    "mean_figures",
    "mean_interval",
    "pair_scores",
    "pearson",
    "retrieval",
    "roc_auc",
    "sample_pairs",
    "spearman",
    "tar_at_far",
    "verification_figures",
]


@dataclass(frozen=True, slots=True)
class Confusion:
    """Counts of pairs: accepted genuine (tp) and impostor (fp), rejected impostor (tn) and genuine (fn)."""

    tp: int
    fp: int
    tn: int
    fn: int

    @property
    def accuracy(self) -> float:
        """The share of pairs that are classified correctly."""
        return (self.tp + self.tn) / (self.tp + self.fp + self.tn + self.fn)

    @property
    def balanced_accuracy(self) -> float:
        """The mean of the true accept rate and the true reject rate."""
        return (self.tp / (self.tp + self.fn) + self.tn / (self.tn + self.fp)) / 2


def cosine_to_distance(scores: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """The L2 distance of unit vectors with these cosines, sqrt(2 - 2 s); 0 where rounding has made s larger than 1."""
    squared: NDArray[np.floating[Any]] = np.maximum(0, 2 - 2 * np.asarray(scores))
    distances: NDArray[np.floating[Any]] = np.sqrt(squared)
    return distances


def accuracy_at(scores: NDArray[np.floating[Any]], same: NDArray[np.bool_], threshold: float) -> float:
    """The share of pairs that are classified correctly at `threshold`."""
    return confusion(scores, same, threshold).accuracy


def confusion(scores: NDArray[np.floating[Any]], same: NDArray[np.bool_], threshold: float) -> Confusion:
    """The four counts at `threshold`; they add up to the number of pairs."""
    scores, same = checked_pairs(scores, same)
    accepted = scores >= threshold
    tp = int(np.count_nonzero(accepted & same))
    fp = int(np.count_nonzero(accepted)) - tp
    fn = int(np.count_nonzero(same)) - tp
    return Confusion(tp, fp, len(same) - tp - fp - fn, fn)


def best_threshold(
    scores: NDArray[np.floating[Any]], same: NDArray[np.bool_], *, balanced: bool = False
) -> tuple[float, float]:
    """The threshold with the largest accuracy, and that accuracy; of equally good ones the highest.

    With `balanced` it is the balanced accuracy: genuine and impostor pairs have the same total weight.

    It lies half way between the two scores that it separates, rounded to the precision of `scores`, so that comparing
    in that precision or in float64 gives the same result. Exact, O(n log n).
    """
    steps = curve(scores, same)
    same_counts, different_counts = (steps.different, steps.positives) if balanced else (1, 1)
    right = np.concatenate([[0], steps.tp * same_counts - steps.fp * different_counts])
    right = right + steps.different * different_counts
    best = int(np.argmax(right))
    accuracy = float(right[best] / (steps.positives * same_counts + steps.different * different_counts))
    value = steps.value
    if best == 0:
        return float(np.nextafter(value[0], value.dtype.type(np.inf))), accuracy
    if best == len(value):
        return float(value[-1]), accuracy
    upper, lower = value[best - 1], value[best]
    middle = (upper / 2 + lower / 2).astype(value.dtype)
    return float(middle if middle > lower else upper), accuracy


def roc_auc(scores: NDArray[np.floating[Any]], same: NDArray[np.bool_]) -> float:
    """The probability that a genuine pair scores higher than an impostor pair, ties counting one half."""
    return float(curve(scores, same).auc())


def equal_error_rate(scores: NDArray[np.floating[Any]], same: NDArray[np.bool_]) -> float:
    """The rate at which FAR equals 1 - TAR, linearly interpolated between the two thresholds around it."""
    return float(curve(scores, same).equal_error_rate())


def tar_at_far(scores: NDArray[np.floating[Any]], same: NDArray[np.bool_], far: float) -> float:
    """The largest TAR of any threshold whose FAR is at most `far`. Measured, never interpolated."""
    return float(curve(scores, same).tar_at_far(far))


def average_precision(scores: NDArray[np.floating[Any]], same: NDArray[np.bool_]) -> float:
    """The mean of the precisions at each threshold, weighted by the increase of recall."""
    return float(curve(scores, same).average_precision())
