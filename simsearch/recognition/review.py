"""Review of enrolled examples: which are closer to another identity than to their own, or unlike their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from simsearch.recognition.decide import CELLS
from simsearch.recognition.gallery import Gallery, Rule, cosines, unit_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Rows: TypeAlias = NDArray[np.int64]

Review: TypeAlias = Literal["off", "warn", "strict"]
"""What is done about new examples that look wrong: nothing, they are reported, or they are refused."""
REVIEWS: tuple[Review, ...] = ("off", "warn", "strict")
FENCE = 1.5
"""Interquartile ranges below the first quartile beyond which a score is an outlier (Tukey 1977, the inner fence)."""
LEAST_SCORES = 20
"""Examples with another one of their label below which no score is called an outlier."""


@dataclass(frozen=True, slots=True)
class Finding:
    """An example that looks wrong: "equal" in content to one of another label, "closer" to another label than to its
    own, or an "outlier" among the examples of its own."""

    path: str
    label: str
    kind: Literal["equal", "closer", "outlier"]
    other: str | None
    """The other label; None for an outlier."""
    score: float | None
    """Its score with its own label, itself left out; None where it is the only example, and for equal contents."""
    bound: float | None
    """What that score should reach: the score with the other label, or what is usual; None for equal contents."""

    @property
    def reason(self) -> str:
        """Why it looks wrong, as a phrase."""
        if self.kind == "equal":
            return f"equal to an example of {self.other}"
        if self.kind == "outlier":
            return f"scores {self.score:.3f} with the other examples of {self.label}; from {self.bound:.3f} is usual"
        if self.score is None:
            return f"scores {self.bound:.3f} with {self.other}, enough to be recognized as {self.other}"
        return (
            f"closer to {self.other} ({self.bound:.3f}) than to the other examples of {self.label} ({self.score:.3f})"
        )


def findings(gallery: Gallery, rows: Rows, *, threshold: float | None, rule: Rule) -> dict[int, Finding]:
    """Which of these rows of the gallery are closer to another label or outliers, by the id of the example.

    Each is left out of its own label's examples. The only example of a label is compared with `threshold`, at which it
    would be recognized as the other one.
    """
    scores = own_scores(gallery, rule)
    several = scores > _NONE
    fence = lower_fence(scores[several])
    others, names = _best_others(gallery, rows, rule)
    own, alone = scores[rows], ~several[rows]
    closer = np.where(alone, threshold is not None and others >= (threshold or 0), others > own)
    found = {}
    for place in np.flatnonzero(closer | (~alone & (own < fence))).tolist():
        example, score = gallery.examples[int(rows[place])], None if alone[place] else float(own[place])
        name, label = example.uri or example.text or f"example {example.id}", example.label
        found[example.id] = (
            Finding(name, label, "closer", gallery.labels[names[place]], score, float(others[place]))
            if closer[place]
            else Finding(name, label, "outlier", None, score, fence)
        )
    return found


_NONE = -2.0
"""Stands for the score of the only example of a label."""


def own_scores(gallery: Gallery, rule: Rule) -> NDArray[np.float32]:
    """The score of each example with its own label, itself left out; -2 for the only one. Shape (n,).

    O(the sum of the squares of the labels' sizes), labels of one size together.
    """
    found = np.full(len(gallery.examples), _NONE, dtype=np.float32)
    if not gallery.examples:
        return found
    sizes = gallery.ends - gallery.starts
    for size in np.unique(sizes[sizes > 1]).tolist():
        rows = gallery.starts[sizes == size][:, None] + np.arange(size)
        queries = max(1, min(size, CELLS // size))
        labels = max(1, CELLS // (size * queries))
        for first in range(0, len(rows), labels):
            for begin in range(0, size, queries):
                part = rows[first : first + labels]
                asked = part[:, begin : begin + queries]
                found[asked] = _with_own(gallery, part, asked, begin, rule)
    return found


def _with_own(gallery: Gallery, rows: Rows, asked: Rows, begin: int, rule: Rule) -> NDArray[np.float32]:
    """The scores of the examples `asked`, (labels, a), with their own labels, which have `rows`, (labels, size)."""
    queries = gallery.vectors[asked]
    each = np.clip(queries @ gallery.vectors[rows].transpose(0, 2, 1), -1, 1)
    place = np.arange(asked.shape[1])
    each[:, place, begin + place] = -1
    nearest = each.max(axis=2)
    if rule == "nearest":
        return np.asarray(nearest, dtype=np.float32)
    sums = gallery.sums[gallery.owners[asked]] - queries
    mean = np.einsum("laj,laj->la", queries, unit_rows(sums)).clip(-1, 1)
    return np.asarray(mean if rule == "mean" else (nearest + mean) / 2, dtype=np.float32)


def _best_others(gallery: Gallery, rows: Rows, rule: Rule) -> tuple[NDArray[np.float32], Rows]:
    """The best score of each row with a label that is not its own, and the number of that label; -2 where there is
    none."""
    best, names = np.full(len(rows), _NONE, dtype=np.float32), np.zeros(len(rows), dtype=np.int64)
    block = max(1, CELLS // max(1, len(gallery.examples)))
    for begin in range(0, len(rows), block):
        part = rows[begin : begin + block]
        queries = gallery.vectors[part]
        labels = gallery.of_labels(cosines(queries, gallery.vectors), queries, rule)
        labels[np.arange(len(part)), gallery.owners[part]] = _NONE
        names[begin : begin + block] = labels.argmax(axis=1)
        best[begin : begin + block] = labels.max(axis=1)
    return best, names


def lower_fence(scores: NDArray[np.float32]) -> float:
    """The score below which one is an outlier among these: the first quartile less 1.5 interquartile ranges (Tukey
    1977); -1, which none is below, where there are too few."""
    if len(scores) < LEAST_SCORES:
        return -1.0
    first, third = np.quantile(scores, (0.25, 0.75))
    return float(first - FENCE * (third - first))
