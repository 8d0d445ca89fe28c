"""From queries, and mixes of them, to vectors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from simsearch.collection.querying import resolve
from simsearch.errors import VectorError
from simsearch.media.arguments import source_list
from simsearch.mixes import Mix
from simsearch.types import Item
from simsearch.vectors.arrays import as_vectors

if TYPE_CHECKING:
    from simsearch.collection.querying import QueryContext
    from simsearch.types import Query, QueryLike, Vectors

SHORTEST = 1e-6
"""The length of a sum below which its direction is that of rounding."""


def resolved(
    context: QueryContext, sources: Iterable[QueryLike | Mix], encoding: str | None
) -> tuple[list[Query | Mix], Vectors]:
    """What each source means and its vector, see `querying.resolve`; of a mix the sum, with what its terms mean."""
    given = [sources] if isinstance(sources, Mix) else source_list(sources)
    queries: list[Query | Mix] = []
    alone = [source for source in given if not isinstance(source, Mix)]
    if len(alone) == len(given):
        queries[:], vectors = resolve(context, alone, encoding)
        return queries, vectors
    rows: list[Vectors] = []
    for source in given:
        if isinstance(source, Mix):
            mix, row = _mixed(context, source, encoding)
            queries.append(mix)
        else:
            plain, row = resolve(context, [source], encoding)
            queries += plain
        rows.append(row)
    return queries, np.concatenate(rows)


def _mixed(context: QueryContext, mix: Mix, encoding: str | None) -> tuple[Mix, Vectors]:
    meant, vectors = resolve(context, [source for _, source in mix.terms], encoding)
    weights = [weight for weight, _ in mix.terms]
    total = np.asarray(weights) @ vectors.astype(np.float64)
    if np.linalg.norm(total) < SHORTEST * np.abs(weights).sum():
        raise VectorError(f"the terms of {mix} cancel out, which leaves no direction; change a weight")
    return Mix(zip(weights, meant, strict=True)), as_vectors(total[None, :])


def items_in(query: Query | Mix) -> Sequence[int]:
    """The ids of the stored items that a query is or is made of."""
    parts = [source for _, source in query.terms] if isinstance(query, Mix) else [query]
    return [part.id for part in parts if isinstance(part, Item)]
