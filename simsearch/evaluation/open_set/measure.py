"""What recognition makes of several draws: figures with intervals, curves, and the reliability of probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from simsearch.evaluation.open_set.draws import Roles, draw_roles
from simsearch.evaluation.statistics.intervals import Figure, bootstrap
from simsearch.evaluation.statistics.open_set import dir_over_far, figure_names, open_set_figures
from simsearch.evaluation.statistics.reliability import Reliability, reliability
from simsearch.recognition.calibration import probability_map
from simsearch.recognition.decide import top_scores
from simsearch.recognition.decisions import Decisions
from simsearch.recognition.gallery import RULE, Gallery
from simsearch.types import Example

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.recognition.calibration import Curve
    from simsearch.recognition.gallery import Rule
    from simsearch.types import Vectors

PRIOR = 0.5
"""The share of unknown queries for which the probabilities are fitted and judged."""
GRID = np.geomspace(1e-3, 1.0, 121)
"""The false-accept rates at which the detection and identification rate is drawn."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """The decisions of one draw, their identities as places among the classes, and their probabilities."""

    decisions: Decisions
    probabilities: NDArray[np.float64] | None
    """None where neither several shots nor the encoder give one."""


@dataclass(frozen=True, slots=True)
class OpenSet:
    """One number of shots and of identities, over all draws."""

    shots: int
    enrolled: int
    figures: dict[str, Figure]
    curve: NDArray[np.float64]
    """The detection and identification rate at each rate of GRID, the mean over the draws."""
    reliability: Reliability | None


def measure(
    vectors: Vectors,
    labels: NDArray[Any],
    classes: NDArray[Any],
    *,
    shots: int,
    enrolled: int,
    draws: int,
    fars: Sequence[float],
    seed: int,
    rounds: int,
    curve: Curve | None = None,
    rule: Rule = RULE,
) -> OpenSet:
    """The mean of each figure over the draws, with intervals over resampled classes.

    A class has one weight in a resample, whatever its role in a draw: that of each of its queries. What is enrolled
    stays.
    """
    found = [
        decide(vectors, labels, classes, draw_roles(labels, classes, shots, enrolled, seed + draw), curve, rule)
        for draw in range(draws)
    ]
    names = figure_names(fars)

    def mean_figures(counts: NDArray[np.float64] | None) -> NDArray[np.float64]:
        each = [
            open_set_figures(one.decisions, fars, None if counts is None else counts[..., one.decisions.identities])
            for one in found
        ]
        return _mean(np.stack(each))

    width = max(len(one.decisions.scores) for one in found)
    values = mean_figures(None)
    ends = bootstrap(mean_figures, len(classes), width=width, seed=seed, rounds=rounds)
    figures = {name: Figure(*map(float, (value, *pair))) for name, value, pair in zip(names, values, ends, strict=True)}
    calibrated = _calibrated(found, len(classes), seed, rounds)
    if calibrated is not None:
        figures["ece"] = calibrated[1]
    lines = np.mean([dir_over_far(one.decisions, GRID) for one in found], axis=0)
    return OpenSet(shots, enrolled, figures, lines, None if calibrated is None else calibrated[0])


def _mean(each: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean over the first axis of what is defined; NaN where nothing is."""
    defined = ~np.isnan(each)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(defined, each, 0.0).sum(axis=0) / defined.sum(axis=0), dtype=np.float64)


def decide(
    vectors: Vectors,
    labels: NDArray[Any],
    classes: NDArray[Any],
    roles: Roles,
    curve: Curve | None = None,
    rule: Rule = RULE,
) -> Drawn:
    """The decisions on the queries of one draw, and the probabilities that a calibration gives to them."""
    gallery, owners = gallery_of(vectors, roles.enrolled, labels)
    rows = np.concatenate([roles.known, roles.unknown])
    known = np.arange(len(rows)) < len(roles.known)
    scores, _ = gallery.scores(vectors[rows], rule)
    best = scores.argmax(axis=1)
    tops = scores[np.arange(len(rows)), best]
    right = known & (owners[best] == labels[rows])
    decisions = Decisions(tops, right, known, np.searchsorted(classes, labels[rows]).astype(np.int64))
    impostors = top_scores(vectors[roles.impostors], gallery, rule)
    fitted = probability_map(gallery, impostors, prior=PRIOR, rule=rule, curve=curve)
    return Drawn(decisions, None if fitted is None else fitted(tops))


def gallery_of(vectors: Vectors, enrolled: NDArray[np.int64], labels: NDArray[Any]) -> tuple[Gallery, NDArray[Any]]:
    """The gallery of these rows, shape (identities, shots), and the label of each of its identities."""
    owners = labels[enrolled[:, 0]]
    names = [f"{place:09}" for place in range(len(enrolled))]
    examples = [
        Example(place * enrolled.shape[1] + shot, name, "")
        for place, name in enumerate(names)
        for shot in range(enrolled.shape[1])
    ]
    return Gallery.of(examples, vectors[enrolled.ravel()]), owners


def _calibrated(found: Sequence[Drawn], classes: int, seed: int, rounds: int) -> tuple[Reliability, Figure] | None:
    """The reliability of the decisions of all draws together, and the calibration error."""
    if any(one.probabilities is None for one in found):
        return None
    probabilities = np.concatenate([one.probabilities for one in found if one.probabilities is not None])
    right = np.concatenate([one.decisions.right for one in found])
    weights = np.concatenate([one.decisions.weights(PRIOR) for one in found])
    identities = np.concatenate([one.decisions.identities for one in found])
    whole = reliability(probabilities, right, weights)

    def error(counts: NDArray[np.float64]) -> NDArray[np.float64]:
        return reliability(probabilities, right, counts[..., identities] * weights).error()

    ends = bootstrap(error, classes, width=len(right), seed=seed, rounds=rounds)
    return whole, Figure(float(whole.error()), float(ends[0]), float(ends[1]))
