"""Whether one picture is a copy of another: a transformation is fitted, and the two compared under it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from simsearch.duplicates.finding.aligned import Agreement, compare
from simsearch.duplicates.finding.alignment import align
from simsearch.duplicates.finding.features import SIDE, Features, View, features
from simsearch.duplicates.finding.geometry import Proof, enlarged, fit
from simsearch.duplicates.finding.screening import HALF, Sketch

if TYPE_CHECKING:
    from numpy.typing import NDArray

CERTAIN = 12.0
"""From this significance on the fit of the features is believed, and the views are not aligned by themselves."""
FEW, POOR = 40, 100
"""Fewer inliers than `FEW` in a picture of fewer than `POOR` features cannot tell a thing laid over a drawing from a
drawing of another thing; nor can an alignment without any."""
SUFFICIENT = 0.85
"""The score from which on the evidence of sketches is enough: the strictest preset asks for less."""
HOPELESS = 0.15
"""The score below which the evidence of sketches is enough to refuse: that of copies with features is above 0.2."""
FAITHFUL, ALTERED = 0.92, 0.02
"""What was laid over a picture leaves the rest as it was. Where more than the share `ALTERED` of the tiles has changed
and the others correlate by less than `FAITHFUL`, it is more likely another photograph of the same scene."""
_HALF_SURE = 5.0
_SHARES, _CORRELATIONS, _TILES, _COLORS = (0.5, 0.75), (0.7, 0.9), (4.0, 20.0), (40.0, 12.0)
_CHANGED = 0.005
_DOUBTED = 0.55


@dataclass(frozen=True, slots=True)
class Described:
    """A picture with what is computed once of it. About 0.5 MB."""

    view: View
    features: Features


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for a copy: the transformation, how the pictures agree under it, and a score from 0 to 1."""

    proof: Proof
    agreement: Agreement
    significance: float
    score: float = field(compare=False)

    def on_originals(self, left: View, right: View) -> NDArray[np.float64]:
        """The transformation (2, 3) of pixels of the original on the left to those of the original on the right."""
        (across, down), (wide, high) = left.scale, right.scale
        # Centers of pixels are at whole numbers: x of the view is (X + 0.5) * scale - 0.5 of the original.
        to_view = np.array([[across, 0, across / 2 - 0.5], [0, down, down / 2 - 0.5], [0, 0, 1]])
        to_original = np.linalg.inv(np.array([[wide, 0, wide / 2 - 0.5], [0, high, high / 2 - 0.5], [0, 0, 1]]))
        found: NDArray[np.float64] = (to_original @ np.vstack([self.proof.matrix, [0, 0, 1]]) @ to_view)[:2]
        return found


def described(picture: View) -> Described:
    return Described(picture, features(picture))


def examine_sketched(sketches: tuple[Sketch, Sketch], views: tuple[View, View]) -> Evidence | None:
    """The evidence of the features of sketches; None where they fit nothing. `settled` says whether it is enough."""
    left, right = (sketch.features for sketch in sketches)
    proof = fit(left, right, sketches[0].width)
    if proof is None:
        return None
    area = float(views[1].pixels[..., 0].size) * (HALF / SIDE) ** 2
    of_views = Proof(enlarged(proof.matrix, SIDE / HALF), proof.inliers, proof.matches)
    return _evidence(*views, of_views, proof.significance(area), min(len(left), len(right)))


def settled(evidence: Evidence | None, sketches: tuple[Sketch, Sketch]) -> bool:
    """Whether the evidence of sketches is so strong, or so weak, that `examine` can add nothing to it."""
    if evidence is None or any(sketch.sparse for sketch in sketches):
        return False
    return not HOPELESS <= evidence.score < SUFFICIENT


def examine(left: Described, right: Described) -> Evidence | None:
    """The best evidence that one is a copy of the other; None where no transformation was found at all."""
    found = []
    if (proof := fit(left.features, right.features, left.view.pixels.shape[1])) is not None:
        found.append(_described(left, right, proof))
    if not (found and found[0].significance >= CERTAIN) and (proof := align(left.view, right.view)) is not None:
        found.append(_described(left, right, proof))
    return max(found, key=lambda evidence: evidence.score, default=None)


def _described(left: Described, right: Described, proof: Proof) -> Evidence:
    significance = proof.significance(float(right.view.pixels[..., 0].size))
    features = min(len(left.features), len(right.features))
    return _evidence(left.view, right.view, proof, significance, features)


def _evidence(left: View, right: View, proof: Proof, significance: float, features: int) -> Evidence:
    agreement = compare(left, right, proof.matrix)
    return Evidence(proof, agreement, significance, score(proof, agreement, significance, features))


def score(proof: Proof, agreement: Agreement, significance: float, features: int) -> float:
    """From 0 to 1: the product of how sure the transformation is and of how much of the overlap agrees.

    Without features the agreement must be closer, since the alignment was chosen for it.
    """
    if proof.inliers:
        sure, agrees = significance / (significance + _HALF_SURE), _ramp(agreement.share, *_SHARES)
    else:
        sure, agrees = _ramp(agreement.tiles, *_TILES), _ramp(agreement.correlation, *_CORRELATIONS)
    few = not proof.inliers or (proof.inliers < FEW and features < POOR)
    again = agreement.changed > ALTERED and agreement.fidelity < FAITHFUL
    doubted = again or (few and agreement.changed > _CHANGED)
    return sure * agrees * _ramp(agreement.recolored, *_COLORS) * (_DOUBTED if doubted else 1.0)


def _ramp(value: float, none: float, full: float) -> float:
    """0 at `none`, 1 at `full` and beyond, linear between."""
    return float(np.clip((value - none) / (full - none), 0.0, 1.0))
