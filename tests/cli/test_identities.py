"""simsearch enroll, recognize and forget."""

from __future__ import annotations

import shutil
import subprocess
import sys

import numpy as np
import pytest

from simsearch.collection import Collection
from simsearch.encoders import open_encoder


@pytest.fixture
def people(command, indexed, draw, place):
    """Ana with images 20 and 21, Ben with 22."""
    for seed in (20, 21, 22, 23):
        draw(place / "people" / f"{seed}.png", seed)
    assert command("enroll", "Ana", "people/20.png", "people/21.png", "--quiet").code == 0
    assert command("enroll", "Ben", "people/22.png", "--quiet").code == 0
    return place / "people"


def test_enroll_counts_examples(command, people):
    done = command("enroll", "Ben", people / "22.png", people / "23.png", "--json")
    assert done.records == [
        {"label": "Ben", "examples": 2, "added": 1, "existing": 1, "skipped": 0, "skipped_files": [], "findings": []}
    ]
    again = command("enroll", "Ben", people / "22.png")
    assert again.code == 0
    assert again.out.startswith("Ben: 0 ")
    assert again.out.endswith("2 in all; 2 labels\n")
    piped = command("enroll", "Cy", "-", "--json", "--review", "off", given=(people / "23.png").read_bytes())
    assert piped.records == [
        {"label": "Cy", "examples": 1, "added": 1, "existing": 0, "skipped": 0, "skipped_files": [], "findings": []}
    ]


def test_enroll_of_what_cannot_be_read_exits_1_unless_something_could(command, people, place):
    (place / "bad.png").write_bytes(b"x")
    done = command("enroll", "Dee", "bad.png")
    assert done.code == 1
    assert done.err.startswith(f"skipped {place / 'bad.png'}: ")
    assert command("info", "--json").records[0]["labels"] == {"Ana": 2, "Ben": 1}
    assert command("enroll", "Dee", "bad.png", people / "20.png", "--quiet").code == 0


def test_recognize_tells_the_label_the_runner_up_and_the_evidence(command, people, tiny):
    done = command("recognize", people / "23.png", people / "22.png", "--json")
    assert (done.code, done.err) == (0, "")
    vectors = open_encoder(tiny).encode([people / f"{n}.png" for n in (20, 21, 22, 23)]).astype(np.float64)
    mean = vectors[:2].sum(axis=0) / np.linalg.norm(vectors[:2].sum(axis=0))
    for record, query in zip(done.records, vectors[[3, 2]], strict=True):
        best = {"Ana": ((vectors[:2] @ query).max() + mean @ query) / 2, "Ben": vectors[2] @ query}
        first, second = sorted(best, key=lambda name: -best[name])
        assert {"query", "label", "score", "threshold", "runner_up", "evidence"} < set(record)
        assert (record["label"], record["threshold"]) == (first, None)
        assert record["score"] == pytest.approx(best[first], abs=1e-5)
        assert record["runner_up"]["label"] == second
        assert record["runner_up"]["score"] == pytest.approx(best[second], abs=1e-5)
        assert [each["label"] for each in record["evidence"]] == [first, second]
    assert done.records[1]["evidence"][0]["path"] == str(people / "22.png")


def test_below_the_threshold_it_is_unknown(command, people, indexed, tiny):
    done = command("recognize", people / "22.png", indexed / "3.png", "-t", "0.99")
    assert done.code == 0
    assert done.err == ""
    assert [line.split()[0] for line in done.out.splitlines()] == ["Ben", "unknown"]
    assert command("recognize", indexed / "3.png", "-t", "0.99", "--json").records[0]["label"] is None
    remark = command("recognize", indexed / "3.png").err
    assert "nothing can be unknown" in remark
    assert "simsearch calibrate --far RATE --impostors FOLDER" in remark
    assert f"simsearch info {tiny} shows" in remark
    assert not any(character.isdigit() for character in remark.replace(str(tiny), "")), "no number is invented"
    assert command("recognize", indexed / "3.png", "--quiet").err == ""


def test_recognize_reads_standard_input_and_lists_what_it_cannot_read(command, people):
    done = command("recognize", "-", "missing.png", "--json", given=(people / "21.png").read_bytes())
    assert done.code == 0
    assert (done.records[0]["query"], done.records[0]["label"]) == ("-", "Ana")
    assert done.err == "skipped missing.png: no such file\n"
    assert command("recognize", "missing.png").code == 1


def test_recognition_sees_no_items_and_queries_see_no_examples(command, people, indexed):
    found = command("query", people / "20.png", "--json", "-k", "100").records
    assert {record["path"] for record in found} == {str(indexed / f"{n}.png") for n in range(8)}
    evidence = command("recognize", indexed / "0.png", "--json").records[0]["evidence"]
    assert {each["path"] for each in evidence} <= {str(people / f"{n}.png") for n in (20, 21, 22)}


def test_forget_removes_a_label_and_an_unknown_one_exits_1(command, people):
    done = command("forget", "Ana", "--json")
    assert (done.code, done.records) == (0, [{"label": "Ana", "removed": 2, "pending": False}])
    again = command("forget", "Ana")
    assert (again.code, again.out, again.err) == (1, "", "Error: no example is enrolled as 'Ana'; there are 1 labels\n")
    assert command("forget", "Ana", "--json").records == [{"label": "Ana", "removed": 0, "pending": False}]
    assert command("recognize", people / "20.png", "--json").records[0]["label"] == "Ben"
    assert command("forget", "Ben").out == "Ben: 1 example removed; 0 labels left\n"
    nobody = command("recognize", people / "20.png")
    assert nobody.code == 2
    assert nobody.err == "Error: Nobody is enrolled yet. Enroll an example first: simsearch enroll LABEL FILE\n"


def test_enroll_makes_the_collection_when_there_is_none(command, place, draw, tiny, tiny_text):
    ana = draw(place / "ana.png", 20)
    done = command("enroll", "Ana", ana, "--encoder", tiny)
    assert (done.code, done.out) == (0, "Ana: 1 example added, 1 in all; 1 label\n")
    assert done.err == "indexes/identities is a new collection, with the encoder tiny\n"
    again = command("enroll", "Ben", draw(place / "ben.png", 21))
    assert (again.err, again.out) == ("", "Ben: 1 example added, 1 in all; 2 labels\n")
    assert command("recognize", ana, "--json").records[0]["label"] == "Ana"
    assert command("enroll", "yes", "I agree", "--index", "words", "--encoder", tiny_text, "--quiet").code == 0
    assert command("recognize", "I agree", "--index", "words", "--json").records[0]["label"] == "yes"


def test_a_failed_enrollment_leaves_no_collection(command, place, draw, tiny):
    (place / "bad.png").write_bytes(b"x")
    done = command("enroll", "Ana", "bad.png", "--encoder", tiny)
    assert (done.code, done.err.splitlines()[-1]) == (1, "indexes/identities was not made: nothing to enroll")
    for words in ([" ", draw(place / "a.png", 1)], ["Ana", "some words", "--text"], ["--from-folders", "nothing"]):
        assert command("enroll", *words, "--encoder", tiny).code == 2
    assert list((place / "indexes").iterdir()) == []


def test_a_folder_for_each_label_is_enrolled_at_once(command, place, draw, tiny):
    for seed, name in enumerate(("ana/1.png", "ana/2.png", "greek/alpha/1.png", "ben/1.png", "loose.png")):
        draw(place / "people" / name, seed)
    (place / "people" / "ben" / "bad.png").write_bytes(b"x")
    done = command("enroll", "--from-folders", "people", "--encoder", tiny, "--json", "--review", "off")
    records = done.records
    assert [record.pop("findings") for record in records] == [[], [], [], []]
    assert records == [
        {"label": "ana", "examples": 2, "added": 2, "existing": 0, "skipped": 0, "skipped_files": []},
        {
            "label": "ben",
            "examples": 1,
            "added": 1,
            "existing": 0,
            "skipped": 1,
            "skipped_files": [
                {
                    "path": str(place / "people" / "ben" / "bad.png"),
                    "reason": "not an image in a supported format",
                    "count": 1,
                }
            ],
        },
        {
            "label": "greek/alpha",
            "examples": 1,
            "added": 1,
            "existing": 0,
            "skipped": 0,
            "skipped_files": [],
        },
        {
            "label": None,
            "examples": 0,
            "added": 0,
            "existing": 0,
            "skipped": 1,
            "skipped_files": [
                {
                    "path": str(place / "people" / "loose.png"),
                    "reason": "not in the folder of a label",
                    "count": 1,
                }
            ],
        },
    ]
    assert f"skipped {place / 'people' / 'loose.png'}: not in the folder of a label" in done.err
    assert f"skipped {place / 'people' / 'ben' / 'bad.png'}: not an image" in done.err
    again = command("enroll", "--from-folders", "people", "--quiet", "--json")
    assert [(record["added"], record["existing"]) for record in again.records[:3]] == [(0, 2), (0, 1), (0, 1)]
    said = command("enroll", "--from-folders", "people")
    assert said.out == "0 examples of 3 labels added, 4 in all; 3 labels\n"
    assert command("recognize", "people/greek/alpha/1.png", "--json").records[0]["label"] == "greek/alpha"


def test_a_folder_given_as_an_example_says_so(command, people, place):
    for folder in ("people", people, f"{people}/"):
        done = command("enroll", "Ana", folder)
        assert done.code == 1
        assert done.err == (
            f"skipped {people}: a folder; give its files, or --from-folders with a folder for each label\n"
        )
    for ask in ("query", "recognize"):
        assert command(ask, people).err == f"skipped {people}: is a folder\n"


def test_a_moved_encoder_is_said_once(command, place, draw, tiny, other):
    shutil.copytree(tiny, place / "encoders" / "mine")
    ana, ben = draw(place / "ana.png", 20), draw(place / "ben.png", 21)
    assert command("enroll", "Ana", ana, "--encoder", "encoders/mine", "--quiet").code == 0
    (place / "encoders").rename(place / "moved")
    assert "--encoder FOLDER" in command("recognize", ben).err
    assert command("recognize", ben, "--encoder", other).code == 1
    assert command("recognize", ben, "--encoder", "moved/mine", "--quiet").code == 0
    assert command("recognize", ben, "--quiet").code == 0
    assert command("info", "--json").records[0]["encoder"] == str(place / "moved" / "mine")
    (place / "moved").rename(place / "again")
    for words in (["query", ben], ["enroll", "Ben", ben], ["index", "ana.png", "--index", "identities"]):
        assert command(*words).code == 1
    assert command("index", "ana.png", "--index", "identities", "--encoder", "again/mine", "--quiet").code == 0
    assert command("enroll", "Ben", ben).code == 0
    refused = command("enroll", "Ben", ben, "--encoder", other)
    assert (refused.code, "simsearch reindex" in refused.err) == (2, True)


def test_what_looks_wrong_is_printed_refused_or_not_looked_for(command, people, place):
    shutil.copy(people / "22.png", place / "copy.png")
    warned = command("enroll", "Ana", "copy.png", "--json")
    (finding,) = warned.records[0]["findings"]
    assert (warned.records[0]["added"], finding["kind"], finding["other"]) == (1, "equal", "Ben")
    assert warned.err == f"looks wrong: Ana: {place / 'copy.png'}: equal to an example of Ben\n"
    listed = command("identities", "--review")
    assert [line.split()[:2] for line in listed.out.splitlines()][-2:] == [["Ana", "equal"], ["Ben", "equal"]]
    assert [record["kind"] for record in command("identities", "--review", "--json").records][-1] == "equal"
    assert command("forget", "--example", "copy.png").code == 0
    refused = command("enroll", "Ana", "copy.png", "--review", "strict")
    assert refused.code == 1
    assert refused.err == f"skipped {place / 'copy.png'}: refused: equal to an example of Ben\n"
    done = command("enroll", "Ana", "copy.png", "--review", "off")
    assert (done.code, done.err) == (0, "")
    for label in ("Ana", "Ben"):
        command("forget", label)
    assert command("identities", "--review").err == "nothing looks wrong among 0 examples\n"


def test_evidence_is_saved_as_a_picture(command, people, place):
    done = command("recognize", people / "20.png", "missing.png", people / "22.png", "--save", "sheet.png", "-t", "0.5")
    assert (done.code, done.err) == (0, "skipped missing.png: no such file\nsaved: sheet.png\n")
    assert (place / "sheet.png").read_bytes().startswith(b"\x89PNG")
    (place / "each").mkdir()
    quiet = command("recognize", people / "20.png", people / "22.png", "--save", "each", "--json", "--distinct")
    assert (len(quiet.records), quiet.err) == (2, "")
    assert sorted(path.name for path in (place / "each").iterdir()) == ["1-20.png", "2-22.png"]
    refused = command("recognize", people / "20.png", "--save", people / "20.png")
    assert refused.code == 2
    assert "--force to replace it" in refused.err
    assert refused.out == ""


def test_two_that_enroll_at_once_lose_nothing(people, place, draw):
    """Each process enrolls one; where another is just writing, it ends with an error that says so."""
    files = [draw(place / "many" / f"{seed}.png", seed) for seed in (100, 101, 102)]
    line = [sys.executable, "-m", "simsearch", "enroll"]
    running = [
        subprocess.Popen([*line, f"name {file.stem}", file, "--quiet"], cwd=place, stderr=subprocess.PIPE, text=True)
        for file in files
    ]
    errors = [each.communicate(timeout=120)[1] for each in running]
    done = [each.returncode == 0 for each in running]
    assert any(done)
    assert all(
        error == "" if fine else "is being written by process" in error
        for error, fine in zip(errors, done, strict=True)
    )
    with Collection.open(place / "indexes" / "gallery") as opened:
        names = {f"name {file.stem}" for file, fine in zip(files, done, strict=True) if fine}
        assert set(opened.labels()) == {"Ana", "Ben", *names}
        assert opened.check().clean
