"""Open-set recognition: the label of the nearest example, or none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simsearch.errors import UsageError, VectorError
from simsearch.types import Evidence, Recognition

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.types import Example, Ids, Scores, Vectors

CELLS = 2_097_152
"""Scores held at once, at about 21 bytes each."""


def recognize(
    queries: Vectors,
    examples: tuple[Example, ...],
    vectors: Vectors,
    *,
    threshold: float | None,
    evidence: int = 3,
) -> list[Recognition]:
    """One Recognition for each query, in order; `vectors` has the row of each example.

    A label scores what its best example scores. The best label is the answer when its score is at least `threshold`
    or there is none, else the answer is None. The runner-up is the best example of the second label, `evidence` the
    best example of each of the nearest labels. Of equal scores the lower example id goes first.
    Raises UsageError when nobody is enrolled.
    """
    _check(queries, examples, vectors, evidence)
    order = sorted(range(len(examples)), key=lambda row: examples[row].label)
    labels = np.array([examples[row].label for row in order], dtype=object)
    starts = np.flatnonzero(np.append(True, labels[1:] != labels[:-1]))
    ids = np.array([examples[row].id for row in order], dtype=np.int64)
    known = vectors[order]
    by_id = {example.id: example for example in examples}
    answers = []
    block = max(1, CELLS // len(examples))
    for begin in range(0, len(queries), block):
        # Rounding can lift the cosine of equal vectors above 1.
        scores = np.clip(queries[begin : begin + block] @ known.T, -1, 1)
        best, example = _nearest_labels(scores, ids, starts, max(evidence, 2))
        for score_row, id_row in zip(best.tolist(), example.tolist(), strict=True):
            nearest = [Evidence(score, by_id[number]) for score, number in zip(score_row, id_row, strict=True)]
            answers.append(_answer(nearest, threshold, evidence))
    return answers


def _nearest_labels(scores: Scores, ids: Ids, starts: NDArray[np.int64], count: int) -> tuple[Scores, Ids]:
    """Score and id of the best example of each of the `count` nearest labels, best first, shape (queries, count).

    The columns of `scores` are examples in the order of their labels; `starts` has the first column of each label.
    """
    best = np.maximum.reduceat(scores, starts, axis=1)
    sizes = np.diff(np.append(starts, len(ids)))
    reached = scores == np.repeat(best, sizes, axis=1)
    example = np.minimum.reduceat(np.where(reached, ids, np.iinfo(np.int64).max), starts, axis=1)
    order = np.lexsort((example, -best), axis=1)[:, :count]
    return np.take_along_axis(best, order, axis=1), np.take_along_axis(example, order, axis=1)


def _answer(nearest: list[Evidence], threshold: float | None, evidence: int) -> Recognition:
    first = nearest[0]
    known = threshold is None or first.score >= threshold
    return Recognition(
        label=first.example.label if known else None,
        score=first.score,
        threshold=threshold,
        runner_up=nearest[1] if len(nearest) > 1 else None,
        evidence=tuple(nearest[:evidence]),
    )


def _check(queries: Vectors, examples: tuple[Example, ...], vectors: Vectors, evidence: int) -> None:
    if not examples:
        raise UsageError("nobody is enrolled yet. Enroll first: simsearch enroll NAME PICTURE...")
    if evidence < 1:
        raise UsageError(f"evidence is {evidence}; ask for at least 1 label")
    if vectors.ndim != 2 or len(vectors) != len(examples):
        raise VectorError(f"{len(examples)} examples but vectors of shape {vectors.shape}; give a row for each example")
    if queries.ndim != 2 or queries.shape[1] != vectors.shape[1]:
        raise VectorError(
            f"queries of shape {queries.shape} against examples of dimension {vectors.shape[1]}; encode both alike"
        )
