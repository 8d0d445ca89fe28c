"""Decisions whose outcome is known, from the enrolled examples and from impostors."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from simsearch.recognition.decide import CELLS

MOST_LEFT_OUT = 2_000
"""Examples that are scored without their own identity, each against all others."""

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.recognition.gallery import Gallery, Rule


@dataclass(frozen=True, slots=True)
class Decisions:
    """Top-1 decisions: their scores, whether the label was right, and the identity of each query. Shape (n,) each.

    `known` is true for queries of enrolled identities; of the others no label is right.
    """

    scores: NDArray[np.float32]
    right: NDArray[np.bool_]
    known: NDArray[np.bool_]
    identities: NDArray[np.int64]

    def weights(self, prior: float) -> NDArray[np.float64]:
        """A weight for each decision: the known ones sum to 1 - prior, the unknown ones to `prior`.

        Where there are no unknown ones the known ones sum to 1.
        """
        known, unknown = int(np.count_nonzero(self.known)), int(np.count_nonzero(~self.known))
        share = prior if unknown else 0.0
        return np.where(self.known, (1 - share) / max(known, 1), share / max(unknown, 1)).astype(np.float64)

    def joined(self, other: Decisions) -> Decisions:
        """Both; the identities of `other` are taken to be others."""
        after = int(self.identities.max()) + 1 if len(self.identities) else 0
        return self.followed_by(replace(other, identities=other.identities + after))

    def followed_by(self, other: Decisions) -> Decisions:
        """Both, of the same identities."""
        return Decisions(
            np.concatenate([self.scores, other.scores]),
            np.concatenate([self.right, other.right]),
            np.concatenate([self.known, other.known]),
            np.concatenate([self.identities, other.identities]),
        )


def known_decisions(gallery: Gallery, rule: Rule = "nearest") -> Decisions:
    """Each example of an identity with several is a query, left out of the gallery for its own decision."""
    several = np.flatnonzero((gallery.ends - gallery.starts)[gallery.owners] > 1)
    scores, right = [np.empty(0, np.float32)], [np.empty(0, np.bool_)]
    block = max(1, CELLS // max(1, len(gallery.examples)))
    for begin in range(0, len(several), block):
        rows = several[begin : begin + block]
        labels = gallery.without_itself(rows, rule)
        best = labels.argmax(axis=1)
        scores.append(labels[np.arange(len(rows)), best])
        right.append(best == gallery.owners[rows])
    found = np.concatenate(scores)
    return Decisions(found, np.concatenate(right), np.ones(len(found), np.bool_), gallery.owners[several])


def left_out_decisions(gallery: Gallery, rule: Rule = "nearest", seed: int = 0) -> Decisions:
    """Each example is a query whose own identity is left out of the gallery, so that no label is right.

    Of more than 2,000 examples as many are drawn. The scores share the gallery with all others. None where there is but
    one identity.
    """
    count = len(gallery.examples) if len(gallery.starts) > 1 else 0
    drawn = np.random.default_rng(seed).permutation(count)[:MOST_LEFT_OUT]
    rows = np.sort(drawn).astype(np.int64)
    none = np.zeros(len(rows), np.bool_)
    return Decisions(tops_without_own(gallery, rows, rule), none, none, gallery.owners[rows])


def unknown_decisions(tops: NDArray[np.float32]) -> Decisions:
    """Decisions on impostors, one of each identity, with these top scores."""
    none = np.zeros(len(tops), np.bool_)
    return Decisions(tops, none, none, np.arange(len(tops)))


def tops_without_their_identity(gallery: Gallery, rule: Rule = "nearest") -> NDArray[np.float32]:
    """The best score of the first example of each identity against the other identities, shape (labels,).

    Stands in for impostors where there are none; the scores share the gallery and are not independent.
    """
    return tops_without_own(gallery, gallery.starts, rule)


def tops_without_own(gallery: Gallery, rows: NDArray[np.int64], rule: Rule) -> NDArray[np.float32]:
    """The best score of each of these examples with a label that is not its own, shape (rows,)."""
    found = [np.empty(0, np.float32)]
    block = max(1, CELLS // max(1, len(gallery.examples)))
    for begin in range(0, len(rows), block):
        part = rows[begin : begin + block]
        labels, _ = gallery.scores(gallery.vectors[part], rule)
        labels[np.arange(len(part)), gallery.owners[part]] = -1
        found.append(labels.max(axis=1))
    return np.concatenate(found)
