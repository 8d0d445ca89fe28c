"""simsearch index and remove."""

from __future__ import annotations

import shutil

import pytest

COUNTS = ("added", "reused", "unchanged", "updated", "removed", "kept", "skipped")


def counts(record):
    return {name: record[name] for name in COUNTS if record[name]}


def test_index_says_what_it_did_and_then_that_nothing_changed(command, gallery, tiny, place):
    first = command("index", gallery, "--encoder", tiny, "--quiet", "--json")
    assert first.code == 0
    assert first.err == ""
    assert first.records[0] == {
        "collection": str(place / "indexes" / "gallery").removeprefix(f"{place}/"),
        "items": 8,
        "added": 8,
        "reused": 0,
        "unchanged": 0,
        "updated": 0,
        "removed": 0,
        "kept": 0,
        "skipped": 0,
        "vanished": 0,
        "away": [],
        "notes": [],
        "renewed": 0,
        "left_out": {},
        "remarks": [],
        "skipped_files": [],
    }
    again = command("index", gallery)
    assert again.code == 0
    assert again.out == "indexes/gallery: 8 items (8 unchanged)\n"
    assert "8/8" in again.err
    assert command("index", gallery, "--quiet") == type(again)(0, "", "")


def test_skipped_files_are_listed_with_reasons_and_do_not_fail_the_job(command, indexed):
    (indexed / "notes.txt").write_text("x")
    (indexed / "broken.png").write_bytes(b"x")
    done = command("index", indexed, "--quiet", "--json")
    assert done.code == 0
    record = done.records[0]
    assert counts(record) == {"unchanged": 8, "skipped": 2}
    listed = {skip["path"]: skip["reason"] for skip in record["skipped_files"]}
    assert set(listed) == {str(indexed / "broken.png"), str(indexed / "notes.txt")}
    for path, reason in listed.items():
        assert f"skipped {path}: {reason}\n" in done.err


def test_a_job_in_which_every_file_failed_exits_1(command, place, tiny):
    (place / "bad").mkdir()
    for number in range(3):
        (place / "bad" / f"{number}.png").write_bytes(b"broken")
    done = command("index", "bad", "--encoder", tiny, "--quiet", "--json")
    assert done.code == 1
    assert counts(done.records[0]) == {"skipped": 3}
    assert done.err.count("\n") == 3


def test_an_empty_folder_is_a_job_well_done(command, place, tiny):
    (place / "empty").mkdir()
    assert command("index", "empty", "--encoder", tiny, "--quiet").code == 0
    assert command("query", place / "empty").code == 1


def test_another_folder_of_the_same_name_is_refused(command, indexed, draw, place):
    twin = place / "elsewhere" / "gallery"
    draw(twin / "x.png", 70)
    refused = command("index", twin)
    assert refused.code == 2
    assert refused.out == ""
    assert refused.err == (
        f"Error: indexes/gallery is the collection of {indexed}, not of {twin}. To add to it: "
        "--index gallery; to make another one: --index NEW_NAME\n"
    )
    assert command("index", twin, "--index", "gallery", "--quiet").code == 0
    info = command("info", "--json").records[0]
    assert (info["items"], info["roots"]) == (9, [str(indexed), str(twin)])
    part = command("index", indexed, twin, "--json", "--quiet")
    assert counts(part.records[0]) == {"unchanged": 9}


def test_vanished_files_are_kept_and_said_and_prune_removes_them(command, indexed):
    shutil.rmtree(indexed)
    kept = command("index", indexed)
    assert kept.code == 0
    assert kept.out == "indexes/gallery: 8 items (8 kept)\n"
    assert kept.err.splitlines()[-1] == (
        "8 items vanished, more than half; is a disk unmounted? They were kept; --prune removes them."
    )
    elsewhere = command("index", indexed.with_name("else") / "gallery", "--index", "gallery")
    assert (elsewhere.code, "does not exist; give a folder or files" in elsewhere.err) == (2, True)
    pruned = command("index", indexed, "--prune", "--json", "--quiet").records[0]
    assert (pruned["items"], counts(pruned)) == (0, {"removed": 8})


def test_a_moved_folder_is_followed_by_index_or_by_move(command, indexed, place):
    shutil.move(indexed, place / "there" / "gallery")
    there = place / "there" / "gallery"
    followed = command("index", there)
    assert followed.out == "indexes/gallery: 8 items (8 unchanged)\n"
    assert followed.err.splitlines()[-1] == f"{indexed} is now {there}: its 8 items have their new paths"
    there.rename(place / "renamed")
    (place / "renamed" / "0.png").unlink()
    moved = command("move", there, place / "renamed")
    assert (moved.code, moved.out) == (0, "8 items moved\n")
    assert moved.err == f"1 file not found in {place / 'renamed'}; the next index decides on the items\n"
    found = command("query", place / "renamed" / "1.png", "-k", "1", "--json").records[0]
    assert found["path"] == str(place / "renamed" / "1.png")
    again = command("move", there, place / "renamed", "--json")
    assert (again.code, list(again.records[0])) == (2, ["error"])
    back = command("move", place / "renamed", place / "none")
    assert back.err == f"Error: {place / 'none'} does not exist; give the new path\n"


def test_another_encoder_is_refused_with_the_command_that_mends_it(command, indexed, other, tiny):
    refused = command("index", indexed, "--encoder", other)
    assert refused.code == 2
    assert "was built with encoder" in refused.err
    assert f"simsearch reindex --encoder {other}" in refused.err
    assert command("index", indexed, "--encoder", tiny, "--quiet").code == 0
    mended = command("reindex", "--encoder", other, "--json", "--quiet")
    assert (mended.code, mended.records[0]["items"], mended.records[0]["switched"]) == (0, 8, True)
    assert command("info", "--json").records[0]["encoder"] == str(other)
    assert command("check").code == 0


@pytest.mark.parametrize("how", ["folder", "table"])
def test_labels_come_from_folders_or_a_table(command, place, tiny, draw, how):
    draw(place / "root" / "cats" / "1.png", 1)
    draw(place / "root" / "dogs" / "2.png", 2)
    (place / "table.csv").write_text("path,label\nroot/cats/1.png,cats\nroot/dogs/2.png,dogs\n")
    labels = "folder" if how == "folder" else "table.csv"
    assert command("index", "root", "--encoder", tiny, "--labels", labels, "--quiet").code == 0
    found = command("query", "root/cats/1.png", "--json").records
    assert [(match["path"], match["label"]) for match in found] == [
        (str(place / "root" / "cats" / "1.png"), "cats"),
        (str(place / "root" / "dogs" / "2.png"), "dogs"),
    ]


def test_remove_takes_items_out_and_leaves_the_files(command, indexed):
    done = command("remove", indexed / "0.png", indexed / "nothing.png")
    assert (done.code, done.out) == (0, "1 item removed\n")
    assert done.err == f"{indexed / 'nothing.png'}: nothing in the collection has that path\n"
    assert (indexed / "0.png").exists()
    assert command("remove", indexed / "0.png").code == 1
    assert command("remove", indexed, "--json").records == [{"path": str(indexed), "removed": 7}]


def test_a_failed_index_leaves_no_collection(command, place, gallery, tiny):
    (place / "broken").mkdir()
    (place / "broken" / "a.png").write_bytes(b"x")
    done = command("index", "broken", "--encoder", tiny, "--quiet")
    assert (done.code, done.err.splitlines()[-1]) == (
        1,
        "Error: nothing could be stored, so indexes/broken was not made",
    )
    for words in (["--labels", "missing.csv"], ["--by", "line"], ["--encoder", "nope"]):
        assert command("index", gallery, "--encoder", tiny, *words).code != 0
    assert list((place / "indexes").iterdir()) == []
    assert command("index", gallery, place / "broken", "--encoder", tiny, "--quiet").code == 0
    assert len(list((place / "indexes").iterdir())) == 1


def test_an_empty_collection_takes_another_encoder(command, place, gallery, tiny, other, tiny_text):
    (place / "later").mkdir()
    assert command("index", "later", "--encoder", tiny, "--quiet").code == 0
    assert command("info", "--json").records[0]["modality"] == "image"
    (place / "later" / "a.txt").write_text("some words")
    assert command("index", "later", "--encoder", tiny_text, "--quiet").code == 0
    assert command("query", "some words", "--json").records[0]["score"] == 1
    assert command("remove", "later", "--quiet").code == 0
    (place / "later" / "a.txt").unlink()
    shutil.copytree(gallery, place / "later" / "gallery")
    assert command("index", "later", "--encoder", other, "--quiet").code == 0
    assert command("check").code == 0
    assert len(command("query", gallery / "1.png", "--json").records) == 8
