"""Counts of accepted pairs by threshold, and the verification metrics computed from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from simsearch.errors import UsageError, VectorError

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Curve:
    """Numbers of accepted genuine (tp) and impostor pairs (fp) at each distinct score, from the highest.

    `tp` and `fp` have shape (..., scores): leading axes are resamples, in which pairs count as often as they were
    drawn. Metrics have the shape of the leading axes; all but the accuracy are NaN where pairs of one kind are
    missing.
    """

    value: NDArray[np.floating[Any]]
    tp: NDArray[np.float64]
    fp: NDArray[np.float64]

    @property
    def positives(self) -> NDArray[np.float64]:
        return self.tp[..., -1]

    @property
    def different(self) -> NDArray[np.float64]:
        return self.fp[..., -1]

    def rates(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """FAR and TAR at each threshold, starting with zeros for a threshold above every score (the ROC curve)."""
        with np.errstate(invalid="ignore"):
            far, tar = self.fp / self.fp[..., -1:], self.tp / self.tp[..., -1:]
        start = np.zeros((*far.shape[:-1], 1))
        return np.concatenate([start, far], axis=-1), np.concatenate([start, tar], axis=-1)

    def auc(self) -> NDArray[np.float64]:
        """The probability that a genuine pair scores higher than an impostor pair, ties counting one half."""
        height = self.tp - np.diff(self.tp, prepend=0) / 2
        area = (np.diff(self.fp, prepend=0) * height).sum(axis=-1)
        with np.errstate(invalid="ignore"):
            share: NDArray[np.float64] = area / (self.positives * self.different)
        return share

    def equal_error_rate(self) -> NDArray[np.float64]:
        """The rate at which FAR equals 1 - TAR, linearly interpolated between the two thresholds around it."""
        far, tar = self.rates()
        gap = far - (1 - tar)
        # The first gap is -1. Without pairs of one kind all others are NaN, and none is the first to reach 0.
        after = np.maximum(np.argmax(gap >= 0, axis=-1), 1)[..., None]
        before = after - 1
        low, high = np.take_along_axis(gap, before, -1), np.take_along_axis(gap, after, -1)
        start, end = np.take_along_axis(far, before, -1), np.take_along_axis(far, after, -1)
        rate: NDArray[np.float64] = (start - low / (high - low) * (end - start))[..., 0]
        return rate

    def tar_at_far(self, far: float) -> NDArray[np.float64]:
        """The largest TAR of any threshold whose FAR is at most `far`. Measured, never interpolated."""
        if not 0 <= far <= 1:
            raise UsageError(f"the FAR is {far}; give a rate from 0 to 1")
        reached, tar = self.rates()
        best: NDArray[np.float64] = np.where(reached <= far, tar, 0.0).max(axis=-1)
        return np.where(np.isnan(reached[..., -1] + tar[..., -1]), np.nan, best)

    def threshold_at_far(self, far: float) -> float:
        """The highest threshold with the TAR of `tar_at_far`, a score that occurs; of a single curve.

        It lies just above every score where even the highest accepts more than `far`.
        """
        reached, tar = self.rates()
        best = int(np.argmax(np.where(reached <= far, tar, 0.0)))
        if best == 0:
            return float(np.nextafter(self.value[0], self.value.dtype.type(np.inf)))
        return float(self.value[best - 1])

    def average_precision(self) -> NDArray[np.float64]:
        """The mean of the precisions at each threshold, weighted by the increase of recall."""
        accepted = self.tp + self.fp
        precision = self.tp / np.where(accepted > 0, accepted, 1)
        with np.errstate(invalid="ignore"):
            mean: NDArray[np.float64] = (np.diff(self.tp, prepend=0) * precision).sum(axis=-1) / self.positives
        return np.where(self.different > 0, mean, np.nan)

    def accuracy_at(self, threshold: float) -> NDArray[np.float64]:
        """The share of pairs that are classified correctly at `threshold`."""
        accepted = int(np.count_nonzero(self.value >= threshold))
        tp = self.tp[..., accepted - 1] if accepted else np.zeros(self.tp.shape[:-1])
        fp = self.fp[..., accepted - 1] if accepted else np.zeros(self.fp.shape[:-1])
        share: NDArray[np.float64] = (tp + self.different - fp) / (self.positives + self.different)
        return share


def curve(
    scores: NDArray[np.floating[Any]], same: NDArray[np.bool_], counts: NDArray[np.float64] | None = None
) -> Curve:
    """The curve of these pairs; with `counts` of shape (resamples, pairs) one for each resample.

    Raises VectorError unless there are pairs of both kinds, each with a finite score.
    """
    scores, same = checked_pairs(scores, same)
    positives = int(np.count_nonzero(same))
    if positives in {0, len(same)}:
        kind = "genuine" if positives else "impostor"
        raise VectorError(f"all {len(same)} pairs are {kind} pairs; this metric needs both kinds")
    order = np.argsort(-scores, kind="stable")
    falling, truth = scores[order], same[order]
    last = np.flatnonzero(np.append(falling[1:] != falling[:-1], True))
    weights = np.ones(len(same)) if counts is None else counts[..., order]
    tp = np.cumsum(weights * truth, axis=-1)[..., last]
    fp = np.cumsum(weights * ~truth, axis=-1)[..., last]
    return Curve(falling[last], tp, fp)


def checked_pairs(
    scores: NDArray[np.floating[Any]], same: NDArray[np.bool_]
) -> tuple[NDArray[np.floating[Any]], NDArray[np.bool_]]:
    """The scores as floats and the labels as booleans, one of each for a pair. Raises VectorError."""
    scores, same = np.asarray(scores), np.asarray(same, dtype=bool)
    if scores.ndim != 1 or scores.shape != same.shape or not len(scores):
        raise VectorError(
            f"scores of shape {scores.shape} and labels of shape {same.shape}; give one label for each score"
        )
    if not np.isfinite(scores).all():
        raise VectorError("a score is not finite; check the vectors that it comes from")
    return scores if np.issubdtype(scores.dtype, np.floating) else scores.astype(np.float64), same
