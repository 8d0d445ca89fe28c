"""Calibrations: what is stored comes back, and staleness follows the gallery."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simsearch.errors import UsageError
from simsearch.evaluation.statistics.probability import SameCurve
from simsearch.recognition.calibration import Calibration, calibrated, stale_reason
from simsearch.recognition.decide import top_scores
from simsearch.recognition.gallery import RULES, Gallery, Rule
from simsearch.types import Example

DIM = 16


def drawn(identities: int, each: int, seed: int) -> tuple[list[Example], np.ndarray]:
    """Examples around a center for each identity."""
    rng = np.random.default_rng(seed)
    centers = np.repeat(rng.normal(size=(identities, DIM)), each, axis=0)
    rows = centers + 0.4 * rng.normal(size=centers.shape)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    examples = [Example(at, f"{seed}-{at // each}", "") for at in range(len(rows))]
    return examples, rows.astype(np.float32)


GALLERY = Gallery.of(*drawn(20, 3, 0))
IMPOSTORS = drawn(200, 1, 1)[1]


def calibrate(gallery: Gallery = GALLERY, impostors: np.ndarray | None = IMPOSTORS, **changed: object) -> Calibration:
    tops = None if impostors is None else top_scores(impostors, gallery)
    asked = {"rate": 0.05, "confidence": 0.95, "prior": 0.5, "fingerprint": "a1"}
    return calibrated(gallery, tops, **(asked | changed))  # type: ignore[arg-type]


@pytest.mark.parametrize("impostors", [IMPOSTORS, None])
def test_what_is_stored_comes_back(impostors: np.ndarray | None) -> None:
    made = calibrate(impostors=impostors)
    assert made.threshold.guaranteed == (impostors is not None)
    assert made.probability is not None and made.probability.kind != "encoder"
    assert Calibration.of_document(json.loads(json.dumps(made.document()))) == made


def test_single_examples_take_the_curve_of_the_encoder_at_the_prior() -> None:
    gallery = Gallery.of(*drawn(20, 1, 0))
    three = (0.0, 0.5, 1.0)
    curve = SameCurve("drawn", 9, 9, three, (0.1, 0.5, 0.9), three, three)
    made = calibrate(gallery, curve=curve, prior=0.9)
    assert made.probability is not None and made.probability.kind == "encoder"
    assert made.probability(np.array([0.5])).tolist() == pytest.approx([0.1])
    assert calibrate(gallery).probability is None


def test_removing_one_of_several_examples_can_make_it_stale() -> None:
    """The mean of what is left may be nearer to the impostors."""
    near, far = np.eye(DIM, dtype=np.float32)[:2]
    examples = [Example(at, "Ana", "") for at in range(2)]
    impostors = np.tile(near, (60, 1))
    both, one = Gallery.of(examples, np.stack([near, far])), Gallery.of(examples[:1], near[None])
    made = calibrated(
        both, top_scores(impostors, both, "both"), rate=0.05, confidence=0.95, prior=0.5, fingerprint="a1", rule="both"
    )
    unchanged = top_scores(impostors, both, "both")
    assert stale_reason(made, unchanged, fingerprint="a1", rule="both") is None
    reason = stale_reason(made, top_scores(impostors, one, "both"), fingerprint="a1", rule="both")
    assert reason is not None and reason.startswith("refitting would raise the threshold to 1.0")


@given(st.sets(st.integers(0, 19), min_size=1, max_size=19), st.sampled_from(RULES))
def test_removing_identities_never_makes_it_stale(kept: set[int], rule: Rule) -> None:
    made = calibrated(
        GALLERY,
        top_scores(IMPOSTORS, GALLERY, rule),
        rate=0.05,
        confidence=0.95,
        prior=0.5,
        fingerprint="a1",
        rule=rule,
    )
    rows = [at for at, example in enumerate(GALLERY.examples) if int(example.label.partition("-")[2]) in kept]
    less = Gallery.of([GALLERY.examples[row] for row in rows], GALLERY.vectors[rows])
    assert stale_reason(made, top_scores(IMPOSTORS, less, rule), fingerprint="a1", rule=rule) is None


def test_the_rounding_of_products_of_another_shape_does_not_make_it_stale() -> None:
    tops = top_scores(IMPOSTORS, GALLERY)
    made = calibrate()
    assert stale_reason(made, tops + np.float32(3e-7), fingerprint="a1", rule="nearest") is None
    assert stale_reason(made, tops + np.float32(3e-6), fingerprint="a1", rule="nearest") is not None


def test_it_is_stale_when_refitting_would_raise_the_threshold() -> None:
    made = calibrate()
    near = IMPOSTORS[:30]
    more = Gallery.of(
        [*GALLERY.examples, *(Example(1000 + at, f"new {at}", "") for at in range(30))],
        np.concatenate([GALLERY.vectors, near]),
    )
    reason = stale_reason(made, top_scores(IMPOSTORS, more), fingerprint="a1", rule="nearest")
    assert reason is not None and reason.startswith("refitting would raise the threshold to 1.0")


def test_it_is_stale_with_another_encoder_or_rule_or_too_few_impostors() -> None:
    made, tops = calibrate(), top_scores(IMPOSTORS, GALLERY)
    assert stale_reason(made, tops, fingerprint="a1", rule="nearest") is None
    assert stale_reason(made, tops, fingerprint="b2", rule="nearest") == "another encoder"
    assert stale_reason(made, tops, fingerprint="a1", rule="mean") == "another rule, mean"
    left = stale_reason(made, tops[:58], fingerprint="a1", rule="nearest")
    assert left == "too few impostors are left, 58 of 200"
    assert stale_reason(calibrate(impostors=None), tops[:1], fingerprint="a1", rule="nearest") is None


def test_what_cannot_be_promised_is_refused() -> None:
    with pytest.raises(UsageError, match="needs at least 2,995 impostors, there are 200"):
        calibrate(rate=0.001)
    with pytest.raises(UsageError, match="prior of unknown queries is 1"):
        calibrate(prior=1)
    with pytest.raises(UsageError, match="enroll at least 2"):
        calibrate(Gallery.of(*drawn(1, 3, 0)), impostors=None)


@pytest.mark.parametrize(
    "wrong", [{"rule": "best"}, {"probability": {"scores": [], "probabilities": [], "kind": "isotonic", "log_loss": 0}}]
)
def test_a_damaged_calibration_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"no rule|as many"):
        Calibration.of_document(calibrate().document() | wrong)
