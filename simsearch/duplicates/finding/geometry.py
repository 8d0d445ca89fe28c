"""A transformation that takes one picture onto another, fitted to matched features; none where too few agree."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simsearch.duplicates.finding.features import Features, mirrored, opencv

if TYPE_CHECKING:
    from numpy.typing import NDArray

RATIO = 0.8
"""A match counts if its distance is below this share of that of the second best (Lowe 2004, section 7.1)."""
LEAST = 6
"""Fewer distinct inliers than these are no fit: an affine transformation has 3 points free."""
REACH, _ROUNDS, _SURE = 4.0, 2000, 0.999
"""RANSAC (Fischler and Bolles 1981): pixels of a view that an inlier may be off, rounds at most, confidence."""
_FREE = 3
SCALES, SKEW = (0.12, 8.0), 1.8
"""Bounds on the scale, and on the ratio of the largest to the smallest scale over all directions."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A transformation (2, 3) of pixels of the view on the left to pixels of that on the right, and what supports it.

    `inliers` counts distinct points on both sides; it is 0 where the views themselves were aligned without features.
    """

    matrix: NDArray[np.float64]
    inliers: int
    matches: int

    def significance(self, area: float) -> float:
        """-log10 of the expected number of as good fits of as many matches that fall anywhere in `area` pixels.

        The number of false alarms of Moisan and Stival 2004, with three points that fix the fit; at least 0.
        """
        free = self.inliers - _FREE
        if free <= 0:
            return 0.0
        chance = min(1.0, math.pi * REACH**2 / area)
        ways = math.log10(max(1, self.matches - _FREE)) + _choose(self.matches, self.inliers) + _choose(self.inliers, 3)
        return max(0.0, -(ways + free * math.log10(chance)))

    @property
    def mirrored(self) -> bool:
        return bool(np.linalg.det(self.matrix[:, :2]) < 0)

    @property
    def angle(self) -> float:
        """Degrees by which the picture (after mirroring, if mirrored) is turned, in (-180, 180]."""
        (a, b), (c, d) = self.matrix[:, :2] * ((-1, 1) if self.mirrored else (1, 1))
        return float(np.degrees(np.arctan2(c - b, a + d)))


def fit(left: Features, right: Features, width: int) -> Proof | None:
    """The better of the fits of the picture and of its mirror image; `width` is that of the view on the left.

    The same for the same features: OpenCV's RANSAC begins each call with the same seed.
    """
    straight = fit_straight(left, right)
    flipped = fit_straight(mirrored(left, width), right)
    if flipped is not None and (straight is None or flipped.inliers > straight.inliers):
        reflection = np.array([[-1.0, 0.0, width - 1], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
        return Proof(flipped.matrix @ reflection, flipped.inliers, flipped.matches)
    return straight


def fit_straight(left: Features, right: Features) -> Proof | None:
    """The fit of the picture alone, not of its mirror image."""
    lefts, rights = matched(left, right)
    if len(lefts) < LEAST:
        return None
    here, there = left.points[lefts], right.points[rights]
    matrix, inside = opencv().estimateAffine2D(
        here, there, ransacReprojThreshold=REACH, maxIters=_ROUNDS, confidence=_SURE
    )
    if matrix is None or not plausible(matrix):
        return None
    kept = inside.ravel().astype(bool)
    inliers = min(_distinct(here[kept]), _distinct(there[kept]))
    return Proof(matrix.astype(np.float64), inliers, len(lefts)) if inliers >= LEAST else None


def matched(left: Features, right: Features) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The rows on the left and on the right of all matches that pass the ratio test, each from left to right."""
    if len(left) < LEAST or len(right) < LEAST:
        return np.empty(0, np.intp), np.empty(0, np.intp)
    scores = left.unit @ right.unit.T
    best = scores.argmax(axis=1)
    rows = np.arange(len(scores))
    first = scores[rows, best]
    # The second best may be another orientation of the same point: points close by are no rivals.
    scores[rows, best] = -1.0
    second = scores.max(axis=1)
    passed = np.flatnonzero(1 - first < RATIO**2 * (1 - second))
    return passed, best[passed]


def plausible(matrix: NDArray[np.float64]) -> bool:
    """Whether an affine transformation is one that people make of pictures: bounded scale and skew, no reflection."""
    if not np.isfinite(matrix).all() or np.linalg.det(matrix[:, :2]) <= 0:
        return False
    large, small = np.linalg.svd(matrix[:, :2], compute_uv=False)
    return bool(SCALES[0] <= small and large <= SCALES[1] and large <= SKEW * small)


def enlarged(matrix: NDArray[np.float64], factor: float) -> NDArray[np.float64]:
    """The transformation (2, 3) of pixels of two pictures as one of both at `factor` times the size."""
    linear, shift = matrix[:, :2], matrix[:, 2]
    # The centers of pixels are at whole numbers: X = f x + (f - 1) / 2 for both, and
    # X' = A X + f t + (f - 1) / 2 (1 - A 1).
    shift = factor * shift + (factor - 1) / 2 * (1 - linear @ np.ones(2))
    return np.hstack([linear, shift[:, None]])


def _choose(several: int, some: int) -> float:
    """log10 of the number of ways to choose some of several."""
    ways = math.lgamma(several + 1) - math.lgamma(some + 1) - math.lgamma(several - some + 1)
    return ways / math.log(10)


def _distinct(points: NDArray[np.float32]) -> int:
    """How many different places, to 2 pixels, the points are at."""
    return len(np.unique(np.rint(points / 2).astype(np.int64), axis=0))
