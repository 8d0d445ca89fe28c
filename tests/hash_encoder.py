"""An encoder of texts for tests: every text has a random direction of its own, and what it was asked for is counted."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simsearch.errors import MediaError, VectorError

if TYPE_CHECKING:
    from simsearch.types import Source, Vectors

DIM = 16
REFUSED, WITHOUT_VECTOR = "refused", "without a vector"


@dataclass(frozen=True)
class Cut:
    """A prepared text."""

    text: str
    remark: str = ""
    incomplete: bool = False
    width: None = None
    height: None = None


def direction(text: str, dim: int = DIM) -> Vectors:
    """The vector that the encoder gives a text."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
    row = np.random.default_rng(seed).normal(size=dim)
    return (row / np.linalg.norm(row)).astype(np.float32)


class HashEncoder:
    """Refuses the text "refused", and gives the text "without a vector" none."""

    name = "hash"
    fingerprint = "00112233aabbccdd"
    modality = "text"
    dim = DIM

    def __init__(self) -> None:
        self.embedded: list[str] = []
        self.prepared = 0

    def prepare(self, source: Source) -> Cut:
        self.prepared += 1
        text = source.decode() if isinstance(source, bytes) else source
        assert isinstance(text, str)
        if text == REFUSED:
            raise MediaError("refused by the encoder")
        return Cut(text)

    def embed(self, prepared: Sequence[Cut]) -> Vectors:
        self.embedded += [each.text for each in prepared]
        if any(each.text == WITHOUT_VECTOR for each in prepared):
            raise VectorError("a vector of length 0")
        return np.array([direction(each.text) for each in prepared], dtype=np.float32).reshape(-1, DIM)

    def encode(self, sources: Sequence[Source]) -> Vectors:
        return self.embed([self.prepare(source) for source in sources])

    def taken(self) -> list[str]:
        """The texts that were embedded since the last time, sorted."""
        texts, self.embedded = sorted(self.embedded), []
        return texts
