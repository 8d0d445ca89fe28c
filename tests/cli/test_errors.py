"""What is wrong with a request is told in one line, with the right exit code, and never with a traceback."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

LONG = "x" * 5000
USAGE = [
    [],
    ["nope"],
    ["--nope"],
    ["index"],
    ["query"],
    ["query", "a.png", "-k", "0"],
    ["query", "a.png", "-k", "many"],
    ["query", "a.png", "-t", "2"],
    ["query", "a.png", "-t", "nan"],
    ["recognize"],
    ["enroll", "Ana"],
    ["enroll", "Ana", "a.png", "--from-folders", "people"],
    ["forget"],
    ["remove"],
    ["train", "x"],
    ["check", "extra"],
    ["info", "a", "b"],
]


@pytest.mark.parametrize("words", USAGE, ids=" ".join)
def test_wrong_usage_exits_2(command, words):
    done = command(*words)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("Usage: simsearch")


FAILURES = [
    (["query", "a.png"], 1, "No collection in indexes yet. Make one: simsearch index FOLDER"),
    (["query", "a.png", "--index", "nope"], 1, "No collection at indexes/nope. Make one: simsearch index FOLDER"),
    (["recognize", "a.png"], 1, "No collection in indexes yet. Make one: simsearch index FOLDER"),
    (["forget", "Ana"], 1, "No collection in indexes yet. Make one: simsearch index FOLDER"),
    (["remove", "a.png"], 1, "No collection in indexes yet. Make one: simsearch index FOLDER"),
    (["info"], 1, "No collection in indexes yet. Make one: simsearch index FOLDER"),
    (["check", "--index", "nope"], 1, "No collection at indexes/nope. Make one: simsearch index FOLDER"),
    (["index", "missing"], 2, "missing does not exist; give a folder or files"),
    (["index", "a.png", "--encoder", "nope"], 1, "No encoder 'nope'"),
    (["index", "a.png", "--encoder", "a.png"], 1, "No encoder 'a.png'"),
    (["info", "nope"], 1, "No encoder 'nope'"),
    (
        ["index", "a.png", "--encoder", "photo-copies"],
        1,
        "The encoder 'photo-copies' is no longer bundled: photo finds",
    ),
    (
        ["info", "photo-copies"],
        1,
        "The encoder 'photo-copies' is no longer bundled: photo finds edited copies too; use",
    ),
    (["query", "a.png", "--index", "a.png"], 1, "No collection at indexes/a.png"),
    (["index", "a.png", "--index", "a.png/x"], 1, "a.png/x cannot be made"),
    (["index", LONG], 1, "File name too long"),
    (["query", "a.png", "--index", LONG], 1, "File name too long"),
    (["info", LONG], 1, "File name too long"),
]


@pytest.mark.parametrize(("words", "code", "said"), FAILURES, ids=lambda value: str(value)[:40])
def test_a_failure_is_told_in_one_line(command, place, draw, tiny, words, code, said):
    draw(place / "a.png", 1)
    if words[:2] == ["index", "a.png"] and "--encoder" not in words:
        words = [*words, "--encoder", str(tiny)]
    done = command(*words)
    assert (done.code, done.out) == (code, "")
    assert done.err.count("\n") == 1
    assert done.err.startswith("Error: ")
    assert said in done.err


WITH_COLLECTION = [
    (["query", "missing.png"], 1, "skipped missing.png: no such file"),
    (["query", "."], 1, "skipped .: is a folder"),
    (["query", LONG], 1, "file name too long"),
    (["query", ""], 1, "skipped"),
    (["recognize", "missing.png"], 2, "Nobody is enrolled"),
    (["enroll", " ", "gallery/0.png"], 2, "a label must have at least one letter"),
    (["enroll", "Ana", "missing.png"], 1, "no such file"),
    (["index", "gallery", "--labels", "missing.csv"], 2, "missing.csv"),
    (["index", "gallery", "--encoder", "nope"], 1, "No encoder 'nope'"),
    (["index", "missing", "--index", "gallery"], 2, "missing does not exist"),
    (["remove", "missing"], 1, "nothing in the collection has that path"),
]


@pytest.mark.parametrize(("words", "code", "said"), WITH_COLLECTION, ids=lambda value: str(value)[:40])
def test_a_failure_with_a_collection_is_told_in_one_line(command, indexed, words, code, said):
    done = command(*words, *(["--quiet"] if words[0] != "info" else []))
    assert (done.code, done.out) == (code, "")
    assert said in done.err
    assert done.err.count("\n") <= 2
    assert command("check").code == 0


def test_a_missing_encoder_says_so_and_stored_items_can_still_be_asked(command, gallery, place, tiny, draw):
    shutil.copytree(tiny, place / "mine")
    command("index", gallery, "--encoder", "mine", "--quiet")
    shutil.rmtree(place / "mine")
    assert len(command("query", gallery / "1.png", "--json").records) == 8
    outside = draw(place / "outside.png", 77)
    done = command("query", outside)
    assert done.code == 1
    assert done.err.startswith(f"Error: indexes/gallery was built with the encoder {place / 'mine'} (")
    assert done.err.endswith("Say where it is now, which is remembered: --encoder FOLDER\n")
    assert done.err.count("\n") == 1


@pytest.mark.parametrize("name", ["encoder.onnx", "encoder.json"])
def test_a_damaged_encoder_is_told_in_one_line(command, gallery, place, tiny, draw, name):
    shutil.copytree(tiny, place / "mine")
    command("index", gallery, "--encoder", "mine", "--quiet")
    (place / "mine" / name).write_bytes((place / "mine" / name).read_bytes()[:-20])
    done = command("query", draw(place / "outside.png", 77))
    assert done.code == 1
    assert name in done.err
    assert done.err.count("\n") == 1


def test_names_that_the_terminal_cannot_show_are_escaped(place, indexed, tiny, draw):
    draw(indexed / "日本.png", 60)
    line = [sys.executable, "-m", "simsearch", "index", str(indexed), "--quiet"]
    environment = {**os.environ, "PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"}
    assert subprocess.run(line, cwd=place, env=environment, timeout=60).returncode == 0
    line = [sys.executable, "-m", "simsearch", "query", str(indexed / "0.png")]
    done = subprocess.run(line, cwd=place, env=environment, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\\u65e5\\u672c.png" in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no closed standard input of this kind")
def test_a_closed_standard_input_is_told(place, indexed):
    line = f'exec "{sys.executable}" -m simsearch query - <&-'
    done = subprocess.run(["sh", "-c", line], cwd=place, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "Error: - stands for standard input, which is closed\n"
