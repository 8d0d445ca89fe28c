"""The kind of a pair of copies, and from which score on a pair counts as one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from simsearch.errors import UsageError
from simsearch.media.formats import MAX_PIXELS
from simsearch.media.image_facts import frames
from simsearch.media.images import whole

if TYPE_CHECKING:
    from simsearch.duplicates.finding.evidence import Evidence

Kind: TypeAlias = Literal[
    "exact",
    "same pixels",
    "resized or recompressed",
    "exposure or color",
    "cropped",
    "mirrored or rotated",
    "overlaid",
    "near",
]

EXACT, SAME_PIXELS = 1.0, 0.999
"""The scores of equal bytes and of equal pixels. What is proved by comparing scores less than both."""
TURNED = 2.0
"""Degrees from which on a picture counts as rotated."""
WHOLE = 0.96
"""The share of a picture in the overlap from which on all of it counts as there; alignment is true to some pixels."""
PLAIN = 12.0
"""Gray levels of contrast below which what surrounds a picture is a border, and not more of the scene."""
LAID_OVER = 0.02
"""The share of tiles that show something else from which on something was laid over the picture."""
RECOLORED = 5.0
"""The mean difference of colors, in gray levels, from which on exposure or colors were changed."""


@dataclass(frozen=True, slots=True)
class Preset:
    """How certain a pair must be: `cosine` of the embeddings from which on pairs are examined, `score` to accept."""

    cosine: float
    score: float

    def __post_init__(self) -> None:
        if not (-1 <= self.cosine <= 1 and 0 < self.score <= 1):
            raise UsageError(f"cosine {self.cosine} and score {self.score}: from -1 to 1, and from above 0 to 1")


PRESETS = {"strict": Preset(0.5, 0.85), "default": Preset(0.4, 0.6), "loose": Preset(0.35, 0.3)}
"""From benchmarks/duplicates.py, on flowers: see there for what each finds."""


def pixel_digest(content: bytes) -> str:
    """The SHA-256 of the upright RGB pixels of a picture at full size, and of its sides: equal only for equal pixels.

    Files of several pages or frames are compared by all their bytes. Raises MediaError where it cannot be read.
    """
    if frames(content) > 1:
        return hashlib.sha256(content).hexdigest()
    picture = whole(content, MAX_PIXELS)
    digest = hashlib.sha256(f"{picture.pixels.shape}".encode())
    digest.update(picture.pixels.tobytes())
    return digest.hexdigest()


def kind_of(evidence: Evidence, accepted: float = PRESETS["default"].score) -> Kind:
    """What was done to one of the two to give the other; the first that holds of those that change most.

    `near` is what scores less than `accepted`: the same scene perhaps, but no proved copy.
    """
    proof, agreement = evidence.proof, evidence.agreement
    if evidence.score < accepted:
        return "near"
    if proof.mirrored or abs(proof.angle) > TURNED:
        return "mirrored or rotated"
    cut = min(agreement.left, agreement.right) < WHOLE
    if cut and agreement.outside >= PLAIN:
        return "cropped"
    if cut or agreement.changed > LAID_OVER:
        return "overlaid"
    if agreement.difference > RECOLORED:
        return "exposure or color"
    return "resized or recompressed"
