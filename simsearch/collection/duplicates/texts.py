"""Comparing texts: equal when normalized, or near by embedding with the same words, numbers and names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from simsearch.duplicates.finding import texts
from simsearch.duplicates.finding.join import pairs_between, pairs_within
from simsearch.duplicates.finding.kinds import Preset
from simsearch.duplicates.finding.pairs import Pairs
from simsearch.store import Compared, Look

if TYPE_CHECKING:
    from simsearch.collection.duplicates.contents import Contents
    from simsearch.types import Skip

PRESETS = {
    "strict": Preset(0.95, 0.95 * texts.NORMALIZED),
    "default": Preset(texts.COSINE, texts.COSINE * texts.NORMALIZED),
    "loose": Preset(0.8, 0.8 * texts.NORMALIZED),
}
"""The least cosine, and the score that a near duplicate has at it."""


def cosine_of(score: float) -> float:
    """The least cosine at which near texts can have a score; none below the preset `loose` is compared."""
    return max(PRESETS["loose"].cosine, score / texts.NORMALIZED)


def strips(contents: Contents, first: int, cosine: float) -> Iterator[Pairs]:
    """All pairs at least this close, with a text from `first` on, or with a reference of one of each."""
    vectors, own = contents.vectors, contents.own
    if not contents.reference:
        yield from pairs_within(vectors, cosine, first=first)
        return
    for strip in pairs_between(vectors[:own], vectors[own:], cosine):
        yield Pairs(strip.left, strip.right + own, strip.scores)


def narrow(pairs: Pairs, reference: bool) -> Pairs:
    """All of them: comparing texts costs little."""
    del reference
    return pairs


def more(contents: Contents, first: int) -> Iterator[Pairs]:
    """No others."""
    del contents, first
    yield from ()


class TextExaminer:
    """Compares texts as they are stored."""

    def __init__(self, contents: Contents) -> None:
        self._contents = contents
        self._weights = texts.weights(row.text or "" for row in contents.rows)

    @property
    def skipped(self) -> tuple[Skip, ...]:
        return ()

    def __call__(self, pairs: Sequence[tuple[int, int, float]]) -> tuple[list[Compared], dict[bytes, Look]]:
        return [self._compared(*pair) for pair in pairs], {}

    def _compared(self, left: int, right: int, cosine: float) -> Compared:
        if self._contents.rows[left].sha256 > self._contents.rows[right].sha256:
            left, right = right, left
        one, other = self._contents.rows[left], self._contents.rows[right]
        found = texts.compare(one.text or "", other.text or "", cosine, self._weights, PRESETS["loose"].cosine)
        return Compared(one.sha256, other.sha256, cosine, found.score, found.kind or "")


def equal_when_normalized(contents: Contents) -> list[tuple[int, int, float]]:
    """Pairs of different texts that are equal but for case, accents, punctuation and spaces, with their cosines.

    Of several such texts each is paired with the first; with a reference, each of the collection with the first of it.
    """
    alike: dict[tuple[str, tuple[tuple[str, int], ...]], list[int]] = defaultdict(list)
    for number in sorted(contents.items):
        text = contents.rows[number].text or ""
        alike[texts.normalized(text), tuple(sorted(texts.numbers(text).items()))].append(number)
    found = []
    for numbers in alike.values():
        if not contents.reference:
            found += [(numbers[0], other) for other in numbers[1:]]
        elif numbers[-1] in contents.reference:
            center = next(number for number in numbers if number in contents.reference)
            found += [(number, center) for number in numbers if number < contents.own]
    rows, vectors = contents.rows, contents.vectors
    return [(a, b, float(np.dot(vectors[a], vectors[b]))) for a, b in found if rows[a].sha256 != rows[b].sha256]
