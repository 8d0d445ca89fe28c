"""All pairs of unit vectors whose cosine reaches a threshold: complete, in bounded memory, faster than comparing all.

For an orthonormal basis, the inner product is at most that of the leading coordinates plus the product of the lengths
of what remains (Cauchy and Schwarz). With the residual length as one coordinate more, this bound of a whole tile is one
matrix product of k + 1 numbers a row instead of `dim`; only pairs whose bound reaches the threshold are computed in
full. The basis are the uncentered principal components, which hold the most of the lengths; k is chosen by cost on a
sample. Blocks of clusters skipped by the triangle inequality were tried and gave nothing: at the thresholds of copies,
95 to 100 % of pairs remain, since clusters of embeddings are as wide as they are far apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simsearch.duplicates.finding.pairs import Pairs
from simsearch.errors import UsageError, VectorError
from simsearch.media.ahead import ahead, usable_cpus

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.types import Ids, Scores, Vectors

STRIP, TILE = 512, 1024
"""Rows on the left and on the right of one tile: its scores stay in the second-level cache."""
SAMPLE = 1024
AT_ONCE = 16_384
"""Pairs whose cosines are computed at once."""
DENSE = 1 / 32
"""From this share of a tile on, one matrix product costs less than its pairs one by one."""
_DIMS = (8, 12, 16, 24, 32, 40, 48, 64, 80, 96, 128, 192, 256)
_PRODUCT, _SCAN, _PAIR = 0.018, 0.09, 65.0
"""Nanoseconds for a coordinate of a bound, for looking at a bound, and for a pair in full: measured on one core with
AVX2. Only their ratios matter, and only for the time."""


@dataclass(frozen=True, slots=True)
class _Side:
    """Rows, and for each the coordinates whose inner products are bounds on the cosines."""

    rows: Vectors
    bounds: NDArray[np.float32]


def pairs_within(vectors: Vectors, threshold: float, *, first: int = 0, workers: int | None = None) -> Iterator[Pairs]:
    """All pairs of rows i < j with j >= `first` whose cosine is at least `threshold`, by rising strips of i.

    With `first` above 0 the rows before it are taken to have been compared already. Within a strip of rows pairs are
    ordered by i and j. A pair has the same score in whichever call it is found: it is summed in float64.
    """
    _check(vectors, vectors, threshold)
    if not 0 <= first <= len(vectors):
        raise UsageError(f"first {first}: there are {len(vectors)} rows")
    basis = _basis(vectors, vectors[first:], threshold)
    side = _side(vectors, basis)

    def strip(start: int) -> Pairs:
        found = _strip(side, side, start, max(start, first), threshold)
        below = found.left < found.right
        return Pairs(found.left[below], found.right[below], found.scores[below])

    yield from ahead(strip, range(0, len(vectors), STRIP), workers=workers, depth=4 * (workers or usable_cpus()))


def pairs_between(left: Vectors, right: Vectors, threshold: float, *, workers: int | None = None) -> Iterator[Pairs]:
    """All pairs of a row of `left` and a row of `right` whose cosine is at least `threshold`, as `pairs_within`."""
    _check(left, right, threshold)
    basis = _basis(left, right, threshold)
    one, other = _side(left, basis), _side(right, basis)

    def strip(start: int) -> Pairs:
        return _strip(one, other, start, 0, threshold)

    yield from ahead(strip, range(0, len(left), STRIP), workers=workers, depth=4 * (workers or usable_cpus()))


def _check(left: Vectors, right: Vectors, threshold: float) -> None:
    if left.ndim != 2 or right.ndim != 2 or left.shape[1] != right.shape[1]:
        raise VectorError(f"vectors of the shapes {left.shape} and {right.shape}; give (n, dim) and (m, dim)")
    if not -1 <= threshold <= 1:
        raise UsageError(f"threshold {threshold}: a cosine is from -1 to 1")


def _basis(left: Vectors, right: Vectors, threshold: float) -> NDArray[np.float64] | None:
    """The leading principal components (dim, k) with which bounds cost least; None where bounds cost more than they
    save."""
    dim = left.shape[1]
    if min(len(left), len(right)) < SAMPLE:
        return None
    gram = sum((_gram(part) for part in (left, right)), np.zeros((dim, dim)))
    axes = np.linalg.eigh(gram)[1][:, ::-1]
    some, others = left[:: len(left) // SAMPLE][:SAMPLE], right[:: len(right) // SAMPLE][:SAMPLE]
    best, cheapest = None, _PRODUCT * dim
    for count in (k for k in _DIMS if k < dim):
        basis = axes[:, :count]
        bounds = _bounds(some, basis) @ _bounds(others, basis).T
        cost = _PRODUCT * (count + 1) + _PAIR * float((bounds >= threshold - _slack(dim)).mean())
        if cost < cheapest:
            best, cheapest = basis, cost
    return best


def _gram(rows: Vectors) -> NDArray[np.float64]:
    total = np.zeros((rows.shape[1], rows.shape[1]))
    for start in range(0, len(rows), AT_ONCE):
        part = rows[start : start + AT_ONCE]
        total += part.T @ part
    return total


def _side(rows: Vectors, basis: NDArray[np.float64] | None) -> _Side:
    return _Side(rows, rows if basis is None else _bounds(rows, basis))


def _bounds(rows: Vectors, basis: NDArray[np.float64]) -> NDArray[np.float32]:
    """The coordinates in the basis, then the length of the residual: (n, k + 1)."""
    found = np.empty((len(rows), basis.shape[1] + 1), dtype=np.float32)
    for start in range(0, len(rows), AT_ONCE):
        precise = rows[start : start + AT_ONCE].astype(np.float64)
        leading = precise @ basis
        rest = np.einsum("ij,ij->i", precise, precise) - np.einsum("ij,ij->i", leading, leading)
        found[start : start + AT_ONCE, :-1] = leading
        found[start : start + AT_ONCE, -1] = np.sqrt(np.maximum(rest, 0.0))
    return found


def _slack(dim: int) -> float:
    """More than the error of a bound or of a cosine in float32: unit rows, each sum at worst one number at a time."""
    return (dim + 8) * 2.0**-23


class _Tiles:
    """The products of rows with a tile of others, in the same memory for all tiles."""

    def __init__(self) -> None:
        self._products = np.empty(STRIP * TILE, dtype=np.float32)
        self._reached = np.zeros(STRIP * TILE, dtype=np.bool_)

    def at_least(self, rows: NDArray[np.float32], others: NDArray[np.float32], least: float) -> tuple[Ids, Ids]:
        """The places in `rows` and in `others` of the pairs whose inner product reaches `least`."""
        size = len(rows) * len(others)
        products = self._products[:size].reshape(len(rows), len(others))
        np.matmul(rows, others.T, out=products)
        reached = self._reached[: -(-size // 8) * 8]
        reached[size:] = False
        np.greater_equal(products.reshape(-1), np.float32(least), out=reached[:size])
        # Eight cells are looked at as one word: nearly all of them hold nothing.
        words = np.flatnonzero(reached.view(np.uint64) != 0)
        cells = (words[:, None] * 8 + np.arange(8))[reached.reshape(-1, 8)[words]]
        return np.divmod(cells, len(others))


def _strip(left: _Side, right: _Side, start: int, begin: int, threshold: float) -> Pairs:
    """The pairs of one strip on the left with the rows on the right from `begin` on, ordered by both."""
    parts, tiles, least = [], _Tiles(), threshold - _slack(left.rows.shape[1])
    here = slice(start, start + STRIP)
    for column in range(begin, len(right.rows), TILE):
        there = slice(column, column + TILE)
        lefts, rights = tiles.at_least(left.bounds[here], right.bounds[there], least)
        if right.bounds is not right.rows and len(lefts) > STRIP * TILE * DENSE:
            lefts, rights = tiles.at_least(left.rows[here], right.rows[there], least)
        parts.append(_in_full(left.rows, right.rows, lefts + start, rights + column, threshold))
    found = Pairs.joined(parts)
    order = np.lexsort((found.right, found.left))
    return Pairs(found.left[order], found.right[order], found.scores[order])


def _in_full(left: Vectors, right: Vectors, lefts: Ids, rights: Ids, threshold: float) -> Pairs:
    """Those of the pairs whose cosine reaches the threshold."""
    parts = []
    for start in range(0, len(lefts), AT_ONCE):
        one, other = lefts[start : start + AT_ONCE], rights[start : start + AT_ONCE]
        near = np.einsum("ij,ij->i", left[one], right[other]) >= threshold - _slack(left.shape[1])
        one, other = one[near], other[near]
        scores = _cosines(left[one], right[other])
        kept = scores >= np.float32(threshold)
        parts.append(Pairs(one[kept], other[kept], scores[kept]))
    return Pairs.joined(parts)


def _cosines(left: Vectors, right: Vectors) -> Scores:
    exact: NDArray[np.float64] = np.einsum("ij,ij->i", left.astype(np.float64), right.astype(np.float64))
    return np.clip(exact, -1.0, 1.0).astype(np.float32)
