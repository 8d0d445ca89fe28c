"""Correlation of scores with grades. Pure functions on arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from simsearch.errors import VectorError
from simsearch.evaluation.statistics.intervals import LEVEL, ROUNDS, Figure, bootstrap

if TYPE_CHECKING:
    from numpy.typing import NDArray

SMALLEST_VARIANCE = 1e-24
"""For values scaled to a spread of one: smaller variances are rounding errors."""


def pearson(scores: NDArray[Any], truth: NDArray[Any]) -> float:
    """Pearson's correlation, from -1 to 1. Raises VectorError when either array is constant."""
    left, right = _checked(scores, truth)
    return float(_correlation(_scaled(left), _scaled(right), np.ones(len(left))))


def spearman(scores: NDArray[Any], truth: NDArray[Any]) -> float:
    """Spearman's rank correlation, ties sharing their mean rank (Spearman 1904).

    Raises VectorError when either array is constant.
    """
    left, right = _checked(scores, truth)
    once = np.ones((1, len(left)))
    return float(_rank_correlation(left, right, once)[0])


def graded_figures(
    scores: NDArray[Any], truth: NDArray[Any], *, seed: int, rounds: int = ROUNDS, level: float = LEVEL
) -> dict[str, Figure]:
    """`spearman` and `pearson` with bootstrap intervals over the pairs."""
    left, right = _checked(scores, truth)
    straight = _scaled(left), _scaled(right)
    ends = bootstrap(
        lambda counts: np.stack([_rank_correlation(left, right, counts), _correlation(*straight, counts)], axis=1),
        len(left),
        seed=seed,
        rounds=rounds,
        level=level,
    )
    values = {"spearman": spearman(left, right), "pearson": pearson(left, right)}
    return {name: Figure(value, *map(float, pair)) for (name, value), pair in zip(values.items(), ends, strict=True)}


def ranks(values: NDArray[Any], counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rank of each value when it occurs `counts` times, from 1 up, ties sharing their mean rank.

    `counts` and the ranks have shape (resamples, n); the rank of a value with count 0 is undefined.
    """
    order = np.argsort(values, kind="stable")
    rising = values[order]
    last = np.flatnonzero(np.append(rising[1:] != rising[:-1], True))
    reached = np.cumsum(counts[:, order], axis=1)[:, last]
    before = np.concatenate([np.zeros((len(counts), 1)), reached[:, :-1]], axis=1)
    group = np.empty(len(values), dtype=np.int64)
    group[order] = np.repeat(np.arange(len(last)), np.diff(last, prepend=-1))
    shared: NDArray[np.float64] = ((before + reached + 1) / 2)[:, group]
    return shared


def _rank_correlation(
    left: NDArray[np.float64], right: NDArray[np.float64], counts: NDArray[np.float64]
) -> NDArray[np.float64]:
    middle = (len(left) + 1) / 2
    # Scaled to a spread of about one, as `_correlation` wants it.
    scaled = [(ranks(side, counts) - middle) / len(left) for side in (left, right)]
    return _correlation(scaled[0], scaled[1], counts)


def _correlation(
    left: NDArray[np.float64], right: NDArray[np.float64], counts: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The correlation in each resample; NaN where an array is constant."""
    total = counts.sum(axis=-1, keepdims=True)
    left = left - (counts * left).sum(axis=-1, keepdims=True) / total
    right = right - (counts * right).sum(axis=-1, keepdims=True) / total
    share = counts / total
    variances = [(share * side * side).sum(axis=-1) for side in (left, right)]
    constant = np.minimum(*variances) < SMALLEST_VARIANCE
    product = np.where(constant, 1.0, variances[0] * variances[1])
    found = (share * left * right).sum(axis=-1) / np.sqrt(product)
    correlations: NDArray[np.float64] = np.where(constant, np.nan, np.clip(found, -1, 1))
    return correlations


def _scaled(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The values centered and scaled to a largest magnitude of at most 1."""
    # Halves first: the difference of two large numbers of different signs can overflow.
    half = values / 2 / np.abs(values).max()
    centered: NDArray[np.float64] = half - half.mean()
    centered /= np.abs(centered).max()
    return centered


def _checked(scores: NDArray[Any], truth: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    left, right = np.asarray(scores, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    if left.ndim != 1 or left.shape != right.shape or len(left) < 2:
        raise VectorError(f"scores of shape {left.shape} and truth of shape {right.shape}; give two or more of each")
    for name, side in (("score", left), ("grade", right)):
        if not np.isfinite(side).all():
            raise VectorError(f"a {name} is not finite; check where it comes from")
        if (side == side[0]).all():
            raise VectorError(f"all {len(side)} {name}s are {side[0]:g}; a correlation needs some that differ")
    return left, right
