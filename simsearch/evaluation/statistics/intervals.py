"""Confidence intervals, from the normal distribution and by bootstrap.

A resample is represented by counts: how often each unit (a pair, a query, a class) was drawn. Statistics that take
counts as weights are computed for many resamples at once, without a Python loop and without copying the units.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from simsearch.errors import UsageError, VectorError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Statistic: TypeAlias = Callable[[NDArray[np.float64]], NDArray[np.float64]]
    """From counts of shape (resamples, units) to figures of shape (resamples,) or (resamples, figures)."""

CELLS = 2_097_152
"""Maximum number of counts in memory at once, at 8 bytes each."""
ROUNDS = 1000
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured value and the ends of its confidence interval."""

    value: float
    low: float
    high: float


def mean_interval(values: Sequence[float] | NDArray[Any], level: float = LEVEL) -> tuple[float, float]:
    """The mean, and half the width of its normal confidence interval, z s / sqrt(n)."""
    sample = np.asarray(values)
    _check_level(level)
    if sample.ndim == 0 or not len(sample):
        raise VectorError("there are no values to take an interval of")
    if len(sample) < 2:
        raise VectorError("one value has no interval; give two or more")
    spread = float(np.std(sample, ddof=1)) / len(sample) ** 0.5
    return float(np.mean(sample)), NormalDist().inv_cdf((1 + level) / 2) * spread


def bootstrap(
    statistic: Statistic, units: int, *, width: int = 1, seed: int, rounds: int = ROUNDS, level: float = LEVEL
) -> NDArray[np.float64]:
    """The bootstrap percentile interval of `statistic` (Efron 1979); the last axis holds its ends.

    `width` is how many numbers `statistic` holds for a resample, if more than the number of units.

    A resample whose statistic is undefined (NaN, for instance because all its pairs are of one kind) is left out; if
    all are, VectorError is raised.
    """
    _check_level(level)
    found = np.concatenate([statistic(counts) for counts in resamples(units, rounds, seed, width)])
    if np.isnan(found).all(axis=0).any():
        raise VectorError(
            f"the statistic is undefined in all {rounds} resamples of {units} units: there are too few to resample"
        )
    ends: NDArray[np.float64] = np.nanquantile(found, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return np.moveaxis(ends, 0, -1)


def resamples(units: int, rounds: int, seed: int, width: int = 1) -> Iterator[NDArray[np.float64]]:
    """Counts of `rounds` resamples with replacement, in blocks of shape (resamples, units)."""
    if units < 1:
        raise VectorError("there are no values to take an interval of")
    if rounds < 1:
        raise UsageError(f"{rounds} bootstrap resamples; give at least 1")
    rng = np.random.default_rng(seed)
    block = max(1, CELLS // max(units, width))
    for begin in range(0, rounds, block):
        height = min(block, rounds - begin)
        drawn = rng.integers(0, units, size=(height, units))
        drawn += np.arange(height)[:, None] * units
        yield np.bincount(drawn.ravel(), minlength=height * units).reshape(height, units).astype(np.float64)


def mean_figures(
    values: NDArray[Any], clusters: NDArray[Any] | None = None, *, seed: int, rounds: int = ROUNDS, level: float = LEVEL
) -> tuple[Figure, ...]:
    """The mean of each column of `values`, shape (n, figures), with its bootstrap interval.

    Rows of one cluster (the queries of one class) are not independent: with `clusters`, the cluster of each row, whole
    clusters are resampled, and the mean of a resample is the sum of its rows divided by their number.
    """
    rows = np.asarray(values, dtype=np.float64)
    if rows.ndim != 2 or not len(rows):
        raise VectorError(f"values of shape {rows.shape}; give one row of figures for each of at least one unit")
    if not np.isfinite(rows).all():
        raise VectorError("a value is not finite; check the data that it was measured on")
    sums, sizes = rows, np.ones(len(rows))
    if clusters is not None:
        cluster = np.unique(clusters, return_inverse=True)[1]
        if cluster.shape != (len(rows),):
            raise VectorError(f"{len(rows)} rows but clusters of shape {cluster.shape}; give one cluster for each row")
        sizes = np.bincount(cluster).astype(np.float64)
        sums = np.stack([np.bincount(cluster, weights=column) for column in rows.T], axis=1)
    ends = bootstrap(
        lambda counts: (counts @ sums) / (counts @ sizes)[:, None], len(sums), seed=seed, rounds=rounds, level=level
    )
    return tuple(
        Figure(float(mean), float(low), float(high)) for mean, (low, high) in zip(rows.mean(axis=0), ends, strict=True)
    )


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise UsageError(f"the level is {level}; give one between 0 and 1")
