"""How many lists are read and how many candidates are scored: the least that reaches the recall that is wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from simsearch.vectors.audit import HeldOut, hits, interval
from simsearch.vectors.inverted import InvertedIndex

if TYPE_CHECKING:
    from simsearch.vectors.faiss_index import FaissFlatIndex

FACTORS = (2, 4, 8, 16, 32)
"""Candidates for each neighbor that is wanted."""
STEP = 2**0.5
FAR = 1
"""Per cent of the stored queries whose tenth neighbor scores below what counts as near."""


def tuned(rows: FaissFlatIndex, lists: Any, asked: HeldOut, recall: float) -> InvertedIndex | None:
    """The index with the fewest lists, then the fewest candidates, whose recall is at least `recall`.

    The lower bound of the 95 % interval counts, so that the promise holds for other queries too. None where even half
    of all lists do not reach it.
    """
    probes, near = 1.0, float(np.percentile(asked.scores[:, -1], FAR)) if asked.scores.size else -1.0
    while probes * 2 <= lists.nlist:
        widest = InvertedIndex(rows, lists, round(probes), FACTORS[-1], near)
        if _reaches(widest, asked, recall):
            return _fewest_candidates(widest, asked, recall)
        probes = max(probes * STEP, probes + 1)
    return None


def _fewest_candidates(widest: InvertedIndex, asked: HeldOut, recall: float) -> InvertedIndex:
    for factor in FACTORS[:-1]:
        narrower = InvertedIndex(widest.exact, widest.lists, widest.probes, factor, widest.near)
        if _reaches(narrower, asked, recall):
            return narrower
    return widest


def _reaches(index: InvertedIndex, asked: HeldOut, recall: float) -> bool:
    return interval(hits(index, asked))[1] >= recall
