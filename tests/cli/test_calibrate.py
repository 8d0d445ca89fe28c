"""simsearch calibrate, compare, identities, rename and merge."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw


def character(path, seed: int, hand: int = 0) -> None:
    """A character of some strokes, as one hand draws it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    points = np.random.default_rng(seed).integers(10, 95, (6, 2)).astype(float)
    points += np.random.default_rng(1000 * seed + hand).normal(0, 2, points.shape)
    image = Image.new("L", (105, 105), 255)
    ImageDraw.Draw(image).line([tuple(point) for point in points], fill=0, width=3)
    image.save(path)


@pytest.fixture
def characters(command, place):
    for seed in range(6):
        for hand in range(3):
            character(place / "known" / f"c{seed}" / f"{hand}.png", seed, hand)
    for seed in range(100, 160):
        character(place / "strangers" / f"{seed}.png", seed)
    assert command("enroll", "--from-folders", "known", "--encoder", "glyph", "--quiet").code == 0
    return place


def test_a_calibration_decides_what_recognize_prints(command, characters):
    few = command("calibrate", "--far", "0.01", "--impostors", "strangers", "--quiet")
    assert (few.code, few.out) == (2, "")
    assert "needs at least 299 impostors, there are 60; 60 can promise 0.049" in few.err
    done = command("calibrate", "--far", "0.05", "--impostors", "strangers", "--json", "--quiet")
    (record,) = done.records
    assert (record["guaranteed"], record["impostors"], record["exceeding"], record["identities"]) == (True, 60, 0, 6)
    assert [one["times"] for one in record["projections"]] == [10, 100]
    answers = command("recognize", *sorted((characters / "strangers").iterdir()), "--json").records
    assert {answer["label"] for answer in answers} == {None}
    assert list(answers[0]) == [
        "query",
        "label",
        "probability",
        "impostor_p_value",
        "score",
        "threshold",
        "stale",
        "runner_up",
        "evidence",
    ]
    assert answers[0]["threshold"] == record["threshold"]
    character(characters / "new.png", 3, hand=9)
    (known,) = command("recognize", "new.png", "--json").records
    assert (known["stale"], known["evidence"][0]["label"]) == (False, "c3")
    assert 0 < known["impostor_p_value"] <= 1
    assert command("recognize", "new.png").out.startswith(("c3 ", "unknown "))


def test_a_broken_promise_is_said_with_its_cure(command, characters):
    command("calibrate", "--far", "0.05", "--impostors", "strangers", "--quiet")
    for seed in range(100, 103):
        character(characters / "others" / f"o{seed}.png", seed, hand=1)
        command("enroll", f"o{seed}", f"others/o{seed}.png", "--quiet")
    done = command("recognize", "known/c1/0.png")
    assert "stale: the calibration no longer holds" in done.err
    assert "simsearch calibrate --far 0.05" in done.err
    again = command("calibrate", "--far", "0.05")
    assert "at most 0.05 of unknown inputs are accepted, at confidence 0.95 (0 of 60" in again.out
    assert command("recognize", "known/c1/0.png").err == ""


def test_without_impostors_it_says_that_it_is_no_guarantee(command, characters):
    done = command("calibrate", "--far", "0.05", "--quiet", "--json")
    assert (done.records[0]["guaranteed"], done.records[0]["impostors"]) == (False, 0)
    assert "estimate, no guarantee" in command("calibrate", "--far", "0.05").out
    assert command("calibrate", "--far", "1.5").code == 2


def test_two_files_are_compared_with_and_without_a_collection(command, characters, tmp_path):
    same = command("compare", "known/c1/0.png", "known/c1/1.png", "--json").records[0]
    other = command("compare", "known/c1/0.png", "known/c2/1.png", "--json", "--encoder", "glyph").records[0]
    assert list(same) == ["a", "b", "same", "probability", "score", "threshold"]
    assert same["same"] and not other["same"]
    assert same["probability"] > 0.5 > other["probability"]
    assert command("compare", "known/c1/0.png", "known/c1/1.png").out.startswith("same: P(same) ")
    assert command("compare", "known/c1/0.png", "known/c1/1.png", "-t", "1").out.startswith("different: ")
    assert command("compare", "known/c1/0.png", "missing.png").code == 1


def test_identities_are_listed_renamed_and_merged(command, characters):
    listed = command("identities", "--json").records
    assert [record["label"] for record in listed] == [f"c{seed}" for seed in range(6)]
    assert len(listed[0]["examples"]) == 3
    assert listed[0]["examples"][0]["added"].startswith("20")
    assert command("rename", "c0", "alpha").out == "alpha: 3 examples, was c0\n"
    assert command("merge", "c1", "alpha").out == "alpha: 3 examples from c1, 6 in all\n"
    assert command("merge", "c1", "alpha").code == 2
    assert command("forget", "--example", "known/c2/0.png").code == 0
    assert "c2" in command("identities").out
    assert command("forget", "c2", "--example", "x").code == 2
    assert command("forget").code == 2


def test_check_shows_that_a_label_is_forgotten(command, characters):
    before = command("check", "--forgotten", "c3")
    assert (before.code, before.out) == (1, "")
    assert before.err == "left of c3: 3 examples are of 'c3': simsearch forget\n"
    assert command("forget", "c3").code == 0
    after = command("check", "--forgotten", "c3", "--json")
    assert (after.code, after.records) == (0, [{"label": "c3", "clean": True, "traces": [], "items": 0}])
    assert "nothing in this collection names c3" in command("check", "--forgotten", "c3").out
