"""Recall of an index against exact search, measured on its own vectors, with a confidence interval."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from simsearch.types import Ids, JSONValue, Scores, Vectors

K = 10
TIE = 1e-6
"""Scores nearer than this count as equal: of rows that tie, any is right."""
NORMAL_95 = 1.959964
RESAMPLES = 2000


class Searched(Protocol):
    """What is measured, and what it is measured against."""

    def search(self, queries: Vectors, k: int) -> tuple[Ids, Scores]: ...


@dataclass(frozen=True, slots=True)
class Audit:
    """recall@10 with its 95 % interval, over so many sampled stored vectors as queries, each left out of its answer."""

    recall: float
    low: float
    high: float
    queries: int
    k: int = K

    def document(self) -> dict[str, JSONValue]:
        return asdict(self)

    @classmethod
    def of_document(cls, document: Mapping[str, JSONValue]) -> Audit | None:
        """The audit that a manifest records; None where it has none, or not in this form."""
        try:
            return cls(**document)  # type: ignore[arg-type]
        except TypeError:
            return None


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Queries, their own ids, and the scores of their exact neighbors without themselves, shape (q, 10)."""

    ids: Ids
    vectors: Vectors
    scores: Scores


def held_out(exact: Searched, ids: Ids, vectors: Vectors) -> HeldOut:
    """The exact neighbors of stored vectors. Costs comparing each with every row."""
    found, scores = exact.search(vectors, K + 1)
    _, best = without_self(found, scores, ids)
    return HeldOut(ids, vectors, best)


def without_self(found: Ids, scores: Scores, own: Ids) -> tuple[Ids, Scores]:
    """The answers without the query itself, or without the last where it was not found: a column fewer."""
    order = np.argsort(found == own[:, None], axis=1, kind="stable")[:, : found.shape[1] - 1]
    order.sort(axis=1)
    return np.take_along_axis(found, order, axis=1), np.take_along_axis(scores, order, axis=1)


def hits(index: Searched, asked: HeldOut) -> NDArray[np.float64]:
    """For each query the share of its exact neighbors that the index finds."""
    if not asked.scores.shape[1]:
        return np.ones(len(asked.ids))
    found, scores = index.search(asked.vectors, asked.scores.shape[1] + 1)
    _, reached = without_self(found, scores, asked.ids)
    # Whatever scores as high as the last of the exact answer belongs to it: rows that tie are as good.
    return np.asarray((reached >= asked.scores[:, -1:] - TIE).mean(axis=1), dtype=np.float64)


def interval(shares: NDArray[np.float64], each: int = K, seed: int = 0) -> tuple[float, float, float]:
    """The mean and its 95 % interval, of shares of `each` neighbors.

    The percentile bootstrap over queries (Efron, 1979). Where every neighbor was found that has no width: then it is
    Wilson's score interval (1927) over all neighbors, as if they were independent.
    """
    mean, count = float(shares.mean()), len(shares)
    random = np.random.default_rng(seed)
    drawn = shares[random.integers(0, count, size=(RESAMPLES, count))].mean(axis=1)
    low, high = (float(value) for value in np.percentile(drawn, [2.5, 97.5]))
    if shares.min() == shares.max() == 1.0:
        found = count * max(1, each)
        low = found / (found + NORMAL_95**2)
    return mean, low, high


def audit(index: Searched, asked: HeldOut) -> Audit:
    mean, low, high = interval(hits(index, asked), asked.scores.shape[1])
    return Audit(round(mean, 5), round(low, 5), round(high, 5), len(asked.ids))
