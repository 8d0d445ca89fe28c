"""Pictures on a page: thumbnails that are part of it, and the outline of a copy on the picture that is kept."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simsearch.media.files import read_file
from simsearch.media.images import small_jpeg, whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.duplicates.removal.plan import Transformation

SIDE, QUALITY = 300, 80
"""Pixels of the longer side of a thumbnail, and the quality of its JPEG: about 15 kB."""
BEYOND = 1.0
"""How far an outline may reach beyond the picture, in sides of it; what is further out is cut off."""
_DOT = 0.03


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A small picture as a data URI with its size in pixels, and the size of the original."""

    uri: str
    across: int
    down: int
    width: int
    height: int

    @classmethod
    def of(cls, path: str) -> Thumbnail:
        """The thumbnail of the picture in a file. Raises MediaError where it cannot be read."""
        picture = whole(read_file(path), SIDE)
        content, size = small_jpeg(picture.pixels, SIDE, QUALITY)
        uri = f"data:image/jpeg;base64,{b64encode(content).decode()}"
        return cls(uri, *size, picture.width, picture.height)


def outline(kept: Thumbnail, copy: Thumbnail, matrix: Transformation) -> NDArray[np.float64] | None:
    """Where the corners of the copy lie on the thumbnail of the kept picture: (4, 2), the upper left corner first.

    `matrix` takes pixels of the kept original to those of the copy. None where that cannot be turned around.
    """
    full = np.array([*matrix, (0.0, 0.0, 1.0)][:3])
    if not np.isfinite(full).all() or abs(np.linalg.det(full)) < 1e-12:
        return None
    right, bottom = copy.width - 0.5, copy.height - 0.5
    # Centers of pixels are at whole numbers, so a picture begins at -0.5.
    corners = np.array([[-0.5, -0.5, 1], [right, -0.5, 1], [right, bottom, 1], [-0.5, bottom, 1]])
    there = corners @ np.linalg.inv(full).T
    if (np.abs(there[:, 2]) < 1e-9).any():
        return None
    places = there[:, :2] / there[:, 2:]
    scaled: NDArray[np.float64] = (places + 0.5) * (kept.across / kept.width, kept.down / kept.height)
    return scaled


def drawn(kept: Thumbnail, name: str, corners: NDArray[np.float64]) -> str:
    """The kept picture, which the page defines under this name, with the outline of a copy over it."""
    size = np.array([kept.across, kept.down])
    low = np.maximum(np.minimum(corners.min(axis=0), 0), -BEYOND * size)
    high = np.minimum(np.maximum(corners.max(axis=0), size), (1 + BEYOND) * size)
    dot = float((high - low).max()) * _DOT
    left, top, across, down = (f"{value:.1f}" for value in (*(low - dot), *(high - low + 2 * dot)))
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
    x, y = corners[0]
    return (
        f'<svg viewBox="{left} {top} {across} {down}" role="img" '
        f'aria-label="The kept picture with the outline of the copy"><use href="#{name}"/>'
        f'<polygon class="outline" points="{points}"/>'
        f'<circle class="corner" cx="{x:.1f}" cy="{y:.1f}" r="{dot:.1f}"/></svg>'
    )


def defined(kept: Thumbnail, name: str) -> str:
    """The kept picture under a name, once for all drawings of it."""
    return (
        f'<svg class="defs" aria-hidden="true"><defs><image id="{name}" href="{kept.uri}" '
        f'width="{kept.across}" height="{kept.down}"/></defs></svg>'
    )
