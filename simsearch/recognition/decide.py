"""Open-set recognition: the label that scores highest, or none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simsearch.errors import UsageError, VectorError
from simsearch.recognition.gallery import Gallery, Rule
from simsearch.types import Evidence, Recognition

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from simsearch.types import Ids, Scores, Vectors

CELLS = 2_097_152
"""Scores held at once, at about 12 bytes each."""


def recognize(
    queries: Vectors, gallery: Gallery, *, threshold: float | None, rule: Rule = "nearest", evidence: int = 3
) -> list[Recognition]:
    """One Recognition for each query, in order.

    The label with the highest score is the answer when its score is at least `threshold` or there is none, else the
    answer is None. The runner-up is the second label with its score, `evidence` the nearest example of each of the best
    labels, with its own cosine. Of equal scores the label with the lower example id goes first.
    Raises UsageError when nobody is enrolled.
    """
    _check(queries, gallery, evidence)
    answers = []
    block = max(1, CELLS // len(gallery.examples))
    for begin in range(0, len(queries), block):
        labels, each = gallery.scores(queries[begin : begin + block], rule)
        for label_scores, example_scores in zip(labels, each, strict=True):
            best = _best_labels(gallery, label_scores, example_scores, max(evidence, 2))
            answers.append(_answer(best, threshold, evidence))
    return answers


def _best_labels(gallery: Gallery, labels: Scores, examples: Scores, count: int) -> list[tuple[float, Evidence]]:
    """The scores of the `count` best labels of one query, each with its nearest example."""
    if len(labels) > count:
        least = np.partition(labels, len(labels) - count)[len(labels) - count]
        places = np.flatnonzero(labels >= least)
    else:
        places = np.arange(len(labels))
    rows = [_nearest(gallery, examples, place) for place in places.tolist()]
    order = np.lexsort((gallery.ids[rows], -labels[places]))[:count]
    return [
        (float(labels[places[at]]), Evidence(float(examples[rows[at]]), gallery.examples[rows[at]]))
        for at in order.tolist()
    ]


def _nearest(gallery: Gallery, examples: Scores, label: int) -> int:
    """The row of the nearest example of a label, the first of equals."""
    start = int(gallery.starts[label])
    return start + int(examples[start : gallery.ends[label]].argmax())


def _answer(best: list[tuple[float, Evidence]], threshold: float | None, evidence: int) -> Recognition:
    score, first = best[0]
    known = threshold is None or score >= threshold
    return Recognition(
        label=first.example.label if known else None,
        score=score,
        threshold=threshold,
        runner_up=Evidence(best[1][0], best[1][1].example) if len(best) > 1 else None,
        evidence=tuple(each for _, each in best[:evidence]),
    )


def top_scores(queries: Vectors, gallery: Gallery, rule: Rule = "nearest") -> NDArray[np.float32]:
    """The best score of each query against the whole gallery, shape (queries,)."""
    return tops(queries, gallery, rule).scores


@dataclass(frozen=True, slots=True, eq=False)
class Tops:
    """The best score of each query, and the id of an example of the label that has it. Shape (queries,) each."""

    scores: NDArray[np.float32]
    owners: Ids


def tops(queries: Vectors, gallery: Gallery, rule: Rule = "nearest") -> Tops:
    """The best scores against the whole gallery."""
    _check(queries, gallery, 1)
    block = max(1, CELLS // len(gallery.examples))
    scores, owners = np.empty(len(queries), np.float32), np.empty(len(queries), np.int64)
    for begin in range(0, len(queries), block):
        labels, _ = gallery.scores(queries[begin : begin + block], rule)
        best = labels.argmax(axis=1)
        scores[begin : begin + block] = labels[np.arange(len(labels)), best]
        owners[begin : begin + block] = gallery.ids[gallery.starts[best]]
    return Tops(scores, owners)


def followed(
    before: Tops, queries: Vectors, left: Ids, now: Gallery, whole: Callable[[], Gallery], rule: Rule
) -> Tops | None:
    """What `tops` would give after a change of some labels, from what it gave before.

    `left` has the examples that these labels had before, `now` is the gallery of those labels alone as they are now.
    All other labels score as they did. So `whole`, the entire gallery, is needed only for a query whose best label is
    among the changed ones and scores lower now. None when nothing is enrolled any more.
    """
    scores, owners, again = before.scores.copy(), before.owners.copy(), np.isin(before.owners, left)
    if now.examples:
        new = tops(queries, now, rule)
        higher = new.scores >= scores
        scores[higher], owners[higher] = new.scores[higher], new.owners[higher]
        again &= ~higher
    if again.any():
        gallery = whole()
        if not gallery.examples:
            return None
        new = tops(queries[again], gallery, rule)
        scores[again], owners[again] = new.scores, new.owners
    return Tops(scores, owners)


def _check(queries: Vectors, gallery: Gallery, evidence: int) -> None:
    if not gallery.examples:
        raise UsageError("nobody is enrolled yet. Enroll first: simsearch enroll NAME FILE...")
    if evidence < 1:
        raise UsageError(f"evidence is {evidence}; ask for at least 1 label")
    if queries.ndim != 2 or queries.shape[1] != gallery.vectors.shape[1]:
        raise VectorError(
            f"queries of shape {queries.shape} against examples of dimension {gallery.vectors.shape[1]}; "
            "encode both alike"
        )
