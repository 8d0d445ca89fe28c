"""Two inputs compared: same or different, with a probability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from simsearch.errors import UsageError
from simsearch.evaluation.statistics.probability import encoder_curve

if TYPE_CHECKING:
    from simsearch.types import Encoder, Vectors


@dataclass(frozen=True, slots=True)
class Comparison:
    """Whether two inputs are of one identity.

    `probability` is P(same) at prior one half, by the curve that the encoder has from its own held-out classes; None
    where it has none. `threshold` is the least score that counts as the same.
    """

    same: bool
    score: float
    probability: float | None
    threshold: float


def compare(encoder: Encoder, vectors: Vectors, threshold: float | None = None) -> Comparison:
    """The comparison of two embeddings: the same from `threshold` on, by default where P(same) reaches one half.

    Raises UsageError if there is no threshold and the encoder has no curve.
    """
    curve = encoder_curve(encoder)
    if threshold is None:
        if curve is None:
            raise UsageError(
                f"the encoder {encoder.name} has no curve of its own to decide by. Give a threshold with -t; "
                f"simsearch evaluate {encoder.name} DATA measures some on labeled data of yours"
            )
        threshold = curve.score_at(0.5)
    score = min(float(vectors[0] @ vectors[1]), 1.0)
    probability = None if curve is None else float(curve.probability(score))
    return Comparison(score >= threshold, score, probability, threshold)
