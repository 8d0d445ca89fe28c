"""From the top score of a decision to the probability that its label is right."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from simsearch.recognition.isotonic import isotonic

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from simsearch.recognition.decisions import Decisions

    Floats: TypeAlias = NDArray[np.float64]
    Fit: TypeAlias = Callable[[Floats, NDArray[np.bool_], Floats], "ProbabilityMap"]

Kind: TypeAlias = Literal["isotonic", "logistic", "mean"]
FOLDS = 5
KNOTS = 129
ITERATIONS = 50
LEAST_DECISIONS = 10
"""Decisions from identities with several examples below which no map is fitted."""


@dataclass(frozen=True, slots=True)
class ProbabilityMap:
    """P(the label is right | the top score), non-decreasing; linear between its scores, constant beyond them."""

    scores: tuple[float, ...]
    probabilities: tuple[float, ...]
    kind: Literal[Kind, "encoder"]
    """How it was fitted; "encoder" is the curve of the encoder, from other classes than those enrolled."""
    log_loss: float | None = None
    """The cross-validated log loss in nats, with the weights of the stated prior."""

    def __call__(self, scores: NDArray[np.floating[Any]]) -> Floats:
        """The probabilities of these scores."""
        return np.asarray(np.interp(scores, self.scores, self.probabilities), dtype=np.float64)


def enough(known: Decisions) -> bool:
    """Whether a map can be fitted on these decisions about known queries."""
    return len(known.known) >= LEAST_DECISIONS and bool(known.right.any())


def fitted_map(decisions: Decisions, prior: float, seed: int = 0) -> ProbabilityMap:
    """The best of isotonic regression, logistic regression and the mean of both, by log loss on left-out identities.

    `prior` is the share of unknown queries for which the probability holds: decisions on known queries have the total
    weight 1 - prior, those on unknown ones `prior`, each identity the same (with none of these, the probability is
    conditional on a known query).
    """
    weights = _weights(decisions, prior)
    fits: dict[Kind, Fit] = {"isotonic": fit_isotonic, "logistic": fit_logistic, "mean": fit_mean}
    losses = {name: _validated_loss(fit, decisions, weights, seed) for name, fit in fits.items()}
    best = min(losses, key=lambda name: losses[name])
    made = fits[best](decisions.scores.astype(np.float64), decisions.right, weights)
    return ProbabilityMap(made.scores, made.probabilities, best, losses[best])


def _weights(decisions: Decisions, prior: float) -> Floats:
    """Those of the prior; unknown identities weigh alike, however many queries each has."""
    weights, unknown = decisions.weights(prior), ~decisions.known
    _, places, counts = np.unique(decisions.identities[unknown], return_inverse=True, return_counts=True)
    weights[unknown] = prior / max(len(counts), 1) / counts[places]
    return weights


def _validated_loss(fit: Fit, decisions: Decisions, weights: Floats, seed: int) -> float:
    """The weighted log loss where each fold of identities is predicted by a map of the others."""
    identities, places = np.unique(decisions.identities, return_inverse=True)
    fold = np.random.default_rng(seed).permutation(len(identities))[places] % FOLDS
    scores = decisions.scores.astype(np.float64)
    total = 0.0
    for number in range(FOLDS):
        held = fold == number
        if not held.any() or held.all():
            continue
        made = fit(scores[~held], decisions.right[~held], weights[~held])
        predicted = made(scores[held])
        likelihood = np.where(decisions.right[held], predicted, 1 - predicted)
        total -= float(weights[held] @ np.log(likelihood))
    return total / float(weights.sum())


def fit_isotonic(scores: Floats, right: NDArray[np.bool_], weights: Floats) -> ProbabilityMap:
    """Weighted isotonic regression (Zadrozny and Elkan 2002), kept off 0 and 1 by one decision of each kind."""
    kept, places = np.unique(scores, return_inverse=True)
    total = np.bincount(places, weights).astype(np.float64)
    share = np.bincount(places, weights * right).astype(np.float64) / total
    fitted = isotonic(share, total)
    least = 1 / (len(scores) + 2)
    return ProbabilityMap(*_thinned(kept, fitted.clip(least, 1 - least)), "isotonic")


def _thinned(scores: Floats, values: Floats) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The first and the last score of each level, between which nothing changes."""
    first = np.append(True, values[1:] != values[:-1])
    last = np.append(values[1:] != values[:-1], True)
    kept = first | last
    return tuple(scores[kept].tolist()), tuple(values[kept].tolist())


def fit_logistic(scores: Floats, right: NDArray[np.bool_], weights: Floats) -> ProbabilityMap:
    """Weighted logistic regression on the score by Newton's method, with the targets of Platt (1999, section 2.2)."""
    positives, negatives = np.count_nonzero(right), np.count_nonzero(~right)
    target = np.where(right, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    center, scale = float(np.average(scores, weights=weights)), float(scores.std()) or 1.0
    design = np.stack([(scores - center) / scale, np.ones_like(scores)], axis=1)
    weight = weights / weights.sum()
    beta = np.zeros(2)
    for _ in range(ITERATIONS):
        p = _sigmoid(design @ beta)
        gradient = design.T @ (weight * (target - p)) - 1e-6 * beta
        curvature = (design * (weight * p * (1 - p))[:, None]).T @ design + 1e-6 * np.eye(2)
        step = np.linalg.solve(curvature, gradient).clip(-2, 2)
        beta += step
        if np.abs(step).max() < 1e-9:
            break
    slope = max(float(beta[0]), 0.0)
    at = np.linspace(scores.min(), scores.max(), KNOTS) if scores.min() < scores.max() else scores[:1]
    values = _sigmoid(slope * (at - center) / scale + float(beta[1]))
    return ProbabilityMap(tuple(at.tolist()), tuple(values.tolist()), "logistic")


def fit_mean(scores: Floats, right: NDArray[np.bool_], weights: Floats) -> ProbabilityMap:
    """The mean of isotonic and logistic regression: smoother than the one, and less stiff than the other."""
    parts = [fit(scores, right, weights) for fit in (fit_isotonic, fit_logistic)]
    at = np.unique(np.concatenate([part.scores for part in parts]))
    values = (parts[0](at) + parts[1](at)) / 2
    return ProbabilityMap(tuple(at.tolist()), tuple(values.tolist()), "mean")


def _sigmoid(values: Floats) -> Floats:
    return np.asarray(0.5 * (1 + np.tanh(values / 2)), dtype=np.float64)


def at_prior(probability: Floats, unknown: float) -> Floats:
    """P(same), given at prior one half, at the prior `1 - unknown` of a known query.

    By Bayes' rule the odds are multiplied by (1 - unknown) / unknown.
    """
    odds = math.log1p(-unknown) - math.log(unknown)
    clipped = probability.clip(1e-9, 1 - 1e-9)
    return _sigmoid(np.log(clipped) - np.log1p(-clipped) + odds)
