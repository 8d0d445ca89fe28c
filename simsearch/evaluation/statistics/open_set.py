"""Metrics of open-set recognition, from decisions whose outcome is known.

A query is *accepted* when its top score is at least the threshold. FAR is the share of unknown queries that are
accepted; a known query counts as identified when it is accepted and its label is right.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from simsearch.evaluation.statistics.curves import Curve, curve

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.recognition.decisions import Decisions


def figure_names(fars: Sequence[float]) -> tuple[str, ...]:
    """The names of the figures of `open_set_figures`."""
    return ("accuracy", *(f"dir@far={far:g}" for far in fars), "auroc", "oscr", "detection_eer")


def open_set_figures(
    decisions: Decisions, fars: Sequence[float], counts: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """The figures named by `figure_names` along the last axis; `counts`, shape (..., n), has the weights of decisions.

    - accuracy: the share of known queries whose label is right, whatever their score (closed set).
    - dir@far=F: the detection and identification rate, the largest share of known queries that are identified at any
      threshold whose FAR is at most F. Measured, never interpolated (Phillips et al. 2011).
    - auroc: the probability that a known query has a higher top score than an unknown one, ties counting one half.
    - oscr: the area under the share of known queries that are identified over FAR (Dhamija et al. 2018), trapezoidal.
    - detection_eer: the rate at which FAR equals the share of known queries that are not accepted.

    NaN where there are no known or no unknown queries. Raises VectorError if that is so of the decisions themselves.
    """
    detected = curve(decisions.scores, decisions.known, counts)
    weights = np.ones(len(decisions.scores)) if counts is None else counts
    known = weights @ decisions.known
    with np.errstate(invalid="ignore", divide="ignore"):
        accuracy = weights @ (decisions.right & decisions.known).astype(np.float64) / known
    identified = _identified(decisions, counts)
    if identified is None:
        none = np.zeros_like(accuracy)
        columns = [accuracy, *(none for _ in fars), detected.auc(), none]
    else:
        rates = [_share(identified.tar_at_far(far), accuracy) for far in fars]
        columns = [accuracy, *rates, detected.auc(), _share(identified.auc(), accuracy)]
    return np.stack([*columns, detected.equal_error_rate()], axis=-1)


def dir_over_far(decisions: Decisions, fars: NDArray[np.float64]) -> NDArray[np.float64]:
    """The detection and identification rate at each of these false-accept rates."""
    identified = _identified(decisions, None)
    if identified is None:
        return np.zeros_like(fars)
    far, share = identified.rates()
    accuracy = np.count_nonzero(decisions.right & decisions.known) / np.count_nonzero(decisions.known)
    return np.asarray(share[np.searchsorted(far, fars, side="right") - 1] * accuracy, dtype=np.float64)


def _identified(decisions: Decisions, counts: NDArray[np.float64] | None) -> Curve | None:
    """The curve of the known queries with the right label against the unknown ones; None if no label is right.

    Those with a wrong label are never identified, so that its rates are those of all known queries, divided by the
    closed-set accuracy.
    """
    right = decisions.right & decisions.known
    if not right.any():
        return None
    kept = right | ~decisions.known
    return curve(decisions.scores[kept], right[kept], None if counts is None else counts[..., kept])


def _share(rate: NDArray[np.float64], accuracy: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rate among all known queries, of one among those with the right label."""
    return np.where(accuracy > 0, rate * accuracy, accuracy)
