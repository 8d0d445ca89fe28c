"""Calibration: from scores to the probability that two inputs are the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from simsearch.evaluation.statistics.curves import Curve, curve
from simsearch.recognition.isotonic import isotonic

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.types import Encoder, JSONValue

SHARES = 17
"""The number of quantiles of each kind of pairs at which a curve is stored."""
LOW_FARS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05)
"""FARs at which it is stored as well: thresholds are chosen there."""
DIGITS = 5


@dataclass(frozen=True, slots=True)
class SameCurve:
    """P(same) at prior one half (non-decreasing), and FAR and TAR (non-increasing), at increasing scores.

    Between two scores it is interpolated linearly, beyond the outermost it is constant.
    """

    source: str
    """The data that the pairs were drawn from."""
    same_pairs: int
    different_pairs: int
    scores: tuple[float, ...]
    p_same: tuple[float, ...]
    far: tuple[float, ...]
    tar: tuple[float, ...]

    def probability(self, scores: NDArray[np.floating[Any]] | float) -> NDArray[np.float64]:
        """P(same) of pairs with these scores, at prior one half."""
        return np.asarray(np.interp(scores, self.scores, self.p_same), dtype=np.float64)

    def operating_points(self, fars: Sequence[float]) -> list[tuple[float, float, float, float]]:
        """Score, P(same), FAR and TAR of the lowest stored score with at most each FAR, from the highest score."""
        rows = list(zip(self.scores, self.p_same, self.far, self.tar, strict=True))
        found = [next((row for row in rows if row[2] <= far), None) for far in sorted(fars)]
        return list(dict.fromkeys(row for row in found if row is not None))

    def score_at(self, probability: float) -> float:
        """The least score at which P(same) reaches `probability`; the largest of the curve if none does."""
        reached = np.flatnonzero(np.asarray(self.p_same) >= probability)
        if not len(reached):
            return self.scores[-1]
        at = int(reached[0])
        if at == 0:
            return self.scores[0]
        below, above = self.p_same[at - 1], self.p_same[at]
        share = (probability - below) / (above - below)
        return self.scores[at - 1] + share * (self.scores[at] - self.scores[at - 1])

    def document(self) -> dict[str, JSONValue]:
        """The curve as it is stored in encoder.json."""
        return {
            "source": self.source,
            "same_pairs": self.same_pairs,
            "different_pairs": self.different_pairs,
            "scores": list(self.scores),
            "p_same": list(self.p_same),
            "far": list(self.far),
            "tar": list(self.tar),
        }

    @classmethod
    def of_document(cls, document: Mapping[str, Any]) -> SameCurve:
        """The curve stored in encoder.json. Raises KeyError, TypeError or ValueError for an invalid one."""
        lists = {name: tuple(map(float, document[name])) for name in ("scores", "p_same", "far", "tar")}
        if len({len(values) for values in lists.values()}) != 1 or not lists["scores"]:
            raise ValueError("a curve has as many probabilities and rates as scores, and at least one")
        return cls(str(document["source"]), int(document["same_pairs"]), int(document["different_pairs"]), **lists)


def encoder_curve(encoder: Encoder) -> SameCurve | None:
    """P(same) of the encoder's own held-out classes, if its folder has it."""
    curves: Mapping[str, object] = getattr(getattr(encoder, "config", None), "curves", {})
    found = curves.get("texts" if encoder.modality == "text" else "images")
    try:
        return None if found is None else SameCurve.of_document(found)  # type: ignore[arg-type]
    except (KeyError, TypeError, ValueError):
        return None


def same_curve(scores: NDArray[np.floating[Any]], same: NDArray[np.bool_], source: str) -> SameCurve:
    """The calibration curve of these pairs, with equal total weight of same and of different pairs.

    The probabilities are the isotonic regression of the labels on the scores (Zadrozny and Elkan 2002), stored at
    quantiles of both kinds. Raises VectorError unless there are pairs of both kinds.
    """
    accepted = curve(scores, same)
    tp, fp = (rate[1:] for rate in reversed(accepted.rates()))
    rising = accepted.value[::-1].astype(np.float64)
    shares = np.stack([np.diff(tp, prepend=0.0)[::-1], np.diff(fp, prepend=0.0)[::-1]])
    fitted = isotonic(shares[0] / shares.sum(axis=0), shares.sum(axis=0))
    kept = _kept_scores(accepted)
    places = np.searchsorted(rising, kept)
    at = len(rising) - 1 - places
    return SameCurve(
        source,
        round(float(accepted.positives)),
        round(float(accepted.different)),
        *(tuple(np.round(values, DIGITS).tolist()) for values in (kept, fitted[places], fp[at], tp[at])),
    )


def _kept_scores(accepted: Curve) -> NDArray[np.float64]:
    """Distinct scores of pairs, increasing: quantiles of the same and of the different pairs, the outermost, and the
    lowest with each of the low FARs."""
    far, tar = accepted.rates()
    shares = np.linspace(0.0, 1.0, SHARES)
    places = [np.searchsorted(rate[1:], shares).clip(max=len(rate) - 2) for rate in (far, tar)]
    places.append(np.searchsorted(far[1:], LOW_FARS, side="right").clip(min=1) - 1)
    found: NDArray[np.float64] = np.unique(accepted.value[np.concatenate(places)].astype(np.float64))
    return found
