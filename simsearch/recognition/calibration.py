"""A calibration: the threshold for a false-accept rate, and the probability of a decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from simsearch.errors import UsageError
from simsearch.recognition.decisions import (
    known_decisions,
    left_out_decisions,
    tops_without_their_identity,
    unknown_decisions,
)
from simsearch.recognition.gallery import RULES, Gallery, Rule
from simsearch.recognition.probability import ProbabilityMap, at_prior, enough, fitted_map
from simsearch.recognition.threshold import ROUNDING, Threshold, estimated_threshold, guaranteed_threshold

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.types import JSONValue


@dataclass(frozen=True, slots=True)
class Calibration:
    """What `calibrate` found, for one encoder, one rule of decision and the gallery of that moment."""

    fingerprint: str
    rule: Rule
    threshold: Threshold
    prior: float
    """The share of unknown queries for which the probabilities hold."""
    probability: ProbabilityMap | None
    """None where neither the gallery nor the encoder gives one."""
    identities: int
    examples: int

    def document(self) -> dict[str, JSONValue]:
        """The calibration as it is stored."""
        stored = asdict(self)
        if self.probability is not None:
            stored["probability"] |= {
                "scores": list(self.probability.scores),
                "probabilities": list(self.probability.probabilities),
            }
        return stored

    @classmethod
    def of_document(cls, document: Mapping[str, Any]) -> Calibration:
        """The stored calibration. Raises KeyError, TypeError or ValueError for an invalid one."""
        found = document["probability"]
        if document["rule"] not in RULES:
            raise ValueError(f"no rule {document['rule']!r}")
        if found is not None:
            lists = {name: tuple(map(float, found[name])) for name in ("scores", "probabilities")}
            if not lists["scores"] or len(lists["scores"]) != len(lists["probabilities"]):
                raise ValueError("a curve has as many probabilities as scores")
            found = ProbabilityMap(**lists, kind=found["kind"], log_loss=found["log_loss"])
        return cls(**(dict(document) | {"threshold": Threshold(**document["threshold"]), "probability": found}))


class Curve(Protocol):
    """P(same) at prior one half of an encoder, at increasing scores."""

    @property
    def scores(self) -> tuple[float, ...]: ...
    @property
    def p_same(self) -> tuple[float, ...]: ...


def calibrated(
    gallery: Gallery,
    tops: NDArray[np.float32] | None,
    *,
    rate: float,
    confidence: float,
    prior: float,
    fingerprint: str,
    rule: Rule = "nearest",
    curve: Curve | None = None,
    seed: int = 0,
) -> Calibration:
    """The calibration of a gallery; `tops` has the best score of each impostor, from `top_scores`.

    Without impostors each enrolled identity is left out in turn, which gives an estimate and no guarantee. Without
    identities of several examples the probability is that of the encoder's `curve` at this prior.
    Raises UsageError for too few impostors or identities.
    """
    if not 0 < prior < 1:
        raise UsageError(f"the prior of unknown queries is {prior:g}; it must be above 0 and below 1")
    if tops is not None:
        threshold = guaranteed_threshold(tops, rate, confidence)
    else:
        threshold = estimated_threshold(tops_without_their_identity(gallery, rule), rate)
    probability = probability_map(gallery, tops, prior=prior, rule=rule, curve=curve, seed=seed)
    return Calibration(fingerprint, rule, threshold, prior, probability, len(gallery.starts), len(gallery.examples))


def probability_map(
    gallery: Gallery,
    tops: NDArray[np.float32] | None,
    *,
    prior: float,
    rule: Rule = "nearest",
    curve: Curve | None = None,
    seed: int = 0,
) -> ProbabilityMap | None:
    """P(the label is right | the top score), from the examples and the best scores of impostors, if there are some.

    Unknown queries are the impostors, and the examples with their own identity left out. Where too few identities have
    several examples it is the encoder's `curve` at this prior, and None without one.
    """
    known = known_decisions(gallery, rule)
    if enough(known):
        decisions = known.followed_by(left_out_decisions(gallery, rule, seed))
        decisions = decisions if tops is None else decisions.joined(unknown_decisions(tops))
        return fitted_map(decisions, prior, seed)
    return _of_encoder(curve, prior)


def _of_encoder(curve: Curve | None, prior: float) -> ProbabilityMap | None:
    if curve is None:
        return None
    values = at_prior(np.asarray(curve.p_same, dtype=np.float64), prior)
    return ProbabilityMap(curve.scores, tuple(values.tolist()), "encoder")


def stale_reason(calibration: Calibration, tops: NDArray[np.float32], *, fingerprint: str, rule: Rule) -> str | None:
    """Why the promise no longer holds, or None while it does.

    `tops` has the best scores of the impostors that are not enrolled, against the gallery as it is now. The promise
    holds as long as refitting would not raise the threshold. Removing identities only takes scores away; removing one
    of several examples moves their mean, which can raise it.
    """
    if fingerprint != calibration.fingerprint:
        return "another encoder"
    if rule != calibration.rule:
        return f"another rule, {rule}"
    held = calibration.threshold
    if held.confidence is None:
        return None
    try:
        now = guaranteed_threshold(tops, held.rate, held.confidence)
    except UsageError:
        return f"too few impostors are left, {len(tops):,} of {held.impostors:,}"
    # The same cosine in a product of another shape is no reason; the margin of the threshold is twice as large.
    return None if now.score <= held.score + ROUNDING / 2 else f"refitting would raise the threshold to {now.score:.4f}"
