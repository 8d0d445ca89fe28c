"""Inverted lists made from rows: trained on a sample of them, filled a block at a time, extended without training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import faiss
import numpy as np

from simsearch.vectors.choose import SAMPLE
from simsearch.vectors.inverted import list_ids

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.types import Ids, Vectors
    from simsearch.vectors.choose import Design
    from simsearch.vectors.faiss_index import FaissFlatIndex

_FAISS: Any = faiss
ITERATIONS = 10
ROWS_AT_ONCE = 1 << 16


def train(rows: FaissFlatIndex, design: Design, seed: int) -> Any:
    """Inverted lists of all rows, with centroids from a sample of them."""
    bits = {"sq8": _FAISS.ScalarQuantizer.QT_8bit, "sq4": _FAISS.ScalarQuantizer.QT_4bit}[design.code]
    lists = _empty(_FAISS.IndexFlatIP(rows.dim), design.lists, bits)
    lists.cp.niter, lists.cp.seed = ITERATIONS, seed
    # FAISS prints a warning where a cluster has fewer than 39 rows of the sample.
    lists.cp.min_points_per_centroid = 1
    lists.train(rows.rows[sample_of(len(rows), SAMPLE * design.lists, seed)])
    extend(lists, rows.rows, 0)
    return lists


def _empty(centroids: Any, count: int, bits: int) -> Any:
    return _FAISS.IndexIVFScalarQuantizer(centroids, centroids.d, count, bits, faiss.METRIC_INNER_PRODUCT)


def extend(lists: Any, rows: Vectors, first: int) -> None:
    """Adds the rows from the `first` on; their positions are their ids."""
    for start in range(first, len(rows), ROWS_AT_ONCE):
        lists.add(np.ascontiguousarray(rows[start : start + ROWS_AT_ONCE]))


def carried_over(old: Any, places: NDArray[np.int64], rows: FaissFlatIndex) -> Any:
    """The lists of an older index with the codes of rows that are left, and with those of newer rows.

    `places` has for each old position its new one, or -1. The centroids stay: nothing is trained.
    """
    # Not a clone of the older index: its memory is that of a mapped file, in which nothing can be changed.
    centroids = _FAISS.IndexFlatIP(rows.dim)
    centroids.add(old.quantizer.reconstruct_n(0, old.nlist))
    lists = _empty(centroids, old.nlist, old.sq.qtype)
    lists.sq, lists.by_residual, lists.is_trained = old.sq, old.by_residual, True
    kept = 0
    for number in range(old.nlist):
        ids = list_ids(old, number)
        if not len(ids):
            continue
        moved = places[ids]
        stays = np.flatnonzero(moved >= 0)
        codes = _FAISS.rev_swig_ptr(old.invlists.get_codes(number), len(ids) * old.code_size)
        rest = np.ascontiguousarray(codes.reshape(len(ids), old.code_size)[stays])
        names = np.ascontiguousarray(moved[stays])
        lists.invlists.add_entries(number, len(stays), _FAISS.swig_ptr(names), _FAISS.swig_ptr(rest))
        kept += len(stays)
    lists.ntotal = kept
    extend(lists, rows.rows, kept)
    return lists


def sample_of(count: int, most: int, seed: int) -> NDArray[np.int64]:
    """At most so many positions of `count`, drawn without repetition, ascending."""
    if most >= count:
        return np.arange(count, dtype=np.int64)
    return np.sort(np.random.default_rng(seed).choice(count, most, replace=False))


def places_after(ids: Ids, removed: Ids) -> NDArray[np.int64]:
    """For each position its new one when the removed ids are left out; -1 of those."""
    stays = ~np.isin(ids, removed)
    places: NDArray[np.int64] = np.where(stays, np.cumsum(stays) - 1, -1).astype(np.int64)
    return places
