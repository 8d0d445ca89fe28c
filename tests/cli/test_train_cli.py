"""simsearch train, and the encoder that it makes in use."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from PIL import Image

from simsearch.cli.learning.training import _tell_split


@pytest.fixture(scope="module")
def labelled(tmp_path_factory, image):
    """Three classes of twenty noisy images each."""
    root = tmp_path_factory.mktemp("train") / "labelled"
    for number in range(60):
        base = np.asarray(image(number % 3).resize((28, 28))).astype(np.int64)
        noisy = base + np.random.default_rng(number).normal(0, 15, size=base.shape)
        folder = root / "abc"[number % 3]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(folder / f"{number}.png")
    return root


def test_a_trained_encoder_is_used_by_the_other_commands(command, process, labelled, place):
    words = ("--preset", "digits", "--steps", "30", "--no-report", "--seed", "3")
    # In a process of its own: torch warns of itself while it exports.
    done = process("train", labelled, "-o", "encoders/mine", *words, "--json", "--quiet")
    assert (done.code, done.err) == (0, "")
    record = done.records[0]
    assert record["encoder"] == "encoders/mine"
    assert record["plots"] == []
    written = json.loads((place / "encoders" / "mine" / "encoder.json").read_bytes())
    assert record["figures"].items() <= written["figures"].items()
    assert written["dim"] == 128
    assert command("info", "encoders/mine").out.startswith("encoder ")
    again = command("train", labelled, "-o", "encoders/mine", *words)
    assert again.code != 0
    assert "--overwrite" in again.err
    assert command("index", labelled, "--encoder", "encoders/mine", "--labels", "folder", "--quiet").code == 0
    hits = 0
    for name in "abc":
        path = sorted((labelled / name).iterdir())[0]
        found = command("query", path, "--json", "-k", "5", "--exclude-self").records
        hits += sum(match["label"] == name for match in found)
    assert hits == 15


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["missing", "-o", "out"], "missing"),
        (["LABELLED", "-o", "out", "--preset", "nope"], "No preset 'nope'; there are shapes, digits"),
        (["LABELLED", "-o", "out", "--loss", "nope"], "No loss 'nope'"),
        (["LABELLED", "-o", "out", "--steps", "0"], "steps must be above 0"),
        (["LABELLED"], "Missing option '-o'"),
        (["LABELLED", "-o", "out", "--shares", "1", "0", "0"], "Error: --shares is a setting: --set counts=TRAIN,VALI"),
        (["LABELLED", "-o", "out", "--steps", "3", "--set", "steps=3"], "setting steps is given twice, as an option"),
        (["LABELLED", "-o", "out", "--steps", "3", "--minutes", "1"], "give only one of epochs, steps and minutes"),
        (["LABELLED", "-o", "out", "--nope"], "No such option"),
    ],
)
def test_wrong_requests_are_told_in_one_line(command, labelled, place, words, said):
    done = command("train", *[labelled if word == "LABELLED" else word for word in words], "--quiet")
    assert done.code in (1, 2)
    assert said in done.err.splitlines()[-1]
    assert not (place / "out").exists()


@pytest.mark.slow
def test_without_a_preset_it_goes_on_from_an_encoder_that_ships(process, labelled):
    words = ("train", labelled, "-o", "encoders/on", "--steps", "1", "--freeze", "all", "--no-report")
    done = process(*words, "--json", "--quiet")
    assert (done.code, done.err) == (0, "")
    start = done.records[0]["start"]
    compared = start["encoders_compared"]
    assert list(compared) == ["photo", "glyph", "strokes"]
    assert start["encoder"] == max(compared, key=compared.__getitem__)
    told = process(*words, "--overwrite").out
    shown = ", ".join(f"{name} {known}" for name, known in compared.items())
    assert re.search(
        rf"^initial encoder +{start['encoder']}, the best on the train partition: {re.escape(shown)}$", told, re.M
    )
    named = process(*words, "--overwrite", "--from", "photo").out
    assert re.search(r"^initial encoder +photo$", named, re.M)
    fresh = process("train", labelled, "-o", "encoders/fresh", "--preset", "digits", "--steps", "1", "--no-report")
    assert fresh.code == 0
    assert "initial encoder" not in fresh.out


def test_items_with_two_labels_are_told(process, tmp_path):
    rows = "".join(f"text {number} of {kind},{kind}\n" for number in range(10) for kind in ("a", "b"))
    (tmp_path / "kinds.csv").write_text("text,label\n" + rows + "text 3 of a,b\n", encoding="utf-8")
    words = ("train", tmp_path / "kinds.csv", "--preset", "words", "--steps", "1", "--no-report")
    told = "Identical items with several labels: 1; each is used with the first of its classes only."
    assert told in process(*words, "-o", "encoders/twice").out.splitlines()
    (tmp_path / "kinds.csv").write_text("text,label\n" + rows, encoding="utf-8")
    assert "several labels" not in process(*words, "-o", "encoders/once").out


def test_files_that_were_left_out_are_in_the_record(process, tmp_path):
    for number in range(20):
        path = tmp_path / "kinds" / "ab"[number % 2] / f"{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"text {number}" if number else "", encoding="utf-8")
    words = ("train", tmp_path / "kinds", "-o", "out", "--preset", "words", "--steps", "1", "--no-report", "--json")
    assert process(*words).records[0]["skipped_files"] == [
        {"path": str(tmp_path / "kinds" / "a" / "0.txt"), "reason": "empty file", "count": 1}
    ]


def test_test_classes_that_its_start_had_learned_are_told(process, tmp_path, image):
    for number in range(48):
        folder = tmp_path / "kinds" / f"kind {number % 12}"
        folder.mkdir(parents=True, exist_ok=True)
        image(number).resize((28, 28)).save(folder / f"{number}.png")
    words = ["train", tmp_path / "kinds", "--steps", "1", "--no-report", "--quiet", "--split", "class"]
    first = process(*words, "-o", "encoders/first", "--preset", "digits", "--test", "kind 0", "--test", "kind 1")
    assert first.code == 0
    words = [word for word in words if word != "--quiet"]
    second = process(
        *words, "-o", "encoders/second", "--from", "encoders/first", "--test", "kind 1", "--test", "kind 2"
    )
    assert (
        "\n1 of the test classes have names of classes that the initial encoder was trained on: if they are the same"
        in second.out
    )
    assert re.search(
        r"^training: seen_before +10, the first are kind 10, kind 11, kind 2$",
        process("info", "encoders/second").out,
        re.M,
    )


def test_classes_with_one_example_are_all_listed(capsys):
    _tell_split({"one_example": [f"class {number}" for number in range(30)]})
    assert capsys.readouterr().out == (
        "30 classes with one example to train on, negatives of the others: "
        + ", ".join(f"class {number}" for number in range(30))
        + "\n"
    )
    _tell_split({"one_example": []})
    assert capsys.readouterr().out == ""
