"""Two pictures laid over each other by a transformation, and compared tile by tile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simsearch.duplicates.finding.colors import recolored
from simsearch.duplicates.finding.features import View, opencv

if TYPE_CHECKING:
    from numpy.typing import NDArray

TILE = 16
"""Pixels of the side of a tile, of views of 400."""
FINE, COARSE = 1.2, 25
"""What is compared is the picture blurred a little (Gaussian, sigma in pixels) less its mean over a square of pixels:
neither noise nor exposure, but what is drawn."""
CONTRAST = 3.0
"""Gray levels of the standard deviation from which on a tile shows something."""
AGREES = 0.5
COVERED = 0.75
"""The share of a tile that must lie in the overlap."""
_ALIASES = 1.2
"""From this scale on a picture is blurred before it is made smaller."""
_TINY = 1e-6
_FRINGE = 7
"""Pixels of the side of the square by which the part outside is narrowed."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How well two aligned pictures agree. All shares are from 0 to 1.

    `correlation` is the mean over the tiles of the overlap, each weighted by the contrast that both have there; `share`
    is the share of those weights in tiles that correlate by `AGREES` or more; `tiles` counts the tiles that show
    something in both. `left` and `right` are the shares of each picture that lie in the overlap. `changed` is the
    share of tiles that show something in one picture and do not agree. `difference` is the mean absolute difference
    of the colors in gray levels, `recolored` that of the means of tiles after the best change of exposure, color
    balance or to gray. `outside` is the contrast, in gray levels, of what lies outside of the overlap. `fidelity` is
    the mean correlation of the tiles that agree.
    """

    correlation: float
    share: float
    tiles: int
    left: float
    right: float
    changed: float
    difference: float
    recolored: float
    outside: float
    fidelity: float


def compare(left: View, right: View, matrix: NDArray[np.float64]) -> Agreement:
    """The agreement of the views where `matrix` (2, 3) takes pixels of the left to pixels of the right.

    The one in which the content is larger is resampled to the other.
    """
    one, other = left, right
    swapped = bool(abs(np.linalg.det(matrix[:, :2])) < 1)
    if swapped:
        one, other, matrix = right, left, opencv().invertAffineTransform(matrix)
    there, mask = _warped(other, one, matrix)
    here = one.pixels
    area = abs(float(np.linalg.det(matrix[:, :2])))
    sides = float(mask.mean()), min(1.0, float(mask.sum()) * area / other.pixels[..., 0].size)
    covered = means(mask) >= COVERED
    if not covered.any():
        return Agreement(0.0, 0.0, 0, *sides, 0.0, 255.0, 255.0, 0.0, 0.0)
    tiles = _Tiles.of(_details(here, mask), _details(there, mask), covered)
    colors = [np.stack([means(pixels[..., c])[covered] for c in range(3)], axis=1) for pixels in (here, there)]
    return Agreement(
        correlation=tiles.mean(tiles.correlations),
        share=tiles.mean(tiles.correlations >= AGREES),
        tiles=int((tiles.weights >= CONTRAST).sum()),
        left=sides[swapped],
        right=sides[not swapped],
        changed=float(tiles.changed.mean()),
        difference=float(np.abs(colors[0] - colors[1]).mean()),
        recolored=recolored(*(some[~tiles.changed] for some in colors)),
        outside=_outside(here, mask < 0.5),
        fidelity=tiles.fidelity,
    )


def _warped(source: View, frame: View, matrix: NDArray[np.float64]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """The source in the frame of the other, and 1 where it has pixels; `matrix` takes the frame to the source."""
    cv2 = opencv()
    size, pixels = (frame.pixels.shape[1], frame.pixels.shape[0]), source.pixels
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    if scale > _ALIASES:
        pixels = cv2.GaussianBlur(pixels, (0, 0), 0.45 * scale)
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(pixels, matrix, size, flags=how, borderMode=cv2.BORDER_REPLICATE)
    mask = cv2.warpAffine(np.ones(pixels.shape[:2], np.float32), matrix, size, flags=how)
    return warped, (mask > 0.99).astype(np.float32)


def _details(pixels: NDArray[np.uint8], mask: NDArray[np.float32]) -> NDArray[np.float32]:
    """The gray picture without its finest and its coarsest parts, both means taken within the mask."""
    cv2 = opencv()
    gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) * mask
    fine = cv2.GaussianBlur(gray, (0, 0), FINE) / np.maximum(cv2.GaussianBlur(mask, (0, 0), FINE), _TINY)
    coarse = cv2.blur(gray, (COARSE, COARSE)) / np.maximum(cv2.blur(mask, (COARSE, COARSE)), _TINY)
    details: NDArray[np.float32] = (fine - coarse) * mask
    return details


@dataclass(frozen=True, slots=True)
class _Tiles:
    """For each covered tile its correlation, the contrast that both pictures have there, and whether it has changed."""

    correlations: NDArray[np.float32]
    weights: NDArray[np.float32]
    changed: NDArray[np.bool_]

    @classmethod
    def of(cls, one: NDArray[np.float32], other: NDArray[np.float32], covered: NDArray[np.bool_]) -> _Tiles:
        contrasts = [np.sqrt(means(details * details)[covered]) for details in (one, other)]
        both = contrasts[0] * contrasts[1]
        correlations = means(one * other)[covered] / np.maximum(both, _TINY)
        changed = (np.maximum(*contrasts) >= 2 * CONTRAST) & (correlations < AGREES)
        return cls(correlations, np.sqrt(both), changed)

    @property
    def fidelity(self) -> float:
        """The mean correlation of the tiles that agree, weighted by contrast; 0 where none does."""
        agreeing = self.weights * (self.correlations >= AGREES)
        return float((agreeing * self.correlations).sum()) / max(float(agreeing.sum()), _TINY)

    def mean(self, values: NDArray[np.float32] | NDArray[np.bool_]) -> float:
        """The mean of the values, weighted by contrast."""
        return float((self.weights * values).sum()) / max(float(self.weights.sum()), _TINY)


def means(values: NDArray[np.float32] | NDArray[np.uint8]) -> NDArray[np.float32]:
    """The mean of each whole tile; of the picture where it is smaller than a tile."""
    high, wide = values.shape
    rows, columns = max(1, high // TILE), max(1, wide // TILE)
    tall, broad = min(TILE, high), min(TILE, wide)
    tiles = values[: rows * tall, : columns * broad].reshape(rows, tall, columns, broad)
    averages: NDArray[np.float32] = tiles.mean(axis=(1, 3), dtype=np.float32)
    return averages


def _outside(pixels: NDArray[np.uint8], outside: NDArray[np.bool_]) -> float:
    """The contrast of the part of the frame's picture that the other does not show; 0 where there is nearly none.

    Next to the overlap pixels of both are mixed, which a border of one color must not be blamed for.
    """
    if outside.mean() < 0.01:
        return 0.0
    apart = opencv().erode(outside.astype(np.uint8), np.ones((_FRINGE, _FRINGE), np.uint8)).astype(np.bool_)
    return float(pixels[apart if apart.mean() >= 0.01 else outside].std(axis=0).mean())
