"""simsearch evaluate: what it prints, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

QUICK = ("--episodes", "20", "--pairs", "60", "--rounds", "20")


@pytest.fixture(scope="module")
def classes(tmp_path_factory, image):
    """Three classes of four noisy images each."""
    root = tmp_path_factory.mktemp("evaluate") / "classes"
    for number in range(12):
        base = np.asarray(image(number % 3).resize((24, 24))).astype(np.int64)
        noisy = base + np.random.default_rng(number).normal(0, 30, size=base.shape)
        path = root / "abc"[number % 3] / f"{number:04}_{number // 3:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(path)
    return root


def test_a_table_names_each_system_and_figure(command, tiny, classes):
    done = command("evaluate", tiny, classes, *QUICK, "--baselines", "--quiet", "--threshold", "0.5")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0] == "episodes: 20 episodes, one query for each class"
    assert lines[1].split() == ["tiny", "raw", "pixels", "color", "histogram"]
    assert lines[2].startswith("  3-way 1-shot  1.000 [1.000, 1.000]")
    assert lines[3] == "verification: 60 pairs, 30 of them genuine, of 3 classes; threshold 0.500 as given"
    rows = {line.strip().split("  ")[0]: line for line in lines if line.startswith("  ")}
    for name in ("ROC AUC", "TAR at FAR 0.01", "EER", "MAP@R", "R-precision", "MRR", "nDCG@10", "recall@1"):
        assert rows[name].count("[") == 3
    # A given threshold is that of the encoder's scores, so the baselines have no accuracy.
    assert rows["accuracy"].count("[") == 1


def test_json_is_one_object_with_every_figure(command, tiny, classes):
    words = ("--protocol", "retrieval", "--at", "2", "--protocol", "verification", "--far", "0.25", "--seed", "3")
    done = command("evaluate", tiny, classes, *QUICK, *words, "--json", "--quiet")
    (record,) = done.records
    assert (record["encoder"], record["items"], record["classes"], record["seed"]) == ("tiny", 12, 3, 3)
    assert [result["protocol"] for result in record["results"]] == ["retrieval", "verification"]
    figures = record["results"][0]["figures"]
    assert list(figures) == ["recall@2", "map@r", "r_precision", "mrr", "ndcg@2"]
    point = record["results"][1]["figures"]["tar@far=0.25"]
    assert set(point) == {"value", "low", "high", "threshold"}
    line = next(line for line in command("evaluate", tiny, classes, *QUICK, *words).out.splitlines() if "0.25" in line)
    assert point["threshold"] <= float(line.rpartition(" at score ")[2]) < point["threshold"] + 0.00101
    for figure in figures.values():
        assert 0 <= figure["low"] <= figure["value"] <= figure["high"] <= 1
    assert command("evaluate", tiny, classes, *QUICK, *words, "--json", "--quiet").out == done.out


def test_texts_with_named_columns(command, tiny_text, place):
    rows = ["one two,two one,4", "one,three,1", "two three,three,3", "four,one,0"]
    (place / "grades.csv").write_text("a,b,grade\n" + "\n".join(rows) + "\n")
    words = ("--columns", "left=a,right=b,score=grade", "--score-range", "0,5", "--baselines")
    done = command("evaluate", tiny_text, "grades.csv", *words, "--quiet")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[0] == "graded: 4 pairs, graded from 0 to 4"
    assert done.out.splitlines()[1].split() == ["tiny-text", "TF-IDF"]


def test_skipped_files_are_told_and_the_rest_is_judged(command, tiny, classes, place):
    broken = Path("broken/a/1.png")
    broken.parent.mkdir(parents=True)
    for number in range(2):
        Image.new("RGB", (9, 9), (number * 99, 0, 50)).save(broken.with_name(f"{number + 2}.png"))
    (broken.parents[1] / "b").mkdir()
    for number in range(2):
        Image.new("RGB", (9, 9), (0, number * 99, 50)).save(broken.parents[1] / "b" / f"{number}.png")
    broken.write_bytes(b"nothing")
    done = command("evaluate", tiny, "broken", *QUICK, "--json", "--quiet")
    assert done.code == 0 and "skipped" in done.err and "1.png" in done.err
    assert json.loads(done.out)["skipped"] == 1


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["nothing"], 1, "does not exist"),
        (["CLASSES", "--protocol", "best"], 2, "no protocol 'best'; there are episodes, runs"),
        (["CLASSES", "--protocol", "open-set"], 2, "open-set needs 4 classes with at least 2 items each"),
        (["CLASSES", "--protocol", "open-set", "--draws", "0"], 2, "--draws 0: must be at least 1"),
        (["CLASSES", "--protocol", "graded"], 2, "needs graded pairs, but the data is classes"),
        (["CLASSES", "--held-out"], 2, "names no held-out classes"),
        (["CLASSES", "--ways", "20"], 2, "20 ways need 20 classes with at least 2 examples; there are 3"),
        (["CLASSES", "--threshold-from", "CLASSES"], 2, "12 of its files or texts are also evaluated on"),
        (["CLASSES", "--rounds", "0"], 2, "--rounds 0: must be at least 1"),
        (["CLASSES", "--seed", "-1"], 2, "--seed -1: must be at least 0"),
        (["CLASSES", "--far", "2"], 2, "--far 2.0: give a rate from 0 to 1"),
        (["CLASSES", "--score-range", "wide"], 2, "'wide' is not a range; give two numbers as 0,5"),
        (["CLASSES", "--score-range", "0,nan"], 2, "'0,nan' is not a range; give two numbers as 0,5"),
        (["CLASSES", "--threshold", "nan"], 2, "nan is not a number to compare with"),
    ],
)
def test_wrong_requests_are_told_in_one_line(command, tiny, classes, words, code, said):
    words = [classes if word == "CLASSES" else word for word in words]
    done = command("evaluate", tiny, *words, "--quiet")
    assert (done.code, done.out) == (code, "")
    assert said in done.err.splitlines()[-1]


def test_a_report_is_written_and_its_place_is_looked_at_first(command, tiny, classes, place):
    done = command("evaluate", tiny, classes, *QUICK, "--report", "report.html")
    assert done.code == 0 and done.err.splitlines()[-1] == "report: report.html"
    assert (place / "report.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    done = command("evaluate", tiny, "missing", "--report", "report.txt", "--quiet")
    assert (done.code, done.err) == (
        2,
        "Error: report.txt: an evaluation report cannot be .txt; give a name that ends in .html or .htm\n",
    )
