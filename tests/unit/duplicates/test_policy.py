"""What is kept follows the stated order, and each that goes has its reason."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from simsearch.duplicates.finding.policy import Candidate, Policy, choose, sharpness
from simsearch.errors import UsageError

PLAIN = Candidate("a/plain.jpg", 1000, 800, 300_000, 1_000, "jpeg", sharpness=100.0, metadata=3)


@pytest.mark.parametrize(
    ("better", "reason"),
    [
        ({"width": 2000, "size": 600_000}, "the one kept has more pixels: 2000x800, this 1000x800"),
        ({"sharpness": 200.0}, "the one kept is sharper: 200, this 100"),
        ({"size": 400_000}, "the one kept is compressed less: 0.50 bytes a pixel, this 0.38"),
        ({"format": "png"}, "the one kept has the better format: png, this jpeg"),
        ({"metadata": 9}, "the one kept has 9 entries of metadata, this 3"),
        ({"mtime_ns": 500}, "the one kept is older"),
        ({"size": 300_001}, "the one kept is larger: 300,001 bytes, this 300,000"),
    ],
)
def test_the_first_difference_that_counts_decides(better: dict, reason: str) -> None:
    other = replace(PLAIN, path="z/some-longer-name.jpg", **better)
    assert choose([PLAIN, other]).kept == 1
    assert choose([other, PLAIN]).reasons == ("", reason)


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
    assert "more pixels" in reasons[0] and "sharper" in reasons[2]


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
