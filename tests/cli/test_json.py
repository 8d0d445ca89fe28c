"""With --json standard output is JSON and says everything: results, what was skipped, and why a command failed."""

from __future__ import annotations

import json
import math

import pytest

from simsearch.cli import COMMANDS
from simsearch.cli.output import print_json

URL = "https://example.org/cat.png"
FAILING = [
    (["index", "missing"], 2, "missing does not exist"),
    (["remove", "x"], 1, "No collection"),
    (["reindex", "--encoder", "photo"], 1, "No collection"),
    (["query", "x"], 1, "No collection"),
    (["query"], 2, "nothing to query by"),
    (["items"], 1, "No collection"),
    (["enroll", "Ana"], 2, "give LABEL and FILE"),
    (["recognize", "x"], 1, "No collection"),
    (["forget", "Ana"], 1, "No collection"),
    (["identities"], 1, "No collection"),
    (["rename", "Ana", "Ann"], 1, "No collection"),
    (["merge", "Ana", "Ann"], 1, "No collection"),
    (["calibrate", "--far", "0.1"], 1, "No collection"),
    (["calibrate"], 2, "Missing option"),
    (["compare", "missing.png", "other.png"], 1, "no such file"),
    (["train", "missing", "-o", "made"], 1, "missing does not exist"),
    (["train", "missing", "--margin", "1"], 2, "--set margin"),
    (["distill", "missing", "missing", "-o", "made"], 1, "No encoder 'missing'"),
    (["convert", "missing", "-o", "made"], 1, "No model 'missing'"),
    (["evaluate", "glyph", "missing"], 1, "missing does not exist"),
    (["info", "missing"], 1, "No encoder 'missing'"),
    (["check", "--index", "missing"], 1, "No collection"),
    (["move", "old", "new"], 1, "No collection"),
    (["dedupe", "find", "missing"], 1, "missing"),
    (["serve"], 1, "No collection"),
    (["migrate", "missing"], 1, "No collection"),
    (["import", "missing.npz"], 2, "missing.npz does not exist"),
    (["export", "-o", "made.npz"], 1, "No collection"),
    (["compact"], 1, "No collection"),
    (["backup", "made"], 1, "No collection"),
    (["nope"], 2, "No such command"),
]


@pytest.mark.parametrize(("words", "code", "said"), FAILING, ids=lambda value: str(value)[:40])
def test_an_error_is_an_object_on_standard_output_too(command, words, code, said):
    done = command(*words, "--json")
    assert done.code == code
    (record,) = done.records
    assert list(record) == ["error"]
    assert said in record["error"]
    assert said in done.err
    assert command(*words).out == ""


def test_every_command_has_a_failure_here():
    assert {words[0] for words, *_ in FAILING} - {"nope"} == set(COMMANDS)


def test_queries_that_fail_are_objects_in_their_place(command, indexed, place):
    (place / "broken.png").write_bytes(b"x")
    asked = ["broken.png", indexed / "1.png", URL, "a red car", "and/or", indexed / "2.png"]
    done = command("query", *asked, "--json", "-k", "1")
    assert done.code == 0
    assert [record["query"] for record in done.records] == list(map(str, asked))
    errors = {record["query"]: record["error"] for record in done.records if "error" in record}
    assert list(errors) == ["broken.png", URL, "a red car", "and/or"]
    assert errors[URL] == "a URL, not a file; download it and give the file"
    assert "tiny does not take words" in errors["a red car"]
    assert "photo" in errors["a red car"]
    assert errors["and/or"] == "no such file"
    command("enroll", "Ana", indexed / "1.png")
    done = command("recognize", "broken.png", indexed / "1.png", URL, "--json")
    assert [(record["query"], record.get("label")) for record in done.records] == [
        ("broken.png", None),
        (str(indexed / "1.png"), "Ana"),
        (URL, None),
    ]
    assert done.records[0]["error"]
    assert done.records[2]["error"] == errors[URL]


def test_enroll_says_why_it_skipped(command, indexed, place):
    (record,) = command("enroll", "Ana", URL, "two words", "no.png", indexed / "1.png", "--json").records
    assert (record["added"], record["skipped"]) == (1, 3)
    assert record["skipped_files"] == [
        {"path": URL, "reason": "a URL, not a file; download it and give the file", "count": 1},
        {
            "path": str(place / "two words"),
            "reason": "no such file, and words cannot be an example of images",
            "count": 1,
        },
        {"path": str(place / "no.png"), "reason": "no such file", "count": 1},
    ]


def test_what_has_another_form_for_people_is_json_too(command):
    assert command("check", "--json").records[0]["collection"] is None
    kinds = [record["kind"] for record in command("train", "--list", "--json").records]
    assert list(dict.fromkeys(kinds)) == ["preset", "loss", "miner", "setting"]
    assert command("query", "--", "--json").out == "", "behind -- it is no option"


def test_numbers_that_json_lacks_are_null(capsys):
    print_json({"a": math.nan, "b": [1.0, -math.inf, {"c": math.inf}], "d": ("x", 2)})

    def refuse(name):
        raise AssertionError(name)

    record = json.loads(capsys.readouterr().out, parse_constant=refuse)
    assert record == {"a": None, "b": [1.0, None, {"c": None}], "d": ["x", 2]}


PLACES = [
    (["query", "x.png", "--index", "milvus://host/x"], "milvus://host/x"),
    (["index", "gallery", "--index", "milvus://host/x"], "milvus://host/x"),
    (["index", URL, "--index", "gallery"], URL),
    (["index", URL], URL),
    (["index", "gallery", "--labels", "s3://a/b.csv", "--index", "gallery"], "s3:/a/b.csv"),
    (["index", "gallery", "--index", "new", "--encoder", "https://host/a"], "https://host/a"),
    (["query", "gallery/1.png", "--save", "s3://bucket/sheet.png"], "s3://bucket/sheet.png"),
    (["info", "https://host/a"], "https://host/a"),
    (["convert", "https://host/a.onnx", "-o", "made"], "https://host/a.onnx"),
    (["convert", "owner/model", "-o", "s3://bucket/made"], "s3:/bucket/made"),
    (["train", URL, "-o", "made"], "https:/example.org"),
    (["evaluate", "glyph", "gallery", "--report", "s3://a/b.html"], "s3:/a/b.html"),
    (["evaluate", "glyph", "file:///home/x"], "file:/home/x"),
]


@pytest.mark.parametrize(("words", "named"), PLACES, ids=lambda value: str(value)[:60])
def test_a_url_is_refused_as_one_and_makes_no_folder(command, indexed, place, words, named):
    before = sorted(place.iterdir())
    (record,) = command(*words, "--json").records
    assert record["error"].startswith(named)
    assert "is a URL, which simsearch does not open; give " in record["error"]
    assert sorted(place.iterdir()) == before
