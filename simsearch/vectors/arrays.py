"""Vectors as everything behind expects them, checked once where they are made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from simsearch.errors import UsageError, VectorError
from simsearch.media.arguments import COUNT, require

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from simsearch.types import Ids, Scores, Vectors

# Rounding a unit row to float32 moves its length by less than this, so that a second pass changes nothing.
UNIT_TOLERANCE = 1e-6
NUMBERS_AT_ONCE = 1 << 22


def as_vectors(array: ArrayLike, dim: int | None = None) -> Vectors:
    """float32, shape (n, dim), C-contiguous, rows of length one; the array itself when it is that already.

    Raises VectorError for another shape, for what is not numbers, and for a zero or non-finite row, with its number.
    Lengths are taken in float64 and relative to the largest number, so that neither 1e30 nor 1e-30 is lost.
    """
    given = _two_dimensional(array)
    if dim is not None and given.shape[1] != dim:
        raise VectorError(f"vectors have {given.shape[1]} numbers each instead of {dim}")
    ready = given.dtype == np.float32 and given.flags.c_contiguous and given.dtype.isnative
    unit = cast("Vectors", given) if ready else np.empty(given.shape, dtype=np.float32)
    step = max(1, NUMBERS_AT_ONCE // given.shape[1])
    for start in range(0, len(given), step):
        part = slice(start, start + step)
        rows = given[part].astype(np.float64)
        lengths = _lengths(rows, start)
        off = np.abs(lengths - 1.0) > UNIT_TOLERANCE
        if off.any() and unit is given:
            unit = unit.copy()
        if unit is not given:
            peaks = np.abs(rows[off]).max(axis=1, keepdims=True, initial=0.0)
            scaled = rows[off] / peaks
            rows[off] = scaled / np.linalg.norm(scaled, axis=1, keepdims=True)
            unit[part] = rows
    return unit


def _two_dimensional(array: ArrayLike) -> NDArray[np.generic]:
    try:
        given = np.asarray(array)
    except ValueError as error:
        raise VectorError(f"vectors must all have the same length ({error})") from error
    if given.ndim == 1 and given.dtype != object:
        raise VectorError(f"one vector of shape {given.shape} where rows are expected; give vector.reshape(1, -1)")
    if given.ndim != 2 or given.shape[1] == 0:
        raise VectorError(f"vectors have the shape {given.shape} instead of (n, dim)")
    if given.dtype.kind not in "fiu":
        raise VectorError(f"vectors are of type {given.dtype}; give real numbers")
    return given


def _lengths(rows: NDArray[np.float64], first: int) -> NDArray[np.float64]:
    """The lengths of the rows; inexact, but never one, where squares over- or underflow."""
    bad = ~np.isfinite(rows).all(axis=1)
    if bad.any():
        raise VectorError("the vector has a number that is not finite", first + int(bad.argmax()))
    zero = ~rows.any(axis=1)
    if zero.any():
        raise VectorError("the vector is zero, which has no direction", first + int(zero.argmax()))
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(np.linalg.norm(rows, axis=1))


def checked_queries(queries: Vectors, dim: int, k: int = 1) -> Vectors:
    """The queries, if they have the shape (q, dim); VectorError otherwise. UsageError for a `k` below one."""
    require(COUNT, k=k)
    if k < 1:
        raise UsageError(f"k must be at least 1, not {k}")
    if queries.ndim != 2 or queries.shape[1] != dim:
        raise VectorError(f"queries have the shape {queries.shape} instead of (n, {dim})")
    if not np.isfinite(queries).all():
        raise VectorError("a query has a number that is not finite")
    return np.ascontiguousarray(queries, dtype=np.float32)


def places_of(among: Ids, ids: Ids) -> NDArray[np.int64]:
    """The places within `ids` of those that are `among` the ascending ids; what is not there is ignored.

    Raises VectorError for an `among` that is not ascending.
    """
    wanted = np.ascontiguousarray(among, dtype=np.int64)
    if wanted.ndim != 1 or (wanted[1:] <= wanted[:-1]).any():
        raise VectorError("the ids to search among are not ascending; give np.unique(ids)")
    # Rows are mostly in the order of their ids; then the cost is that of a few look-ups, not of all rows.
    places = np.searchsorted(ids, wanted)
    found = places < len(ids)
    found[found] = ids[places[found]] == wanted[found]
    if found.all() or (ids[1:] > ids[:-1]).all():
        return places[found]
    return np.flatnonzero(np.isin(ids, wanted))


def cosines(queries: NDArray[np.float64], rows: NDArray[np.float64]) -> Scores:
    """The scores of all pairs, shape (q, n), summed in float64: a pair has the same score in every call."""
    return np.clip(queries @ rows.T, -1.0, 1.0).astype(np.float32)


def best_first(scores: Scores, ids: Ids) -> NDArray[np.intp]:
    """The order by descending score, equal scores by ascending id; along the last axis."""
    return np.lexsort((ids, -scores))


def joined(answers: Sequence[list[tuple[Ids, Scores]]], queries: int) -> list[tuple[Ids, Scores]]:
    """One answer of a range search for each query, best first, from those of several indexes."""
    merged = []
    for number in range(queries):
        ids = np.concatenate([np.empty(0, dtype=np.int64), *(answer[number][0] for answer in answers)])
        scores = np.concatenate([np.empty(0, dtype=np.float32), *(answer[number][1] for answer in answers)])
        order = best_first(scores, ids)
        merged.append((ids[order], scores[order]))
    return merged


def is_vector(source: object) -> bool:
    """Whether this is an array of the form of a vector, or of a row of them, and not of the pixels of an image."""
    if not isinstance(source, np.ndarray):
        return False
    return (source.ndim == 1 and source.dtype.kind in "fiu") or (source.ndim == 2 and source.dtype.kind == "f")


def one_vector(array: NDArray[Any], dim: int) -> Vectors:
    """The unit vector, shape (dim,), of an array of shape (dim,) or (1, dim). Raises VectorError for another."""
    if array.ndim == 2 and len(array) != 1:
        raise VectorError(
            f"an array of shape {array.shape}; a query is one vector of shape ({dim},), query_many(list(array)) takes "
            "several, and an image is uint8, or floats of shape (h, w, 3)"
        )
    unit: Vectors = as_vectors(np.atleast_2d(array), dim)[0]
    return unit
