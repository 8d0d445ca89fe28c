"""What is kept follows the stated order, and each that goes has its reason."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from simsearch.duplicates.finding.policy import Candidate, Policy, choose, colorfulness, sharpness
from simsearch.errors import UsageError

PLAIN = Candidate("a/plain.jpg", 1000, 800, 300_000, 1_000, "jpeg", sharpness=100.0, metadata=3)


@pytest.mark.parametrize(
    ("better", "reason"),
    [
        ({"width": 2000, "size": 600_000}, "the one kept has more pixels: 2000x800, this 1000x800"),
        ({"sharpness": 800.0}, "this is blurred: sharpness 100, of the one kept 800"),
        ({"color": 40.0}, "this is gray or pale: color 0, of the one kept 40"),
        ({"metadata": 12}, "the one kept has 12 entries of metadata, this 3"),
        ({"size": 1_000_000}, "this is compressed more: 0.38 bytes a pixel, the one kept 1.25"),
        ({"format": "png"}, "the one kept has the better format: png, this jpeg"),
        ({"mtime_ns": 500}, "the one kept is older"),
        ({"size": 300_001}, "the one kept is larger: 300,001 bytes, this 300,000"),
    ],
)
def test_the_first_difference_that_counts_decides(better: dict, reason: str) -> None:
    other = replace(PLAIN, path="z/some-longer-name.jpg", **better)
    assert choose([PLAIN, other]).kept == 1
    assert choose([other, PLAIN]).reasons == ("", reason)


def test_an_original_is_kept_before_what_was_made_of_it() -> None:
    """Noise, sharpening and few colors raise sharpness and bytes; the original is the oldest."""
    edits = {
        "noise": (5.0, 1.0, 1.9),
        "sharpened": (4.0, 1.0, 1.4),
        "64 colors": (3.0, 1.1, 1.2),
        "jpeg": (1.1, 1.0, 0.4),
    }
    edits |= {"blurred": (0.1, 1.0, 0.7), "gray": (1.0, 0.0, 0.8)}
    plain = replace(PLAIN, color=50.0)
    for count in range(1, len(edits) + 1):
        for names in itertools.combinations(edits, count):
            made = [
                replace(
                    plain, path=f"{name}.jpg", sharpness=100 * a, color=50 * b, size=int(300_000 * c), mtime_ns=2_000
                )
                for name in names
                for a, b, c in [edits[name]]
            ]
            assert choose([*made, plain]).kept == len(made), names


def test_small_differences_do_not_decide() -> None:
    nearly = replace(PLAIN, path="b/plain.jpg", sharpness=101.0, mtime_ns=2_000)
    assert choose([nearly, PLAIN]).kept == 1


def test_a_preferred_folder_comes_first_and_is_matched_by_parts() -> None:
    larger, held = replace(PLAIN, path="albums-old/x.jpg", width=4000), replace(PLAIN, path="albums/x.jpg")
    found = choose([larger, held], Policy(folders=("albums",)))
    assert (found.kept, found.reasons[0]) == (1, "the one kept is in the preferred folder albums")


def test_the_order_can_be_set() -> None:
    large, new = replace(PLAIN, width=2000), replace(PLAIN, path="b.jpg", mtime_ns=5_000)
    assert choose([large, new], Policy(("newest",))).kept == 1
    assert choose([large, new], Policy(("resolution",))).kept == 0
    assert choose([replace(large, size=9), new], Policy(("smallest",))).kept == 0


def test_equal_candidates_are_told_apart_by_path() -> None:
    found = choose([replace(PLAIN, path=path) for path in ("bb/1.jpg", "b/2.jpg", "b/1.jpg")])
    assert found.kept == 2 and found.reasons[0].startswith("equal in all that counts") and found.reasons[2] == ""


def test_each_that_goes_has_its_own_reason() -> None:
    small, blurred = replace(PLAIN, path="s.jpg", width=500), replace(PLAIN, path="b.jpg", sharpness=10.0)
    reasons = choose([small, PLAIN, blurred]).reasons
    assert "more pixels" in reasons[0] and "blurred" in reasons[2]


def test_what_makes_no_policy() -> None:
    with pytest.raises(UsageError, match="no criterion 'colour'"):
        Policy(("colour",))
    with pytest.raises(UsageError, match="named twice"):
        Policy(("size", "age", "size"))
    with pytest.raises(UsageError, match="no candidates"):
        choose([])


def test_sharpness_falls_with_blur() -> None:
    rng = np.random.default_rng(0)
    sharp = rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)
    blurred = ((sharp.astype(int) + np.roll(sharp, 1, 0) + np.roll(sharp, 1, 1)) // 3).astype(np.uint8)
    assert sharpness(sharp) > 2 * sharpness(blurred) > 0
    assert sharpness(sharp[:2]) == 0


def test_gray_pictures_have_no_color() -> None:
    gray = np.repeat(np.arange(48, dtype=np.uint8).reshape(4, 12, 1), 3, axis=2)
    assert colorfulness(gray) == 0
    gray[..., 1] += 200
    assert colorfulness(gray) == 200
