"""Inverted lists of quantized vectors find candidates, which are then scored by their own rows."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import faiss
import numpy as np

from simsearch.errors import DamagedError
from simsearch.vectors.arrays import best_first, checked_queries, places_of
from simsearch.vectors.audit import K

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.types import Ids, Scores, Vectors
    from simsearch.vectors.faiss_index import FaissFlatIndex

# The type stubs of FAISS lack these classes and functions.
_FAISS: Any = faiss
# Recall is tuned for so many answers: ten neighbors, and the query itself if it is stored. For more of them more codes
# are read, and so many for each at least.
TUNED_K = K + 1
CODES_EACH = 8
# Candidates that are scored in float64, beyond k.
MARGIN = 2
# What is wanted was computed from whole lists, and must not become one list more.
ROUNDING = 1e-6
# Scoring a row that is gathered costs as much as so many codes of a list.
GATHERING = 4
# Queries searched at once: their candidates take some MiB.
QUERIES_AT_ONCE = 1024


class InvertedIndex:
    """Reads the `probes` lists nearest to a query, and scores `factor` x k candidates exactly.

    The positions of the rows are the ids of the lists. A query whose answers score below `near`, the least that queries
    like the stored ones get, is far from all lists, and its neighbors are in many of them: it reads twice as many, and
    again, until its answer stays the same. Always answers with k rows where there are so many: what the
    lists do not give comes from comparing with every row, as do range searches and searches among few ids.
    """

    def __init__(self, rows: FaissFlatIndex, lists: Any, probes: int, factor: int, near: float = -1.0) -> None:
        self.exact = rows
        self.lists = lists
        self.probes = probes
        self.factor = factor
        self.near = near

    def __len__(self) -> int:
        return len(self.exact)

    @property
    def dim(self) -> int:
        return self.exact.dim

    @property
    def ids(self) -> Ids:
        return self.exact.ids

    @cached_property
    def list_of(self) -> NDArray[np.int32]:
        """The list of each position. Reads the ids of all lists once."""
        found = np.zeros(len(self), dtype=np.int32)
        for number in range(self.lists.nlist):
            found[_list_ids(self.lists, number)] = number
        return found

    def search(self, queries: Vectors, k: int, among: Ids | None = None) -> tuple[Ids, Scores]:
        queries = checked_queries(queries, self.dim, k)
        read = self._reading(k) if among is None else self._reading_among(among, k)
        k = min(k, len(self) if read is None else read.rows)
        ids, scores = np.full((len(queries), k), -1, dtype=np.int64), np.full((len(queries), k), -2, dtype=np.float32)
        left = np.arange(len(queries))
        while read is not None and len(left):
            found, values = self._approximate(queries[left], k, read)
            same = (found == ids[left]).all(axis=1) | (values[:, min(k, K) - 1] >= self.near)
            ids[left], scores[left] = found, values
            left = left[~same | (found[:, -1] < 0)]
            read = read.twice()
        if len(left) or not len(queries):
            return self._completed(queries, k, among, left, ids, scores)
        return ids, scores

    def _completed(
        self, queries: Vectors, k: int, among: Ids | None, left: NDArray[np.intp], ids: Ids, scores: Scores
    ) -> tuple[Ids, Scores]:
        """The answers, those that are `left` by comparing with every row."""
        if len(left) == len(queries):
            return self.exact.search(queries, max(k, 1), among)
        ids[left], scores[left] = self.exact.search(queries[left], k, among)
        return ids, scores

    def _wanted_rows(self, k: int) -> float:
        """How many codes a query is compared with: by tuning, and for more than ten neighbors more of them."""
        tuned = self.probes * len(self) / int(self.lists.nlist)
        return max(tuned * math.sqrt(max(1.0, k / TUNED_K)), CODES_EACH * k)

    def _reading(self, k: int) -> _Reading | None:
        """How the lists are read; None if comparing with every row costs less."""
        nlist = int(self.lists.nlist)
        return _reading(self._wanted_rows(k), nlist, len(self), None, None)

    def _reading_among(self, among: Ids, k: int) -> _Reading | None:
        """The same among the rows of these ids, of lists that hold any; None if comparing with these costs less."""
        places = places_of(among, self.ids)
        wanted = self._wanted_rows(k)
        if wanted * len(self) >= GATHERING * len(places) ** 2:
            return None
        held = np.bincount(self.list_of[places], minlength=self.lists.nlist) > 0
        chosen = np.zeros(len(self), dtype=np.bool_)
        chosen[places] = True
        quantizer = _FAISS.SearchParameters(sel=_bitmap(held))
        return _reading(wanted, int(np.count_nonzero(held)), len(places), _bitmap(chosen), quantizer)

    def _approximate(self, queries: Vectors, k: int, read: _Reading) -> tuple[Ids, Scores]:
        """The best of the candidates, shape (q, k); the last id is -1 where there are fewer."""
        parts = [
            self._part(queries[start : start + QUERIES_AT_ONCE], k, read)
            for start in range(0, len(queries), QUERIES_AT_ONCE)
        ]
        if len(parts) == 1:
            return parts[0]
        ids, scores = zip(*parts, strict=True)
        return np.concatenate(ids), np.concatenate(scores)

    def _part(self, queries: Vectors, k: int, read: _Reading) -> tuple[Ids, Scores]:
        count = min(read.rows, max(self.factor * k, k + MARGIN))
        _, places = self.lists.search(queries, count, params=read.parameters())
        rough = np.full(places.shape, -np.inf, dtype=np.float32)
        rows = self.exact.rows
        _FAISS.fvec_inner_products_by_idx(
            _FAISS.swig_ptr(rough),
            _FAISS.swig_ptr(queries),
            _FAISS.swig_ptr(rows),
            _FAISS.swig_ptr(places),
            self.dim,
            len(queries),
            count,
        )
        kept = min(count, k + MARGIN)
        if kept < count:
            nearest = np.argpartition(-rough, kept - 1, axis=1)[:, :kept]
            places = np.take_along_axis(places, nearest, axis=1)
        scores = np.where(places < 0, np.float32(-2.0), self.exact.precise(queries, np.maximum(places, 0)))
        ids = np.where(places < 0, -1, self.ids[places])
        order = best_first(scores, ids)[:, :k]
        return np.take_along_axis(ids, order, axis=1), np.take_along_axis(scores, order, axis=1)

    def range_search(self, queries: Vectors, min_score: float, among: Ids | None = None) -> list[tuple[Ids, Scores]]:
        return self.exact.range_search(queries, min_score, among)


@dataclass(frozen=True, slots=True)
class _Reading:
    """How many of the lists are read that hold any of `rows` rows, and by what both are chosen."""

    probes: int
    lists: int
    rows: int
    selector: Any
    quantizer: Any

    def parameters(self) -> Any:
        return _FAISS.SearchParametersIVF(nprobe=self.probes, sel=self.selector, quantizer_params=self.quantizer)

    def twice(self) -> _Reading | None:
        """Reading twice as many; None where comparing with every row costs less than that."""
        return None if self.probes * 4 > self.lists else replace(self, probes=self.probes * 2)


def _reading(wanted: float, lists: int, rows: int, selector: Any, quantizer: Any) -> _Reading | None:
    """Reads as many lists as hold `wanted` rows on average."""
    probes = max(1, math.ceil(wanted * lists / rows - ROUNDING)) if rows else lists
    return None if probes * 2 > lists else _Reading(probes, lists, rows, selector, quantizer)


def _bitmap(chosen: NDArray[np.bool_]) -> Any:
    return _FAISS.IDSelectorBitmap(np.packbits(chosen, bitorder="little"))


def _list_ids(lists: Any, number: int) -> NDArray[np.int64]:
    """The positions in one list; a view of its memory."""
    size = lists.invlists.list_size(number)
    if not size:
        return np.empty(0, dtype=np.int64)
    view: NDArray[np.int64] = _FAISS.rev_swig_ptr(lists.invlists.get_ids(number), size)
    return view


def write_lists(path: Path, lists: Any) -> None:
    """Writes the lists as FAISS does; through Python, because FAISS cannot open every name on every system."""
    with path.open("wb") as stream:
        _FAISS.write_index(lists, _FAISS.PyCallbackIOWriter(stream.write))


def open_lists(path: Path, rows: FaissFlatIndex) -> Any:
    """The lists in a file, mapped; read where FAISS cannot open the name. Raises DamagedError if not of these rows.

    Size and checksum must have been compared with the manifest before: FAISS may crash on a hostile file.
    """
    try:
        lists = _mapped(path)
    except RuntimeError as error:
        raise DamagedError(f"{path}: not an index of vectors ({str(error).splitlines()[0]})") from error
    if not isinstance(lists, (_FAISS.IndexIVFPQFastScan, _FAISS.IndexIVFScalarQuantizer)):
        raise DamagedError(f"{path}: holds a {type(lists).__name__} instead of inverted lists of codes")
    if lists.metric_type != faiss.METRIC_L2:
        raise DamagedError(f"{path}: its lists are not by distance")
    if (lists.ntotal, lists.d) != (len(rows), rows.dim):
        raise DamagedError(f"{path}: {lists.ntotal} codes of {lists.d} numbers for {len(rows)} vectors of {rows.dim}")
    return lists


def _mapped(path: Path) -> Any:
    try:
        return _FAISS.read_index(str(path), _FAISS.IO_FLAG_MMAP_IFC)
    except (RuntimeError, TypeError):
        return read_lists(path)


def read_lists(path: Path) -> Any:
    """The lists in a file, read into memory, where they can be changed."""
    with path.open("rb") as stream:
        return _FAISS.read_index(_FAISS.PyCallbackIOReader(stream.read))
