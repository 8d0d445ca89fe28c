"""Copies are proved whatever was done to them; pictures that are merely alike are not."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps
from scenes import looked_at, scene, soft

from simsearch.duplicates.finding import alignment
from simsearch.duplicates.finding.aligned import Agreement
from simsearch.duplicates.finding.evidence import Evidence, described, examine, score
from simsearch.duplicates.finding.features import FEATURES, SIDE, Features, features, mirrored, view, view_of
from simsearch.duplicates.finding.geometry import Proof, fit, plausible
from simsearch.duplicates.finding.kinds import PRESETS, Preset, kind_of, pixel_digest
from simsearch.errors import MissingExtraError, UsageError


@pytest.fixture(scope="module")
def original() -> Image.Image:
    return scene(1)


def jpeg(picture: Image.Image, quality: int) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def captioned(picture: Image.Image) -> Image.Image:
    picture = picture.copy()
    ImageDraw.Draw(picture).rectangle((0, picture.height * 0.85, picture.width, picture.height), fill="black")
    return picture


EDITS = {
    "resized or recompressed": [
        lambda p: Image.open(io.BytesIO(jpeg(p, 20))),
        lambda p: p.resize((240, 180)),
        lambda p: p.resize((480, 300)),
    ],
    "exposure or color": [lambda p: ImageEnhance.Brightness(p).enhance(0.6), lambda p: p.convert("L").convert("RGB")],
    "cropped": [lambda p: p.crop((60, 40, 400, 320)), lambda p: p.crop((100, 80, 360, 300))],
    "mirrored or rotated": [
        ImageOps.mirror,
        lambda p: p.rotate(90, expand=True),
        ImageOps.flip,
        lambda p: p.rotate(8),
        lambda p: ImageOps.mirror(p).rotate(-90, expand=True),
    ],
    "overlaid": [captioned, lambda p: ImageOps.expand(p, 50, "navy")],
}


@pytest.mark.parametrize(("kind", "place"), [(kind, n) for kind, some in EDITS.items() for n in range(len(some))])
def test_a_copy_is_proved_and_its_kind_is_known(original: Image.Image, kind: str, place: int) -> None:
    evidence = examine(looked_at(original), looked_at(EDITS[kind][place](original)))
    assert evidence is not None and evidence.proof.inliers > 20
    assert evidence.score > PRESETS["default"].score
    assert kind_of(evidence) == kind


def test_the_transformation_takes_pixels_to_pixels(original: Image.Image) -> None:
    cut = original.crop((60, 40, 400, 320)).resize((680, 560))
    left, right = looked_at(original), looked_at(cut)
    evidence = examine(left, right)
    assert evidence is not None
    wanted = [[2, 0, -119.5], [0, 2, -79.5]]
    np.testing.assert_allclose(evidence.on_originals(left.view, right.view), wanted, atol=2)
    np.testing.assert_allclose(evidence.on_originals(left.view, right.view)[:, :2], [[2, 0], [0, 2]], atol=0.02)
    assert evidence.agreement.left == pytest.approx(340 * 280 / (480 * 360), abs=0.02)
    assert evidence.agreement.right > 0.96
    back = examine(right, left)
    assert back is not None and back.agreement.right == pytest.approx(evidence.agreement.left, abs=0.02)


def test_a_mirror_image_has_a_transformation_that_reflects(original: Image.Image) -> None:
    evidence = examine(looked_at(original), looked_at(ImageOps.mirror(original)))
    assert evidence is not None and evidence.proof.mirrored and abs(evidence.proof.angle) < 1
    np.testing.assert_allclose(evidence.proof.matrix, [[-1, 0, SIDE - 1], [0, 1, 0]], atol=1.5)


@pytest.mark.parametrize("other", range(2, 8))
def test_other_scenes_are_refused(original: Image.Image, other: int) -> None:
    evidence = examine(looked_at(original), looked_at(scene(other)))
    assert evidence is None or evidence.score < PRESETS["loose"].score


def test_the_same_pictures_give_the_same_evidence(original: Image.Image) -> None:
    first, second = (
        examine(looked_at(original), looked_at(ImageEnhance.Brightness(original).enhance(0.7))) for _ in range(2)
    )
    assert first is not None and second is not None
    assert first.score == second.score and (first.proof.matrix == second.proof.matrix).all()


# -- few features --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "edit",
    [
        lambda p: p.resize((240, 180)),
        ImageOps.mirror,
        lambda p: p.rotate(90, expand=True),
        lambda p: p.filter(ImageFilter.GaussianBlur(3)),
        lambda p: p.crop((80, 60, 420, 315)),
        lambda p: ImageOps.mirror(p).rotate(90, expand=True),
        ImageOps.flip,
    ],
)
def test_pictures_without_features_are_aligned_by_themselves(edit) -> None:
    left, right = looked_at(soft(1)), looked_at(edit(soft(1)))
    assert fit(left.features, right.features, left.view.pixels.shape[1]) is None
    evidence = examine(left, right)
    assert evidence is not None and evidence.proof.inliers == 0
    assert evidence.score > PRESETS["default"].score


@pytest.mark.parametrize("other", range(2, 6))
def test_others_without_features_are_refused(other: int) -> None:
    evidence = examine(looked_at(soft(1)), looked_at(soft(other)))
    assert evidence is None or evidence.score < PRESETS["loose"].score


@pytest.mark.parametrize("color", [(0, 0, 0), (255, 255, 255), (90, 120, 150)])
def test_plain_pictures_are_no_evidence(color: tuple[int, int, int]) -> None:
    plain = looked_at(Image.new("RGB", (300, 200), color))
    assert len(plain.features) == 0
    assert examine(plain, plain) is None
    evidence = examine(plain, looked_at(scene(1)))
    assert evidence is None or evidence.score == 0


def test_alignment_of_parts_goes_both_ways() -> None:
    whole, part = looked_at(soft(1)).view, looked_at(soft(1).crop((80, 60, 420, 315))).view
    proofs = alignment.align(whole, part), alignment.align(part, whole)
    assert proofs[0] is not None and proofs[1] is not None
    there_and_back = np.vstack([proofs[0].matrix, [0, 0, 1]]) @ np.vstack([proofs[1].matrix, [0, 0, 1]])
    np.testing.assert_allclose(there_and_back[:2, :2], np.eye(2), atol=0.05)


def product(detail: int) -> Image.Image:
    """Drawings of a series: all alike but for one part."""
    page = Image.new("RGB", (400, 400), "white")
    pen = ImageDraw.Draw(page)
    pen.polygon([(60, 80), (330, 60), (300, 340), (90, 300)], fill=(180, 60, 40), outline="black")
    for place in range(5):
        pen.ellipse(
            (90 + 40 * place, 90 + 20 * place, 130 + 40 * place, 125 + 20 * place), fill="navy", outline="white"
        )
    pen.rectangle((90, 220 + 14 * detail, 170, 260 + 14 * detail), fill=(30 * detail, 160, 90), outline="black")
    return page


def test_drawings_of_a_series_are_alike_but_no_copies() -> None:
    evidence = examine(looked_at(product(0)), looked_at(product(3)))
    assert evidence is not None
    assert PRESETS["loose"].score <= evidence.score < PRESETS["default"].score
    assert kind_of(evidence) == "near"


@pytest.mark.parametrize(
    ("changed", "fidelity", "share", "copy"),
    [
        (0.0, 0.82, 1.0, True),  # Recompressed: nothing has changed, everything a little.
        (0.19, 0.97, 0.75, True),  # A bar is laid over it, the rest is as it was.
        (0.33, 0.95, 0.70, True),  # A sticker.
        (0.16, 0.83, 0.77, False),  # Another expression of the same face.
        (0.20, 0.91, 0.62, False),  # Another garment on the same floor.
        (0.0, 1.0, 0.60, False),
    ],
)
def test_another_shot_of_a_scene_is_no_copy(changed: float, fidelity: float, share: float, copy: bool) -> None:
    agreement = Agreement(share, share, 300, 1.0, 1.0, changed, 15.0, 5.0, 0.0, fidelity)
    found = score(Proof(np.eye(2, 3), 150, 200), agreement, 400.0, 500)
    assert (found >= PRESETS["default"].score) == copy


# -- parts ---------------------------------------------------------------------------------------------------------


def test_features_of_a_mirror_image_need_no_second_look(original: Image.Image) -> None:
    found = features(looked_at(original).view)
    assert 100 < len(found) <= FEATURES
    reflected = mirrored(found, SIDE)
    anew = features(view_of(np.asarray(ImageOps.mirror(original))))
    distances = np.linalg.norm(reflected.points[:, None] - anew.points, axis=2)
    alike = reflected.descriptors.astype(int) @ anew.descriptors.T.astype(int) / 512**2
    assert (np.where(distances < 1.5, alike, 0).max(axis=1) > 0.95).mean() > 0.85
    twice = mirrored(reflected, SIDE)
    np.testing.assert_array_equal(twice.descriptors, found.descriptors)
    np.testing.assert_allclose(twice.points, found.points, atol=1e-4)


def test_matches_that_agree_with_many_transformations_prove_nothing() -> None:
    assert Proof(np.eye(2, 3), 3, 50).significance(120_000) == 0
    assert Proof(np.eye(2, 3), 6, 90).significance(120_000) < 2
    assert Proof(np.eye(2, 3), 6, 6).significance(120_000) > 5
    assert Proof(np.eye(2, 3), 30, 60).significance(120_000) > 50


@pytest.mark.parametrize(
    "matrix", [[[0.01, 0], [0, 1]], [[9, 0], [0, 9]], [[1, 0], [0, 2]], [[-1, 0], [0, 1]], [[1, 1.5], [0, 1]]]
)
def test_transformations_that_nobody_makes_are_refused(matrix: list[list[float]]) -> None:
    assert not plausible(np.hstack([np.array(matrix, float), np.zeros((2, 1))]))


def test_too_few_features_fit_nothing() -> None:
    none = Features(np.empty((0, 2), np.float32), np.empty((0, 128), np.uint8))
    assert fit(none, none, 100) is None


def test_without_opencv_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, original: Image.Image) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(MissingExtraError, match=r"simsearch\[dedupe\]"):
        described(view(jpeg(original, 90)))


def test_equal_pixels_have_one_digest_whatever_holds_them(original: Image.Image) -> None:
    held = {}
    for form in ("PNG", "BMP", "TIFF"):
        stream = io.BytesIO()
        original.save(stream, form)
        held[form] = pixel_digest(stream.getvalue())
    assert len(set(held.values())) == 1
    assert pixel_digest(jpeg(original, 95)) not in held.values()
    turned = io.BytesIO()
    original.rotate(180).save(turned, "PNG")
    assert pixel_digest(turned.getvalue()) not in held.values()


def test_an_edit_in_a_file_is_described_from_its_bytes(original: Image.Image) -> None:
    evidence = examine(described(view(jpeg(original, 90))), described(view(jpeg(original.resize((960, 720)), 60))))
    assert isinstance(evidence, Evidence) and kind_of(evidence) == "resized or recompressed"


def test_presets_are_checked_and_ordered() -> None:
    assert PRESETS["strict"].score > PRESETS["default"].score > PRESETS["loose"].score
    with pytest.raises(UsageError, match="score 0"):
        Preset(0.5, 0)
