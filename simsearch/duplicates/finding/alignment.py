"""Views aligned by themselves, for pictures that have too few local features: blurred ones, skies, drawings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simsearch.duplicates.finding.features import SIDE, View, opencv
from simsearch.duplicates.finding.geometry import Proof, enlarged, plausible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

SMALL = 100
"""The longer side, in pixels, at which places are looked for."""
WINDOWS = tuple(0.9**step for step in range(9))
"""The scales at which one picture is looked for within the other, from 1 to 0.43."""
_COARSE = 8.0
PROMISING = 0.35
"""The least correlation of an alignment that is refined."""
_PLAIN = 0.5
_STEPS, _CLOSE = 40, 1e-4
_FEW = 8


def align(left: View, right: View) -> Proof | None:
    """The transformation of the left view to the right that correlates best, refined; None where nothing correlates.

    Tried are the whole of both, stretched, in the eight ways to turn and mirror, and one upright within the other;
    the refinement is ECC (Evangelidis and Psarakis 2008) with an affine transformation.
    """
    one, other = _small(left), _small(right)
    if min(float(one.std()), float(other.std())) < _PLAIN:
        return None
    found = [*_whole(one, other), *_within(one, other)]
    found += [(score, _inverse(matrix)) for score, matrix in _within(other, one)]
    score, matrix = max(found, key=lambda candidate: candidate[0])
    if score < PROMISING:
        return None
    return _refined(one, other, matrix)


def best_overlay(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> float:
    """The highest correlation of `align` before it is refined, for small gray pictures at half of its size."""
    cv2 = opencv()
    small = []
    for gray in (left, right):
        high, wide = (max(_FEW, round(side / 2)) for side in gray.shape)
        half = cv2.resize(gray, (wide, high), interpolation=cv2.INTER_AREA).astype(np.float32)
        small.append(half - cv2.GaussianBlur(half, (0, 0), _COARSE / 2))
    one, other = small
    if min(float(one.std()), float(other.std())) < _PLAIN:
        return 0.0
    return max(score for score, _ in (*_whole(one, other), *_within(one, other), *_within(other, one)))


def _small(view: View) -> NDArray[np.float32]:
    """The gray view at a quarter of its size, without its coarsest parts."""
    cv2 = opencv()
    high, wide = (max(_FEW, round(side * SMALL / SIDE)) for side in view.pixels.shape[:2])
    gray = cv2.cvtColor(view.pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    small = cv2.resize(gray, (wide, high), interpolation=cv2.INTER_AREA)
    details: NDArray[np.float32] = small - cv2.GaussianBlur(small, (0, 0), _COARSE)
    return details


def _whole(one: NDArray[np.float32], other: NDArray[np.float32]) -> Iterator[tuple[float, NDArray[np.float64]]]:
    """The correlation and the transformation for each way in which one covers the other."""
    cv2 = opencv()
    high, wide = other.shape
    for turns in range(4):
        for flip in (False, True):
            turned = np.rot90(one[:, ::-1] if flip else one, turns)
            stretched = cv2.resize(np.ascontiguousarray(turned), (wide, high), interpolation=cv2.INTER_AREA)
            yield _correlation(stretched, other), _cover(one.shape, other.shape, turns, flip)


def _cover(one: tuple[int, ...], other: tuple[int, ...], turns: int, flip: bool) -> NDArray[np.float64]:
    """The transformation of pixels of one, mirrored if `flip` and turned counterclockwise, that covers the other."""
    (high, wide), (tall, broad) = one, other
    corners = np.array([[-0.5, -0.5], [wide - 0.5, -0.5], [-0.5, high - 0.5]])
    unit = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    if flip:
        unit[:, 0] = 1 - unit[:, 0]
    for _ in range(turns):  # (x, y) of a picture is (y, 1 - x) of the picture turned counterclockwise.
        unit = np.stack([unit[:, 1], 1 - unit[:, 0]], axis=1)
    there = unit * (broad, tall) - 0.5
    matrix: NDArray[np.float64] = opencv().getAffineTransform(corners.astype(np.float32), there.astype(np.float32))
    return matrix


def _within(one: NDArray[np.float32], other: NDArray[np.float32]) -> Iterator[tuple[float, NDArray[np.float64]]]:
    """The best place of one within the other at each scale."""
    cv2 = opencv()
    for share in WINDOWS:
        scale = share * min(other.shape[0] / one.shape[0], other.shape[1] / one.shape[1])
        high, wide = (round(side * scale) for side in one.shape)
        if min(high, wide) < _FEW:
            continue
        part = cv2.resize(one, (wide, high), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        if float(part.std()) < _PLAIN:
            continue
        scores = np.nan_to_num(cv2.matchTemplate(other, part, cv2.TM_CCOEFF_NORMED), posinf=0.0, neginf=0.0)
        top, left = np.unravel_index(int(scores.argmax()), scores.shape)
        across, down = wide / one.shape[1], high / one.shape[0]
        place = [[across, 0, left + (across - 1) / 2], [0, down, top + (down - 1) / 2]]
        yield float(scores[top, left]), np.array(place, dtype=np.float64)


def _refined(one: NDArray[np.float32], other: NDArray[np.float32], matrix: NDArray[np.float64]) -> Proof | None:
    cv2 = opencv()
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, _STEPS, _CLOSE)
    try:
        _, better = cv2.findTransformECC(one, other, matrix.astype(np.float32), cv2.MOTION_AFFINE, criteria, None, 3)
    except cv2.error:  # It did not converge: the alignment at hand is as good as any.
        better = matrix
    reflected = np.linalg.det(better[:, :2]) < 0
    upright = better[:, :2] * (-1, 1) if reflected else better[:, :2]
    if not plausible(np.hstack([upright, better[:, 2:]])):
        return None
    return Proof(enlarged(np.asarray(better, dtype=np.float64), SIDE / SMALL), 0, 0)


def _inverse(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    inverted: NDArray[np.float64] = opencv().invertAffineTransform(matrix)
    return inverted


def _correlation(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    first, second = one - one.mean(), other - other.mean()
    size = float(np.sqrt((first * first).sum() * (second * second).sum()))
    return float((first * second).sum()) / size if size > 0 else 0.0
