"""Inverted lists made from rows: trained on a sample of them, filled a block at a time, extended without training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import faiss
import numpy as np

from simsearch.vectors.choose import SAMPLE
from simsearch.vectors.inverted import read_lists

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from simsearch.vectors.choose import Design
    from simsearch.vectors.faiss_index import FaissFlatIndex

_FAISS: Any = faiss
ITERATIONS = 10
ROWS_AT_ONCE = 1 << 16


def train(rows: FaissFlatIndex, design: Design, seed: int) -> Any:
    """Inverted lists of all rows, with centroids from a sample of them.

    Distances between unit vectors rank as inner products do. Of codes that are not of residuals, those for distances
    lose less: their tables hold the errors of the quantizer alone.
    """
    centroids, dim = _FAISS.IndexFlatL2(rows.dim), rows.dim
    if design.code == "pq4":
        lists = _FAISS.IndexIVFPQFastScan(centroids, dim, design.lists, dim // 2, 4, faiss.METRIC_L2)
    else:
        lists = _FAISS.IndexIVFScalarQuantizer(centroids, dim, design.lists, _FAISS.ScalarQuantizer.QT_8bit)
    lists.cp.niter, lists.cp.seed = ITERATIONS, seed
    # FAISS prints a warning where a cluster has fewer than 39 rows of the sample.
    lists.cp.min_points_per_centroid = 1
    lists.train(rows.rows[sample_of(len(rows), SAMPLE * design.lists, seed)])
    _fill(lists, rows)
    return lists


def _fill(lists: Any, rows: FaissFlatIndex) -> None:
    """Adds all rows; their positions are their ids."""
    for start in range(0, len(rows), ROWS_AT_ONCE):
        lists.add(np.ascontiguousarray(rows.rows[start : start + ROWS_AT_ONCE]))


def refilled(path: Path, rows: FaissFlatIndex) -> Any:
    """The lists in a file with the same centroids, and the codes of other rows: nothing is trained."""
    lists = read_lists(path)
    lists.reset()
    _fill(lists, rows)
    return lists


def sample_of(count: int, most: int, seed: int) -> NDArray[np.int64]:
    """At most so many positions of `count`, drawn without repetition, ascending."""
    if most >= count:
        return np.arange(count, dtype=np.int64)
    return np.sort(np.random.default_rng(seed).choice(count, most, replace=False))
