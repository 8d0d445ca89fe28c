"""FAISS, flat: compares with every row, as the exact index does, at the speed of compiled code."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import faiss
import numpy as np

from simsearch.errors import DamagedError
from simsearch.vectors.arrays import best_first, checked_queries, checked_rows, joined, places_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from simsearch.types import Ids, Scores, Vectors

# The type stubs of FAISS lack these two classes.
_CALLBACKS: Any = faiss
# FAISS sums in float32: two of its scores of unit vectors are together off by less than this.
ROUGH = 1e-5
# Fetched beyond k, to see whether the k-th score is tied with the next.
MARGIN = 16
# Rows gathered at once to be scored precisely: 32 MiB in float64.
NUMBERS_AT_ONCE = 1 << 22


class FaissFlatIndex:
    """A VectorIndex over IndexFlatIP.

    FAISS finds the candidates; their scores are then summed in float64, so that equal vectors have equal scores
    (within FAISS a score depends on the other queries of the same call) and ties are settled by id.
    """

    def __init__(self, dim: int) -> None:
        # Rows are found by position, so the map from ids to rows that IndexIDMap2 adds would be built for nothing.
        self._index: Any = faiss.IndexIDMap(faiss.IndexFlatIP(dim))

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def dim(self) -> int:
        return int(self._index.d)

    @property
    def ids(self) -> Ids:
        found: Ids = faiss.vector_to_array(self._index.id_map)
        return found

    def _rows(self) -> Vectors:
        """All rows, without a copy: valid until the next change."""
        flat: Any = faiss.downcast_index(self._index.index)
        rows: Vectors = faiss.rev_swig_ptr(flat.get_xb(), len(self) * self.dim).reshape(len(self), self.dim)
        return rows

    def add(self, ids: Ids, vectors: Vectors) -> None:
        """Adds rows. Raises VectorError for an id that is there already."""
        ids, vectors = checked_rows(ids, vectors, self.ids, self.dim)
        if len(ids):
            self._index.add_with_ids(vectors, ids)

    def remove(self, ids: Ids) -> int:
        if not len(ids) or not len(self):
            return 0
        return int(self._index.remove_ids(np.ascontiguousarray(ids, dtype=np.int64)))

    def search(self, queries: Vectors, k: int, among: Ids | None = None) -> tuple[Ids, Scores]:
        queries = checked_queries(queries, self.dim, k)
        if among is not None:
            return self._search_among(queries, k, among)
        k = min(k, len(self))
        scores = np.empty((len(queries), k), dtype=np.float32)
        found = np.empty((len(queries), k), dtype=np.int64)
        if k == 0 or not len(queries):
            return found, scores
        fetched = min(len(self), k + MARGIN)
        rough, positions = self._index.index.search(queries, fetched)
        if fetched < len(self):
            tied = np.flatnonzero(rough[:, -1] >= rough[:, k - 1] - ROUGH)
        else:
            tied = np.empty(0, dtype=np.int64)
        ids, step = self.ids, max(1, NUMBERS_AT_ONCE // (fetched * self.dim))
        for start in range(0, len(queries), step):
            part = slice(start, start + step)
            precise = self._precise(queries[part], positions[part])
            names = ids[positions[part]]
            order = best_first(precise, names)[:, :k]
            scores[part] = np.take_along_axis(precise, order, axis=1)
            found[part] = np.take_along_axis(names, order, axis=1)
        for number in tied.tolist():
            near = self._within(queries[number : number + 1], float(rough[number, k - 1]) - ROUGH)[0]
            found[number], scores[number] = near[0][:k], near[1][:k]
        return found, scores

    def _search_among(self, queries: Vectors, k: int, among: Ids) -> tuple[Ids, Scores]:
        """The best of the best of each part."""
        found: Ids = np.empty((len(queries), 0), dtype=np.int64)
        scores: Scores = np.empty((len(queries), 0), dtype=np.float32)
        for part in self._parts(among):
            ids, values = part.search(queries, k)
            found, scores = np.hstack([found, ids]), np.hstack([scores, values])
            order = best_first(scores, found)[:, :k]
            found, scores = np.take_along_axis(found, order, axis=1), np.take_along_axis(scores, order, axis=1)
        return found, scores

    def _parts(self, among: Ids) -> Iterator[FaissFlatIndex]:
        """Indexes of the rows whose ids are `among`, each of so few that copying them needs little memory."""
        ids = self.ids
        places = places_of(among, ids)
        step = max(1, NUMBERS_AT_ONCE // self.dim)
        for start in range(0, len(places), step):
            chosen = places[start : start + step]
            part = FaissFlatIndex(self.dim)
            part._index.add_with_ids(self._rows()[chosen], ids[chosen])
            yield part

    def range_search(self, queries: Vectors, min_score: float, among: Ids | None = None) -> list[tuple[Ids, Scores]]:
        queries = checked_queries(queries, self.dim)
        if among is not None:
            return joined([part.range_search(queries, min_score) for part in self._parts(among)], len(queries))
        if not len(self) or not len(queries):
            return [(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)) for _ in queries]
        near = self._within(queries, min_score - ROUGH)
        answers = []
        for ids, scores in near:
            # By descending score: those that reach the minimum come first.
            count = int((scores >= np.float32(min_score)).sum())
            answers.append((ids[:count], scores[:count]))
        return answers

    def _within(self, queries: Vectors, rough: float) -> list[tuple[Ids, Scores]]:
        """At least everything that scores above `rough` + ROUGH, precisely scored, best first."""
        limits, _, positions = self._index.index.range_search(queries, rough)
        ids = self.ids
        answers = []
        for number, (start, stop) in enumerate(zip(limits[:-1].tolist(), limits[1:].tolist(), strict=True)):
            places = positions[start:stop]
            scores = self._precise(queries[number : number + 1], places[None, :])[0]
            order = best_first(scores, ids[places])
            answers.append((ids[places][order], scores[order]))
        return answers

    def _precise(self, queries: Vectors, positions: NDArray[np.int64]) -> Scores:
        """The scores of the rows at `positions`, shape (q, m), each summed in float64."""
        rows, step = self._rows(), max(1, NUMBERS_AT_ONCE // self.dim // max(1, len(queries)))
        scores = np.empty(positions.shape, dtype=np.float32)
        columns = queries.astype(np.float64)[:, :, None]
        for start in range(0, positions.shape[1], step):
            part = slice(start, start + step)
            candidates = rows[positions[:, part]].astype(np.float64)
            scores[:, part] = np.clip((candidates @ columns)[:, :, 0], -1.0, 1.0)
        return scores

    def save(self, path: Path) -> None:
        """Writes the index as FAISS does; through Python, because FAISS cannot open every name on every system."""
        with path.open("wb") as stream:
            faiss.write_index(self._index, _CALLBACKS.PyCallbackIOWriter(stream.write))

    @classmethod
    def load(cls, path: Path) -> FaissFlatIndex:
        """The index that `save` wrote. Raises DamagedError for anything else.

        Size and checksum must have been compared with the manifest before: FAISS may crash on a hostile file.
        """
        try:
            with path.open("rb") as stream:
                index = faiss.read_index(_CALLBACKS.PyCallbackIOReader(stream.read))
        except RuntimeError as error:
            raise DamagedError(f"{path}: not an index of vectors ({str(error).splitlines()[0]})") from error
        if not isinstance(index, faiss.IndexIDMap):
            raise DamagedError(f"{path}: holds a {type(index).__name__} instead of vectors with ids")
        flat = faiss.downcast_index(index.index)
        if not isinstance(flat, faiss.IndexFlat) or flat.metric_type != faiss.METRIC_INNER_PRODUCT:
            raise DamagedError(f"{path}: holds a {type(flat).__name__} instead of flat vectors with inner product")
        if not flat.ntotal == index.ntotal == index.id_map.size():
            raise DamagedError(f"{path}: {flat.ntotal} vectors for {index.id_map.size()} ids")
        loaded = cls(index.d)
        loaded._index = index
        return loaded
