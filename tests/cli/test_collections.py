"""simsearch export, import, backup and migrate."""

from __future__ import annotations

import shutil

import pytest


@pytest.mark.parametrize("form", ["npz", "parquet", "jsonl"])
def test_vectors_go_out_and_come_back(command, indexed, form):
    done = command("export", "-o", f"all.{form}", "--json")
    assert (done.code, done.records) == (0, [{"collection": "indexes/gallery", "items": 8, "files": [f"all.{form}"]}])
    made = command("import", f"all.{form}", "--index", "copy")
    assert (made.code, made.out) == (0, "indexes/copy: 8 items (8 added)\n")
    again = command("import", f"all.{form}", "--index", "copy", "--json").records[0]
    assert (again["added"], again["unchanged"], again["items"]) == (0, 8, 8)
    assert command("check", "--index", "copy").code == 0
    assert command("import", f"all.{form}", "--index", "gallery", "--quiet").code == 0


def test_a_new_collection_of_the_encoder_takes_its_vectors(command, indexed, tiny, other):
    command("export", "-o", "all.npz", "--quiet")
    assert command("import", "all.npz", "--encoder", tiny, "--quiet").code == 0
    assert command("index", indexed, "--index", "all", "--json", "--quiet").records[0]["unchanged"] == 8
    refused = command("import", "all.npz", "--index", "another", "--encoder", other)
    assert refused.code == 1
    assert "collection of their own" in refused.err
    assert command("info", "--index", "another").code == 1


def test_what_cannot_be_written_or_read_is_refused(command, indexed, place):
    (place / "mine.npz").write_bytes(b"mine")
    assert command("export", "-o", "mine.npz").code == 2
    assert command("export", "-o", "mine.csv").code == 2
    refused = command("import", "mine.npz")
    assert (refused.code, refused.err.count("\n")) == (1, 1)
    assert command("import", "missing.npz").code == 2
    assert sorted(path.name for path in (place / "indexes").iterdir()) == ["gallery"]


def test_a_backup_is_restored_by_copying_it(command, indexed, place):
    before = command("query", indexed / "0.png", "--json").out
    done = command("backup", "backups/gallery", "--json")
    assert (done.code, done.records[0]["items"]) == (0, 8)
    assert command("backup", "backups/gallery").out.endswith("copied to backups/gallery and checked\n")
    shutil.rmtree(place / "indexes" / "gallery")
    shutil.copytree(place / "backups" / "gallery", place / "indexes" / "gallery")
    assert command("query", indexed / "0.png", "--json").out == before
    assert command("backup", "indexes/gallery").code == 2


def test_formats_are_listed_and_migrated(command, indexed, place):
    shutil.copytree((__file__).replace("cli/test_collections.py", "fixtures/format-1"), place / "indexes" / "old")
    listed = {record["collection"]: record for record in command("migrate", "--dry-run", "--json").records}
    assert (listed["indexes/old"]["before"], listed["indexes/old"]["migrated"]) == (1, False)
    assert listed["indexes/gallery"]["before"] == listed["indexes/gallery"]["after"]
    assert "indexes/old: format 1 is now" in command("migrate").out
    assert "is current" in command("migrate", "old").out
    (place / "indexes" / "old" / "collection.sqlite").write_bytes(b"nonsense" * 100)
    assert command("migrate").code == 1
    assert command("migrate", "missing").code == 1
