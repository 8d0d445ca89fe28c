"""Two inputs compared: same or different, with a probability."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.collection.identities.calibrating import encoder_curve
from simsearch.collection.identities.deciding import check_threshold
from simsearch.collection.querying import is_file, text_of
from simsearch.errors import UsageError
from simsearch.media.encodings import check_encoding
from simsearch.types import Text

if TYPE_CHECKING:
    from simsearch.types import Encoder, Source


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


def compare(
    encoder: Encoder, first: Source, second: Source, threshold: float | None = None, encoding: str | None = None
) -> Comparison:
    """The comparison of two inputs: the same from `threshold` on, by default where P(same) reaches one half.

    A str is a path if such a file exists, else a text where the encoder takes texts. `encoding` is that of text files.

    Raises UsageError if there is no threshold and the encoder has no curve, MediaError for what cannot be read.
    """
    check_threshold(threshold)
    check_encoding(encoding)
    curve = encoder_curve(encoder)
    if threshold is None:
        if curve is None:
            raise UsageError(
                f"the encoder {encoder.name} has no curve of its own to decide by. Give a threshold with -t; "
                f"simsearch evaluate {encoder.name} DATA measures some on labeled data of yours"
            )
        threshold = curve.score_at(0.5)
    given: list[Source] = [first, second]
    if encoder.modality == "text":
        given = [text_of(_meant(source), encoding) for source in given]
    vectors = encoder.encode(given)
    score = min(float(vectors[0] @ vectors[1]), 1.0)
    probability = None if curve is None else float(curve.probability(score))
    return Comparison(score >= threshold, score, probability, threshold)


def _meant(source: Source) -> Source:
    is_path = isinstance(source, str) and not isinstance(source, Text) and is_file(source)
    return Path(source) if is_path else source  # type: ignore[arg-type]
