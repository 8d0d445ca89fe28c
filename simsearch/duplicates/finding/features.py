"""Local features of a picture: where its distinctive points are, and how the neighborhood of each looks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from simsearch.errors import MissingExtraError
from simsearch.media.images import whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE = 400
"""The longer side of a view, in pixels. Smaller pictures are enlarged: a copy of a quarter of the size then has its
features at the scales of its original."""
FEATURES = 600
_SCALE = 512
"""Steps in which a root-normalized descriptor is stored, as in the original SIFT: nothing above 0.5 occurs often."""
_CELLS, _ANGLES = 4, 8
_EPSILON = 1e-7


def opencv() -> Any:
    """The module cv2. Raises MissingExtraError where it is not installed."""
    try:
        import cv2
    except ImportError as error:
        raise MissingExtraError("Comparing pictures by their local features", "dedupe") from error
    return cv2


@dataclass(frozen=True, slots=True)
class View:
    """A picture as it is compared: RGB, upright, the longer side `SIDE` pixels. `width`, `height`: of the original."""

    pixels: NDArray[np.uint8]
    width: int
    height: int

    @property
    def scale(self) -> tuple[float, float]:
        """Pixels of the view for each pixel of the original, across and down."""
        return self.pixels.shape[1] / self.width, self.pixels.shape[0] / self.height


@dataclass(frozen=True, slots=True)
class Features:
    """Points (n, 2) as x and y in pixels of the view, and their descriptors (n, 128)."""

    points: NDArray[np.float32]
    descriptors: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.points)

    @property
    def unit(self) -> NDArray[np.float32]:
        """The descriptors as unit rows."""
        rows = self.descriptors.astype(np.float32)
        lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))
        unit: NDArray[np.float32] = rows / np.maximum(lengths, 1)[:, None]
        return unit


def view(content: bytes) -> View:
    """The picture in the bytes of a file. Raises MediaError with a short reason for whatever cannot be read."""
    picture = whole(content, SIDE)
    return view_of(picture.pixels, picture.width, picture.height)


def view_of(
    pixels: NDArray[np.uint8], width: int | None = None, height: int | None = None, *, side: int = SIDE
) -> View:
    """The view of RGB pixels (h, w, 3) of a picture that is `width` x `height` in its file."""
    cv2 = opencv()
    down, across = pixels.shape[:2]
    factor = side / max(down, across)
    size = (max(1, round(across * factor)), max(1, round(down * factor)))
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    small: NDArray[np.uint8] = cv2.resize(pixels, size, interpolation=how)
    return View(small, width or across, height or down)


def features(picture: View, count: int = FEATURES, contrast: float = 0.02) -> Features:
    """SIFT (Lowe 2004) of the gray view, root-normalized (RootSIFT, Arandjelović and Zisserman 2012).

    At most `count`, the strongest by contrast, are taken, in a fixed order, so that equal views have equal features.
    """
    cv2 = opencv()
    gray = cv2.cvtColor(picture.pixels, cv2.COLOR_RGB2GRAY)
    keys, found = cv2.SIFT_create(nfeatures=count, contrastThreshold=contrast).detectAndCompute(gray, None)
    if found is None:
        return Features(np.empty((0, 2), np.float32), np.empty((0, 128), np.uint8))
    rooted = np.sqrt(found / (found.sum(axis=1, keepdims=True) + _EPSILON))
    points = np.array([key.pt for key in keys], dtype=np.float32)
    # nfeatures is exceeded where responses are equal.
    return Features(points[:count], np.minimum(np.rint(rooted * _SCALE), 255).astype(np.uint8)[:count])


def mirrored(found: Features, width: int) -> Features:
    """The features of the view of the mirror image, `width` pixels wide, without computing them anew.

    A reflection turns the rows of cells of a descriptor around and reverses the sense of its angles.
    """
    rows, angles = np.arange(_CELLS)[::-1], -np.arange(_ANGLES) % _ANGLES
    cells = found.descriptors.reshape(-1, _CELLS, _CELLS, _ANGLES)[:, rows][..., angles]
    points = found.points.copy()
    points[:, 0] = width - 1 - points[:, 0]
    return Features(points, np.ascontiguousarray(cells.reshape(-1, 128)))
