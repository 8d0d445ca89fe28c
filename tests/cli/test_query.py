"""simsearch query."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from simsearch.encoders import open_encoder

KEYS = ["query", "rank", "score", "score_kind", "id", "path", "label", "metadata", "text", "problem", "copies"]


def test_json_gives_one_object_a_match_with_exactly_these_keys(command, indexed, tiny):
    done = command("query", indexed / "2.png", "--json", "-k", "3")
    assert (done.code, done.err) == (0, "")
    vectors = open_encoder(tiny).encode(sorted(indexed.iterdir())).astype(np.float64)
    scores = vectors @ vectors[2]
    order = np.argsort(-scores)[:3]
    assert [list(record) for record in done.records] == [KEYS] * 3
    assert [record["path"] for record in done.records] == [str(indexed / f"{n}.png") for n in order]
    assert [record["score"] for record in done.records] == pytest.approx(scores[order], abs=1e-5)
    assert [record["rank"] for record in done.records] == [1, 2, 3]
    assert {record["query"] for record in done.records} == {str(indexed / "2.png")}


def test_people_get_a_table(command, indexed):
    lines = command("query", indexed / "2.png").out.splitlines()
    assert len(lines) == 8
    assert lines[0] == f"1   1.000  {indexed / '2.png'}"


def test_standard_input_gives_what_the_file_gives(command, indexed):
    by_path = command("query", indexed / "4.png", "--json").records
    by_pipe = command("query", "-", "--json", given=(indexed / "4.png").read_bytes()).records
    assert [{**record, "query": "-"} for record in by_path] == by_pipe


def test_several_are_answered_in_turn_and_unreadable_ones_listed(command, indexed, place):
    (place / "broken.png").write_bytes(b"x")
    done = command("query", indexed / "1.png", "broken.png", "missing.png", indexed / "3.png", "--json", "-k", "1")
    assert done.code == 0
    assert [Path(record.get("path", record["query"])).name for record in done.records] == [
        "1.png",
        "broken.png",
        "missing.png",
        "3.png",
    ]
    assert [line.split(":")[0] for line in done.err.splitlines()] == ["skipped broken.png", "skipped missing.png"]
    titled = command("query", indexed / "1.png", indexed / "3.png", "-k", "1").out.splitlines()
    assert [titled[0], titled[2]] == [f"{indexed / '1.png'}:", f"{indexed / '3.png'}:"]


def test_when_none_can_be_read_it_exits_1(command, indexed):
    done = command("query", "missing.png")
    assert (done.code, done.out, done.err) == (1, "", "skipped missing.png: no such file\n")
    assert command("query", "-", given=b"").code == 1
    assert command("query", "-", given=b"no image").code == 1


def test_no_match_is_no_failure(command, indexed, place, draw):
    outside = draw(place / "outside.png", 90)
    done = command("query", outside, "-t", "1")
    assert (done.code, done.out) == (0, "no match\n")
    assert command("query", outside, "-t", "1", "--json").out == ""


def test_a_least_score_and_exclude_self_and_more_than_there_are(command, indexed):
    everything = command("query", indexed / "0.png", "--json", "-k", "1000").records
    assert len(everything) == 8
    least = everything[2]["score"] - 1e-4
    assert command("query", indexed / "0.png", "--json", "-t", least).records == everything[:3]
    done = command("query", indexed / "0.png", "--json", "--threshold", least)
    assert (done.records, done.err) == (everything[:3], "query --threshold is deprecated: use --min-score\n")
    without = command("query", indexed / "0.png", "--json", "--exclude-self").records
    assert [(record["rank"] + 1, record["path"]) for record in without] == [
        (record["rank"], record["path"]) for record in everything[1:]
    ]


def test_labels_and_equal_contents_are_shown(command, place, tiny, draw):
    draw(place / "root" / "cats" / "1.png", 1)
    shutil.copy(place / "root" / "cats" / "1.png", place / "root" / "2.png")
    command("index", "root", "--encoder", tiny, "--labels", "folder", "--quiet")
    done = command("query", "root/cats/1.png")
    assert done.out.splitlines() == [
        f"1  1.000        {place / 'root' / '2.png'}",
        f"2  1.000  cats  {place / 'root' / 'cats' / '1.png'}",
    ]


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_save_draws_a_sheet(command, indexed, place, suffix):
    (indexed / "7.png").unlink()
    done = command("query", indexed / "1.png", "-", "--save", f"sheet.{suffix}", given=(indexed / "2.png").read_bytes())
    assert done.code == 0
    assert done.err == f"sheet: sheet.{suffix}\n"
    with Image.open(place / f"sheet.{suffix}") as sheet:
        sheet.load()
        assert sheet.format == {"png": "PNG", "jpg": "JPEG"}[suffix]
        assert sheet.width > 8 * 160
        assert len(np.unique(np.asarray(sheet.convert("L")))) > 50


@pytest.mark.parametrize(("name", "code"), [("sheet.xyz", 2), ("sheet", 2), ("missing/sheet.png", 2)])
def test_a_sheet_that_cannot_be_made_is_told_in_one_line(command, indexed, place, name, code):
    done = command("query", indexed / "1.png", "--save", name, "--json")
    assert done.code == code
    assert done.err.startswith("Error: ")
    assert done.err.count("\n") == 1
    assert not (place / name).exists()


def test_a_sheet_replaces_no_photo_unless_told_to(command, indexed, place):
    photo, before = indexed / "2.png", (indexed / "2.png").read_bytes()
    refused = command("query", indexed / "1.png", "--save", photo)
    assert (refused.code, refused.out) == (2, "")
    assert refused.err.endswith("is not a contact sheet by simsearch; give another name, or --force to replace it\n")
    assert photo.read_bytes() == before
    for words in (("--save", "sheet.png"), ("--save", "sheet.png"), ("--save", photo, "--force")):
        assert command("query", indexed / "1.png", "-k", "1", *words).code == 0
    assert photo.read_bytes() != before


def odd_names() -> list[str]:
    if sys.platform == "win32":
        return ["ä ö.png"]
    names = ["new\nline.png", "tab\tquote'\".png", "schön 日本.png", "-dash.png", "\x1b[31mred.png"]
    # Bytes that are no UTF-8; macOS has no such file names.
    return [*names, os.fsdecode(b"\xff\xfe undecodable.png")] if sys.platform == "linux" else names


def test_odd_names_survive_from_index_to_json(process, command, place, tiny, draw):
    folder = place / "odd"
    for number, name in enumerate(odd_names()):
        draw(folder / name, 30 + number)
    made = process("index", "odd", "--encoder", tiny, "--quiet", "--json")
    assert made.records[0]["added"] == len(odd_names())
    for name in odd_names():
        run = process if name == odd_names()[-1] else command
        done = run("query", folder / name, "--json", "-k", "1")
        assert done.code == 0
        assert (done.records[0]["path"], done.records[0]["query"]) == (str(folder / name), str(folder / name))
    shown = process("query", folder / odd_names()[0])
    assert len(shown.out.splitlines()) == len(odd_names())
    assert "\x1b" not in shown.out
    again = command("index", "odd", "--quiet", "--json")
    assert again.records[0]["unchanged"] == len(odd_names())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGPIPE")
def test_a_reader_that_stops_early_is_no_error(indexed, place):
    line = [sys.executable, "-m", "simsearch", "query", *[str(indexed / "1.png")] * 100, "--json"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=place) as running:
        assert running.stdout.readline().startswith(b'{"query"')
        running.stdout.close()
        assert running.stderr.read() == b""
    assert running.returncode != 0


def test_words_find_photos_and_say_what_kind_of_score_and_which_words_they_do_not_know(command, place):
    samples = Path(__file__).parents[2] / "examples" / "samples" / "clothing"
    for kind in ("shoes", "dress"):
        for file in sorted((samples / kind).iterdir())[:4]:
            (place / "photos" / kind).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, place / "photos" / kind / file.name)
    assert command("index", "photos", "--labels", "folder", "--quiet").code == 0
    asked = command("query", "sneakers xyzzy", "--json", "-k", "3")
    assert [record["score_kind"] for record in asked.records] == ["words"] * 3
    assert {record["label"] for record in asked.records} == {"shoes"}
    assert asked.err == "xyzzy: not in the vocabulary of photo, ignored\n"
    by_photo = command("query", next((place / "photos" / "dress").iterdir()), "--json", "-k", "1").records
    assert [record["score_kind"] for record in by_photo] == ["images"]
    missing = command("query", "no such.png", "--json")
    assert missing.records == [{"query": "no such.png", "error": "no such file"}]
    refused = command("query", "qwrtp")
    assert (refused.code, refused.out) == (1, "")
    assert "photo cannot embed it (unknown words: qwrtp)" in refused.err
