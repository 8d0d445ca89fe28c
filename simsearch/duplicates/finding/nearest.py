"""The nearest rows of each row: exact, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from simsearch.duplicates.finding.pairs import Pairs
from simsearch.errors import UsageError
from simsearch.media.ahead import ahead, usable_cpus

if TYPE_CHECKING:
    from simsearch.types import Ids, Scores, Vectors

STRIP, TILE = 512, 8192
"""Rows on the left and on the right of one tile of scores: 16 MB a thread."""


def nearest_pairs(
    vectors: Vectors, most: int, bounds: tuple[float, float], rows: range, among: range
) -> Iterator[Pairs]:
    """For each of the rows its `most` nearest of `among` whose cosine is at least the first bound and below the second.

    Pairs have i < j. No row is its own neighbor; of equal cosines any may be left out. A pair comes twice if each is
    among the nearest of the other. Raises UsageError for less than one.
    """
    if most < 1:
        raise UsageError(f"most {most}: at least 1")

    def strip(start: int) -> Pairs:
        numbers = np.arange(start, min(start + STRIP, rows.stop))
        scores, places = _nearest(vectors, numbers, among, most, bounds[1])
        kept = scores >= np.float32(bounds[0])
        lefts, rights = np.repeat(numbers, kept.sum(axis=1)), places[kept]
        return Pairs(np.minimum(lefts, rights), np.maximum(lefts, rights), scores[kept])

    yield from ahead(strip, range(rows.start, rows.stop, STRIP), depth=4 * usable_cpus())


def _nearest(vectors: Vectors, numbers: Ids, others: range, most: int, below: float) -> tuple[Scores, Ids]:
    """The best scores of each row and their places, in no order; -2 where there are fewer."""
    best = np.full((len(numbers), most), -2.0, dtype=np.float32)
    places = np.zeros((len(numbers), most), dtype=np.int64)
    for column in range(others.start, others.stop, TILE):
        tile = vectors[column : min(column + TILE, others.stop)]
        scores = vectors[numbers] @ tile.T
        inside = np.flatnonzero((numbers >= column) & (numbers < column + len(tile)))
        scores[inside, numbers[inside] - column] = -2.0
        scores[scores >= np.float32(below)] = -2.0
        count = min(most, len(tile))
        top = np.argpartition(scores, len(tile) - count, axis=1)[:, -count:]
        both = np.concatenate([best, np.take_along_axis(scores, top, axis=1)], axis=1)
        where = np.concatenate([places, top + column], axis=1)
        kept = np.argpartition(both, both.shape[1] - most, axis=1)[:, -most:]
        best, places = np.take_along_axis(both, kept, axis=1), np.take_along_axis(where, kept, axis=1)
    return best, places
