"""TF-IDF vectors, the baseline for texts."""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from simsearch.errors import VectorError

if TYPE_CHECKING:
    from simsearch.types import Vectors

DIM = 2048
LETTERS = (2, 3, 4)
_WORD = re.compile(r"\w+")


def tfidf(texts: Sequence[str]) -> Vectors:
    """Unit TF-IDF vectors of shape (n, 2048) over words and character n-grams of 2 to 4 letters.

    Term frequency is 1 + log(count) (Manning et al. 2008, section 6.4), inverse document frequency
    log((1 + n) / (1 + documents with it)) + 1. Each term is hashed with a sign to one of 2048 dimensions (Weinberger et
    al. 2009), so that memory is bounded and dot products are those of the full vectors up to a small error. A text
    without a letter or digit has a constant vector.
    """
    if not len(texts):
        raise VectorError("there are no texts to compute TF-IDF of")
    shared = Counter(part for text in texts for part in set(_parts(text)))
    places = {part: _place(part, count, len(texts)) for part, count in shared.items()}
    vectors = np.zeros((len(texts), DIM), dtype=np.float32)
    for row, text in zip(vectors, texts, strict=True):
        for part, times in Counter(_parts(text)).items():
            place, weight = places[part]
            row[place] += weight * (1 + np.log(times))
    vectors[~vectors.any(axis=1)] = 1
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def _parts(text: str) -> Iterator[str]:
    for word in _WORD.findall(text.casefold()):
        yield word
        # Spaces mark the ends of the word, and distinguish its n-grams from words.
        padded = f" {word} "
        for length in LETTERS:
            for start in range(len(padded) - length + 1):
                yield f"+{padded[start : start + length]}"


def _place(part: str, count: int, texts: int) -> tuple[int, float]:
    # Python's own hash differs from process to process. An undecodable file name has lone surrogates.
    code = zlib.crc32(part.encode("utf-8", "surrogatepass"))
    weight = float(np.log((1 + texts) / (1 + count)) + 1)
    return code % DIM, weight if code >> 31 else -weight
