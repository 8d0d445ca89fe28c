"""Comparison of embeddings computed in two ways."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simsearch.errors import EncoderError

if TYPE_CHECKING:
    from simsearch.types import Vectors

PARITY = 1e-4
"""The largest accepted absolute difference between the embeddings by torch and by ONNX Runtime."""
PARITY_IN_HALF = 2e-3
"""The same for a file that computes in 16 bits, since runtimes differ in which results they round."""
LOWEST_COSINE = 0.99
"""The lowest accepted cosine of an embedding with weights in 8 bits to that with weights in 32 bits."""


def agreed(expected: Vectors, found: Vectors, who: str, done: str = "converted", most: float = PARITY) -> float:
    """The largest absolute difference of the embeddings. Raises EncoderError above `most`, or if one is not finite."""
    difference = float(np.abs(expected - found).max())
    if not difference <= most:
        raise EncoderError(f"{who} differ by {difference:.3g}, more than {most:g}: not {done}")
    return difference


def lowest_cosine(first: Vectors, second: Vectors) -> float:
    """The lowest cosine of corresponding rows, all of unit length."""
    return float(np.einsum("ij,ij->i", first.astype(np.float64), second.astype(np.float64)).min())


def check_cosine(cosine: float, bits: int) -> float:
    """The cosine, rounded. Raises EncoderError when it is too low."""
    if not cosine >= LOWEST_COSINE:
        raise EncoderError(
            f"in {bits} bits an embedding has the cosine {cosine:.4f} to the one in 32, below {LOWEST_COSINE}: not "
            f"converted; use --bits {16 if bits == 8 else 32}"
        )
    return round(cosine, 6)
