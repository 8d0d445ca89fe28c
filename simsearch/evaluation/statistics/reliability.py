"""Reliability of probabilities: how often what they say comes true."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from simsearch.errors import UsageError, VectorError

if TYPE_CHECKING:
    from numpy.typing import NDArray

BINS = 15


@dataclass(frozen=True, slots=True)
class Reliability:
    """For each bin of increasing probabilities: their mean, how often they came true, and the share of the weight.

    Leading axes are resamples.
    """

    predicted: NDArray[np.float64]
    observed: NDArray[np.float64]
    share: NDArray[np.float64]

    def error(self) -> NDArray[np.float64]:
        """The expected calibration error: the mean distance of both, weighted by the bins (Naeini et al. 2015)."""
        # A bin that a resample lacks has no weight, and no mean.
        gap = np.where(self.share > 0, np.abs(self.predicted - self.observed) * self.share, 0.0)
        error: NDArray[np.float64] = gap.sum(axis=-1)
        return error


def reliability(
    probabilities: NDArray[np.floating[Any]],
    right: NDArray[np.bool_],
    weights: NDArray[np.float64] | None = None,
    bins: int = BINS,
) -> Reliability:
    """The reliability of probabilities in bins of equal count; `weights` has shape (..., n).

    Equal probabilities share a bin, since their order is arbitrary, so that there can be fewer bins, of unequal counts.
    Raises VectorError for probabilities that are none.
    """
    given, truth = np.asarray(probabilities, dtype=np.float64), np.asarray(right, dtype=bool)
    if given.ndim != 1 or given.shape != truth.shape or not len(given):
        raise VectorError(
            f"probabilities of shape {given.shape} and outcomes of shape {truth.shape}; give one for each"
        )
    if not ((given >= 0) & (given <= 1)).all():
        raise VectorError("a probability is not between 0 and 1")
    if bins < 1:
        raise UsageError(f"{bins} bins; give at least 1")
    order = np.argsort(given, kind="stable")
    starts = _starts(given[order], bins)
    weight = (np.ones(len(given)) if weights is None else weights)[..., order]
    totals = np.add.reduceat(weight, starts, axis=-1)
    with np.errstate(invalid="ignore"):
        predicted = np.add.reduceat(weight * given[order], starts, axis=-1) / totals
        observed = np.add.reduceat(weight * truth[order], starts, axis=-1) / totals
        return Reliability(predicted, observed, totals / totals.sum(axis=-1, keepdims=True))


def _starts(rising: NDArray[np.float64], bins: int) -> NDArray[np.int64]:
    """The first place of each bin; one that holds all of a run of equal values is where their middle belongs."""
    _, first, run, sizes = np.unique(rising, return_index=True, return_inverse=True, return_counts=True)
    number = ((2 * first + sizes) * bins // (2 * len(rising)))[run]
    return np.flatnonzero(np.diff(number, prepend=-1)).astype(np.int64)


def expected_calibration_error(
    probabilities: NDArray[np.floating[Any]],
    right: NDArray[np.bool_],
    weights: NDArray[np.float64] | None = None,
    bins: int = BINS,
) -> float:
    """The expected calibration error of probabilities in bins of equal count; `weights` has shape (n,)."""
    return float(reliability(probabilities, right, weights, bins).error())
