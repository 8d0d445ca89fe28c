"""What no usual change of the colors explains in two aligned pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

GAINS = (0.4, 2.5)
"""Bounds on the gain of a channel: an item of another color on white needs more."""
_GRAY = np.array([0.299, 0.587, 0.114], dtype=np.float32)
_TINY = 1e-6


def recolored(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """The mean absolute difference, in gray levels, of colors (n, 3) of the same places after the best usual change.

    That is a gain within `GAINS` and an offset for each channel, of one or of the other, also after turning it gray.
    """
    if not len(one):
        return 0.0
    grays = [np.repeat(colors @ _GRAY[:, None], 3, axis=1) for colors in (one, other)]
    return min(_unfitted(*both) for both in ((one, other), (other, one), (grays[0], other), (grays[1], one)))


def _unfitted(source: NDArray[np.float32], target: NDArray[np.float32]) -> float:
    centered, wanted = source - source.mean(axis=0), target - target.mean(axis=0)
    gains = (centered * wanted).sum(axis=0) / np.maximum((centered * centered).sum(axis=0), _TINY)
    return float(np.abs(wanted - centered * np.clip(gains, *GAINS)).mean())
