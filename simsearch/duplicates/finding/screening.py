"""Whether two pictures are worth comparing closely, from sketches of 25 kB each: most pairs are refused in 0.5 ms.

A sketch has the features of the picture at half the size of a view, and the gray picture at a quarter. A pair that
passes has matches that agree on a similarity transformation, under which the gray pictures correlate; pictures with
hardly any features are laid over each other as they are. What passes is examined by `evidence`, which decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simsearch.duplicates.finding.alignment import best_overlay
from simsearch.duplicates.finding.features import SIDE, Features, View, features, mirrored, opencv, view_of
from simsearch.duplicates.finding.geometry import REACH, enlarged, fit_straight, plausible
from simsearch.media.images import whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

HALF = SIDE // 2
COUNT, CONTRAST = 128, 0.03
"""Features of a sketch at most, and the threshold of their contrast."""
QUARTER = SIDE // 4
SPARSE = 24
"""Pictures with fewer features are also laid over each other as they are."""
RATIO, AGREEING = 0.85, 5
"""The ratio test of a match, and matches that must agree: 0 of 668 copies are lost, and 3 in 4 other pairs refused."""
CORRELATED = 0.15
"""The least correlation of the gray pictures under the transformation that the matches agree on."""
EVIDENT = 0.75
"""The correlation from which on no closer fit of the matches is asked for."""
OVERLAID = 0.72
"""The least correlation of sparse pictures that are laid over each other."""
_ROUNDS, _SURE = 200, 0.95
_COARSE = 8.0
_LEAST = 64
_TINY = 1e-6


@dataclass(frozen=True, slots=True)
class Sketch:
    """Features at `HALF` size, and the gray picture (uint8) with a longer side of `QUARTER`."""

    features: Features
    width: int
    gray: NDArray[np.uint8]

    @property
    def sparse(self) -> bool:
        return len(self.features) < SPARSE

    def mirrored(self) -> Sketch:
        """The sketch of the mirror image."""
        return Sketch(mirrored(self.features, self.width), self.width, np.ascontiguousarray(self.gray[:, ::-1]))


def sketch(content: bytes) -> Sketch:
    """The sketch of the picture in the bytes of a file. Raises MediaError where it cannot be read."""
    picture = whole(content, HALF)
    return sketched(view_of(picture.pixels, picture.width, picture.height, side=HALF))


def sketched(half: View) -> Sketch:
    """The sketch of a view whose longer side is `HALF`."""
    cv2 = opencv()
    high, wide = (max(1, round(side * QUARTER / HALF)) for side in half.pixels.shape[:2])
    gray: NDArray[np.uint8] = cv2.resize(
        cv2.cvtColor(half.pixels, cv2.COLOR_RGB2GRAY), (wide, high), interpolation=cv2.INTER_AREA
    )
    return Sketch(features(half, COUNT, CONTRAST), half.pixels.shape[1], gray)


def promising(left: Sketch, rights: Sequence[Sketch]) -> list[bool]:
    """For each picture on the right whether it may be a copy of that on the left, or the other way around."""
    passed = np.zeros(len(rights), dtype=np.bool_)
    for turned in (False, True):
        rest = [place for place in range(len(rights)) if not passed[place]]
        own = left.mirrored() if turned else left
        for place, here, there in _matches(own.features, [rights[place].features for place in rest]):
            passed[rest[place]] = _agree(own, rights[rest[place]], here, there)
    for place in np.flatnonzero(~passed).tolist():
        if left.sparse or rights[place].sparse:
            passed[place] = best_overlay(left.gray, rights[place].gray) >= OVERLAID
    return [bool(one) for one in passed]


def _agree(left: Sketch, right: Sketch, here: NDArray[np.intp], there: NDArray[np.intp]) -> bool:
    """Whether the matches agree on a transformation, and the gray pictures under it."""
    matrices = _agreed(left.features.points[here], right.features.points[there])
    correlation = max((_correlation(left.gray, right.gray, matrix) for matrix in matrices), default=0.0)
    if correlation < CORRELATED:
        return False
    few = left.sparse or right.sparse
    return few or correlation >= EVIDENT or fit_straight(left.features, right.features) is not None


def _matches(own: Features, others: Sequence[Features]) -> list[tuple[int, NDArray[np.intp], NDArray[np.intp]]]:
    """For each of the others with enough matches its place, and the rows of the matches in both."""
    sizes = [len(other) for other in others]
    if len(own) < AGREEING or not sum(sizes):
        return []
    scores = own.unit @ np.concatenate([other.unit for other in others]).T
    found, rows, start = [], np.arange(len(own)), 0
    for place, size in enumerate(sizes):
        part, start = scores[:, start : start + size], start + size
        if size < AGREEING:
            continue
        best = part.argmax(axis=1)
        first = part[rows, best]
        # The second best may be another orientation of the same point: it counts all the same, as most are not.
        part[rows, best] = -1.0
        passed = np.flatnonzero(1 - first < RATIO**2 * (1 - part.max(axis=1)))
        if len(passed) >= AGREEING:
            found.append((place, passed, best[passed]))
    return found


def _agreed(here: NDArray[np.float32], there: NDArray[np.float32]) -> Iterator[NDArray[np.float64]]:
    """The similarity transformation that enough of the matches agree on, then the affine one: none where few agree."""
    cv2 = opencv()
    for estimate in (cv2.estimateAffinePartial2D, cv2.estimateAffine2D):
        matrix, inside = estimate(here, there, ransacReprojThreshold=REACH, maxIters=_ROUNDS, confidence=_SURE)
        if matrix is None or int(inside.sum()) < AGREEING or not plausible(matrix):
            return
        yield matrix


def _correlation(left: NDArray[np.uint8], right: NDArray[np.uint8], matrix: NDArray[np.float64]) -> float:
    """The correlation of the details of the gray pictures where they overlap; `matrix` is of pixels at `HALF` size."""
    cv2 = opencv()
    small = enlarged(matrix, QUARTER / HALF)
    if abs(np.linalg.det(small[:, :2])) < 1:
        left, right, small = right, left, cv2.invertAffineTransform(small)
    # The one whose content is smaller is the frame: sampling it finer would make up what it does not show.
    size, how = (left.shape[1], left.shape[0]), cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    there = cv2.warpAffine(right, small, size, flags=how, borderMode=cv2.BORDER_REPLICATE)
    mask = cv2.warpAffine(np.full(right.shape, 255, np.uint8), small, size, flags=how) == 255
    if int(mask.sum()) < _LEAST:
        return 0.0
    one, other = (_details(gray)[mask] for gray in (left, there))
    lengths = float(np.sqrt(np.dot(one, one) * np.dot(other, other)))
    return float(np.dot(one, other)) / max(lengths, _TINY)


def _details(gray: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The picture without its coarsest parts."""
    values = gray.astype(np.float32)
    details: NDArray[np.float32] = values - opencv().GaussianBlur(values, (0, 0), _COARSE)
    return details
