"""The enrolled examples, ordered by label, and the score of each label for a query."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from simsearch.errors import VectorError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.types import Example, Ids, Scores, Vectors

Rule: TypeAlias = Literal["nearest", "mean", "both"]
"""How a label is scored: by its nearest example, by the mean of its examples, or by the average of these two scores."""
RULES: tuple[Rule, ...] = ("nearest", "mean", "both")
RULE: Rule = "both"
"""The rule of collections; decision page 0048 has how it was chosen."""


@dataclass(frozen=True)
class Gallery:
    """The examples in the order of their labels, and their vectors, shape (n, dim)."""

    examples: tuple[Example, ...]
    vectors: Vectors

    @classmethod
    def of(cls, examples: Sequence[Example], vectors: Vectors) -> Gallery:
        """The gallery of examples in any order; `vectors` has the row of each."""
        if vectors.ndim != 2 or len(vectors) != len(examples):
            raise VectorError(
                f"{len(examples)} examples but vectors of shape {vectors.shape}; give a row for each example"
            )
        order = sorted(range(len(examples)), key=lambda row: (examples[row].label, examples[row].id))
        return cls(tuple(examples[row] for row in order), np.ascontiguousarray(vectors[order]))

    def with_examples(self, examples: Sequence[Example], vectors: Vectors) -> Gallery:
        """The gallery with more examples, which are sorted in. O(n) copying, no sorting of what is there."""
        if not len(examples):
            return self
        order = sorted(range(len(examples)), key=lambda row: (examples[row].label, examples[row].id))
        rows, new = list(self.examples), [examples[row] for row in order]
        places = [bisect_left(rows, (one.label, one.id), key=lambda row: (row.label, row.id)) for one in new]
        for place, one in zip(reversed(places), reversed(new), strict=True):
            rows.insert(place, one)
        return Gallery(tuple(rows), np.insert(self.vectors, places, vectors[order], axis=0))

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """The first row of each label."""
        names = [example.label for example in self.examples]
        return np.array([row for row, name in enumerate(names) if not row or name != names[row - 1]], dtype=np.int64)

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The labels, in alphabetical order."""
        return tuple(self.examples[row].label for row in self.starts.tolist())

    @cached_property
    def ends(self) -> NDArray[np.int64]:
        """The row after the last one of each label."""
        return np.append(self.starts[1:], len(self.examples)).astype(np.int64)

    @cached_property
    def owners(self) -> NDArray[np.int64]:
        """The number of the label of each row."""
        return np.repeat(np.arange(len(self.starts)), self.ends - self.starts)

    @cached_property
    def ids(self) -> Ids:
        """The id of the example of each row."""
        return np.array([example.id for example in self.examples], dtype=np.int64)

    @cached_property
    def sums(self) -> NDArray[np.float32]:
        """The sum of the vectors of each label, shape (labels, dim)."""
        return np.add.reduceat(self.vectors, self.starts, axis=0)

    @cached_property
    def means(self) -> Vectors:
        """The mean of each label, of unit length; that of vectors which cancel out is zero."""
        return unit_rows(self.sums)

    def scores(self, queries: Vectors, rule: Rule = "nearest") -> tuple[Scores, Scores]:
        """The scores of all labels, shape (queries, labels), and of all examples, shape (queries, n)."""
        each = cosines(queries, self.vectors)
        return self.of_labels(each, queries, rule), each

    def of_labels(self, each: Scores, queries: Vectors, rule: Rule) -> Scores:
        """The scores of all labels from those of all examples."""
        if len(self.starts) == len(self.examples):
            # The only example of a label is the nearest one, and the mean.
            return each
        nearest = np.maximum.reduceat(each, self.starts, axis=1)
        if rule == "nearest":
            return nearest
        mean = cosines(queries, self.means)
        return mean if rule == "mean" else np.divide(nearest + mean, 2, dtype=np.float32)

    def without_itself(self, rows: NDArray[np.int64], rule: Rule) -> Scores:
        """The scores of all labels for these examples as queries, each left out of the gallery for its own query.

        -1 for the own label of an example that is the only one of it. Shape (rows, labels).
        """
        queries = self.vectors[rows]
        each = cosines(queries, self.vectors)
        each[np.arange(len(rows)), rows] = -1
        found = self.of_labels(each, queries, rule)
        if rule != "nearest":
            place = (np.arange(len(rows)), self.owners[rows])
            own = np.einsum("ij,ij->i", queries, unit_rows(self.sums[self.owners[rows]] - queries)).clip(-1, 1)
            best = np.maximum.reduceat(each, self.starts, axis=1)[place]
            found[place] = own if rule == "mean" else (own + best) / 2
        found[np.arange(len(rows)), self.owners[rows]] = np.where(
            (self.ends - self.starts)[self.owners[rows]] > 1, found[np.arange(len(rows)), self.owners[rows]], -1
        )
        return found


def cosines(queries: Vectors, vectors: Vectors) -> Scores:
    """The cosine of each query and each vector; rounding can lift that of equal vectors above 1, which is cut."""
    found: Scores = queries @ vectors.T
    return np.clip(found, -1, 1, out=found)


def unit_rows(rows: NDArray[np.float32]) -> Vectors:
    """The rows at unit length; those of which the vectors cancel out are zero. Any leading shape."""
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    unit: Vectors = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 1e-6)
    return unit
