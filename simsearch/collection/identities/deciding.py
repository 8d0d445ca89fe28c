"""Recognition in a collection: its gallery, its calibration, and decisions by both."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from simsearch.errors import DamagedError, UsageError
from simsearch.recognition.calibration import Calibration, stale_reason
from simsearch.recognition.decide import recognize, top_scores
from simsearch.recognition.gallery import RULE, Gallery
from simsearch.recognition.joint import UNKNOWN, assigned
from simsearch.recognition.threshold import impostor_p_values

if TYPE_CHECKING:
    from simsearch.store import Store
    from simsearch.types import Recognition, Scores, Vectors


@dataclass(frozen=True, slots=True, eq=False)
class Decider:
    """The gallery and the calibration as they were at one generation of the enrolled examples."""

    generation: int
    gallery: Gallery
    calibration: Calibration | None
    tops: Scores
    """The top scores of the impostors that are not enrolled, against this gallery."""
    stale: str | None
    """Why the promise of the calibration no longer holds, or None while it does."""

    def decide(self, queries: Vectors, threshold: float | None, *, distinct: bool = False) -> list[Recognition]:
        """A Recognition for each query, at the threshold of the calibration unless another one is given.

        With `distinct` all queries are different identities, and no label is given twice.
        """
        if threshold is None and self.calibration is not None:
            threshold = self.calibration.threshold.score
        found = recognize(queries, self.gallery, threshold=threshold, rule=RULE)
        if distinct:
            found = self._jointly(queries, found, threshold)
        if self.calibration is None:
            return found
        scores = np.array([answer.score for answer in found], dtype=np.float32)
        curve = None if distinct else self.calibration.probability
        probability = [None] * len(found) if curve is None else curve(scores).tolist()
        values = impostor_p_values(self.tops, scores).tolist() if len(self.tops) else [None] * len(found)
        return [
            replace(answer, probability=chance, impostor_p_value=value, stale=self.stale is not None)
            for answer, chance, value in zip(found, probability, values, strict=True)
        ]

    def _jointly(self, queries: Vectors, single: list[Recognition], threshold: float | None) -> list[Recognition]:
        scores, _ = self.gallery.scores(queries, RULE)
        chosen = assigned(scores, threshold)
        answers = []
        for row, (label, answer) in enumerate(zip(chosen.tolist(), single, strict=True)):
            score = answer.score if label == UNKNOWN else float(scores[row, label])
            answers.append(replace(answer, label=None if label == UNKNOWN else self.gallery.labels[label], score=score))
        return answers


class RecognitionContext(Protocol):
    """What recognition needs of a collection."""

    @property
    def store(self) -> Store: ...
    @property
    def decider(self) -> Decider: ...


def load_decider(store: Store, before: Decider | None = None) -> Decider:
    """The gallery and the calibration as they are stored now, read as one snapshot.

    Where examples were only added since `before` was loaded from the same store, only these are read.
    """
    with store.snapshot():
        generation, gallery = store.gallery_generation(), _gallery(store, before)
        stored = store.calibration()
        calibration = None if stored is None else calibration_of(stored.document)
        if stored is None or calibration is None or not gallery.examples:
            return Decider(generation, gallery, calibration, np.empty(0, np.float32), None)
        kept = store.tops()
        assert kept is not None
        free = ~np.isin(kept.ids, store.enrolled_impostors())
        fingerprint = store.setting("fingerprint") or ""
    current = kept.gallery == generation and len(kept.scores) == len(kept.ids)
    tops = kept.scores if current or not len(kept.ids) else top_scores(kept.vectors, gallery, RULE)
    tops = tops[free] if len(kept.ids) else np.empty(0, np.float32)
    stale = stale_reason(calibration, tops, fingerprint=fingerprint, rule=RULE)
    return Decider(generation, gallery, calibration, tops, stale)


def _gallery(store: Store, before: Decider | None) -> Gallery:
    if before is None or store.gallery_rewritten() > before.generation:
        return Gallery.of(*store.examples())
    # Ids are never used again, so what was added has higher ones.
    last = int(before.gallery.ids.max(initial=0))
    return before.gallery.with_examples(*store.examples_after(last))


def calibration_of(document: str) -> Calibration:
    """The stored calibration. Raises DamagedError for an invalid one."""
    try:
        return Calibration.of_document(json.loads(document))
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedError(
            f"the stored calibration is invalid ({error}). Calibrate again: simsearch calibrate"
        ) from None


def recognized(
    context: RecognitionContext, queries: Vectors, threshold: float | None, *, distinct: bool = False
) -> list[Recognition]:
    """The identity of each query. Raises UsageError when nobody is enrolled."""
    require_enrolled(context.decider)
    return context.decider.decide(queries, threshold, distinct=distinct)


def require_enrolled(decider: Decider) -> None:
    """Raises UsageError when nobody is enrolled."""
    if not decider.gallery.examples:
        raise UsageError("Nobody is enrolled yet. Enroll an example first: simsearch enroll LABEL FILE")
