"""Inverted lists of quantized vectors find candidates, which are then scored by their own rows."""

from __future__ import annotations

import math
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import faiss
import numpy as np

from simsearch.errors import DamagedError
from simsearch.vectors.arrays import best_first, checked_queries, places_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.types import Ids, Scores, Vectors
    from simsearch.vectors.faiss_index import FaissFlatIndex

# The type stubs of FAISS lack these classes and functions.
_FAISS: Any = faiss
# Recall is tuned for this many neighbours; for more of them more lists are read.
TUNED_K = 10
# Candidates that are scored in float64, beyond k.
MARGIN = 6
# Scoring a row that is gathered costs as much as so many codes of a list.
GATHERING = 4
# Queries searched at once: their candidates take some MiB.
QUERIES_AT_ONCE = 1024


class InvertedIndex:
    """Reads the `probes` lists nearest to a query, and scores `factor` x k candidates exactly.

    The positions of the rows are the ids of the lists. Always answers with k rows where there are so many: what the
    lists do not give comes from comparing with every row, as do range searches and searches among few ids.
    """

    def __init__(self, rows: FaissFlatIndex, lists: Any, probes: int, factor: int) -> None:
        self.exact = rows
        self.lists = lists
        self.probes = probes
        self.factor = factor

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
            found[list_ids(self.lists, number)] = number
        return found

    def search(self, queries: Vectors, k: int, among: Ids | None = None) -> tuple[Ids, Scores]:
        queries = checked_queries(queries, self.dim, k)
        there = len(self)
        if among is None:
            params = self._params(self._wanted_rows(k), len(self) / self.lists.nlist)
        else:
            places = places_of(among, self.ids)
            there = len(places)
            params = self._params_among(places, k)
        k = min(k, there)
        if params is None or not k:
            return self.exact.search(queries, max(k, 1), among)
        parts = [
            self._approximate(queries[start : start + QUERIES_AT_ONCE], k, there, params)
            for start in range(0, len(queries), QUERIES_AT_ONCE)
        ] or [(np.empty((0, k), dtype=np.int64), np.empty((0, k), dtype=np.float32))]
        ids, scores = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        short = np.flatnonzero(ids[:, -1] < 0)
        if len(short):
            ids[short], scores[short] = self.exact.search(queries[short], k, among)
        return ids, scores

    def _wanted_rows(self, k: int) -> float:
        """How many codes a query is compared with: by tuning, and for more than ten neighbours more of them."""
        tuned = self.probes * len(self) / int(self.lists.nlist)
        return tuned * max(1.0, math.sqrt(k / TUNED_K))

    def _params(self, wanted: float, in_a_list: float, selector: Any = None, quantizer: Any = None) -> Any:
        """The parameters of a search that reads lists until `wanted` rows; None if comparing with all costs less."""
        probes = min(self.lists.nlist, math.ceil(wanted / in_a_list))
        if probes * 2 > self.lists.nlist:
            return None
        return _FAISS.SearchParametersIVF(nprobe=max(1, probes), sel=selector, quantizer_params=quantizer)

    def _params_among(self, places: NDArray[np.intp], k: int) -> Any:
        """The same among the rows at `places`, of lists that hold any; None if comparing with these costs less."""
        wanted = self._wanted_rows(k)
        if wanted * len(self) >= GATHERING * len(places) ** 2:
            return None
        held = np.bincount(self.list_of[places], minlength=self.lists.nlist)
        filled = int(np.count_nonzero(held))
        mean = len(places) / filled
        probes = math.ceil(wanted / mean)
        if probes * 2 > filled:
            return None
        quantizer = _FAISS.SearchParameters(sel=_bitmap(held > 0))
        chosen = np.zeros(len(self), dtype=np.bool_)
        chosen[places] = True
        return _FAISS.SearchParametersIVF(nprobe=probes, sel=_bitmap(chosen), quantizer_params=quantizer)

    def _approximate(self, queries: Vectors, k: int, there: int, params: Any) -> tuple[Ids, Scores]:
        """The best of the candidates, shape (q, k); the last id is -1 where there are fewer."""
        count = min(there, max(self.factor * k, k + MARGIN))
        _, places = self.lists.search(queries, count, params=params)
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


def _bitmap(chosen: NDArray[np.bool_]) -> Any:
    return _FAISS.IDSelectorBitmap(np.packbits(chosen, bitorder="little"))


def list_ids(lists: Any, number: int) -> NDArray[np.int64]:
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
    if not isinstance(lists, _FAISS.IndexIVFScalarQuantizer) or lists.metric_type != faiss.METRIC_INNER_PRODUCT:
        raise DamagedError(f"{path}: holds a {type(lists).__name__} instead of inverted lists with inner product")
    if (lists.ntotal, lists.d) != (len(rows), rows.dim):
        raise DamagedError(f"{path}: {lists.ntotal} codes of {lists.d} numbers for {len(rows)} vectors of {rows.dim}")
    return lists


def _mapped(path: Path) -> Any:
    try:
        return _FAISS.read_index(str(path), _FAISS.IO_FLAG_MMAP_IFC)
    except (RuntimeError, TypeError):
        with path.open("rb") as stream:
            return _FAISS.read_index(_FAISS.PyCallbackIOReader(stream.read))
