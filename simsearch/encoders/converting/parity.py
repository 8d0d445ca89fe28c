"""By how much two ways to the same embeddings may differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simsearch.errors import EncoderError

if TYPE_CHECKING:
    from simsearch.types import Vectors

PARITY = 1e-4
"""The largest difference between torch's and ONNX Runtime's embeddings that is accepted, in any of their numbers."""
PARITY_IN_HALF = 2e-3
"""The same where a file computes in 16 bits itself, of which a runtime leaves out some roundings and not others."""
LOWEST_COSINE = 0.99
"""What weights in 8 bits must keep: the cosine of each embedding to the one that the same weights give in 32."""


def agreed(expected: Vectors, found: Vectors, who: str, done: str = "converted", most: float = PARITY) -> float:
    """The largest difference of a number of the embeddings. Raises EncoderError above `most`, or where one is not
    finite."""
    difference = float(np.abs(expected - found).max())
    if not difference <= most:
        raise EncoderError(f"{who} differ by {difference:.3g}, more than {most:g}: not {done}")
    return difference


def lowest_cosine(first: Vectors, second: Vectors) -> float:
    """The lowest cosine of a row of the one and the same row of the other, both of unit length."""
    return float(np.einsum("ij,ij->i", first.astype(np.float64), second.astype(np.float64)).min())


def check_cosine(cosine: float, bits: int) -> float:
    """The cosine, rounded. Raises EncoderError when weights in so few bits give other embeddings."""
    if not cosine >= LOWEST_COSINE:
        raise EncoderError(
            f"in {bits} bits an embedding has the cosine {cosine:.4f} to the one in 32, below {LOWEST_COSINE}: not "
            f"converted; ask for --bits {16 if bits == 8 else 32}"
        )
    return round(cosine, 6)
