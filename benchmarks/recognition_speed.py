"""Recognition against 10,000 enrolled identities, and enrolling one more, beside what neither can avoid.

    python benchmarks/recognition_speed.py [--identities 10000] [--dim 128]

Recognition of an own vector, encoding aside, beside the product of the same vectors; enrolling of one text with an
encoder that costs nothing, beside one durable SQLite insert of a row with as many bytes.
"""

from __future__ import annotations

import numpy as np

REPETITIONS = 15
IMPOSTORS = 300
FAR = 0.05


class Trivial:
    """An encoder of texts whose vectors cost nothing."""

    modality = "text"
    name = "trivial"
    fingerprint = "trivial"

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def prepare(self, source: object) -> object:
        return source

    def embed(self, prepared: list[object]) -> np.ndarray:
        return np.stack([unit(np.random.default_rng(abs(hash(one)) % 2**32), 1, self.dim)[0] for one in prepared])

    def encode(self, sources: list[object]) -> np.ndarray:
        return self.embed(sources)


def unit(rng: np.random.Generator, count: int, dim: int) -> np.ndarray:
    rows = rng.standard_normal((count, dim), dtype=np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
