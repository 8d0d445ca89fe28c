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
    left: Vectors, right: Vectors, most: int, threshold: float, *, same: int | None = None, workers: int | None = None
) -> Iterator[Pairs]:
    """For each row on the left the `most` nearest on the right with at least this cosine, by rising strips of rows.

    Where the left are rows of the right from `same` on, none is its own neighbor. Of equal cosines any may be left out.
    """
    if most < 1:
        raise UsageError(f"most {most}: at least 1")

    def strip(start: int) -> Pairs:
        rows = left[start : start + STRIP]
        own = None if same is None else start + same
        scores, places = _nearest(rows, right, most, own)
        kept = scores >= np.float32(threshold)
        lefts = np.repeat(np.arange(start, start + len(rows)), kept.sum(axis=1))
        return Pairs(lefts, places[kept], scores[kept])

    yield from ahead(strip, range(0, len(left), STRIP), workers=workers, depth=4 * (workers or usable_cpus()))


def _nearest(rows: Vectors, others: Vectors, most: int, own: int | None) -> tuple[Scores, Ids]:
    """The best scores of each row and their places, in no order; -2 where there are fewer."""
    best = np.full((len(rows), most), -2.0, dtype=np.float32)
    places = np.zeros((len(rows), most), dtype=np.int64)
    for column in range(0, len(others), TILE):
        scores = rows @ others[column : column + TILE].T
        if own is not None:
            _hide_own(scores, own - column)
        count = min(most, scores.shape[1])
        top = np.argpartition(scores, scores.shape[1] - count, axis=1)[:, -count:]
        both = np.concatenate([best, np.take_along_axis(scores, top, axis=1)], axis=1)
        where = np.concatenate([places, top + column], axis=1)
        kept = np.argpartition(both, both.shape[1] - most, axis=1)[:, -most:]
        best, places = np.take_along_axis(both, kept, axis=1), np.take_along_axis(where, kept, axis=1)
    return np.minimum(best, np.float32(1.0)), places


def _hide_own(scores: Scores, first: int) -> None:
    """Sets the scores of rows with themselves, from column `first` on, to -2."""
    columns = np.arange(len(scores)) + first
    inside = (columns >= 0) & (columns < scores.shape[1])
    scores[np.flatnonzero(inside), columns[inside]] = -2.0
