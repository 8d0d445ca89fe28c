"""Damaged files: nothing is lost that is not damaged itself, and what is wrong is told in one line."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from simsearch.collection import Collection


def swap_bytes(path: Path, seed: int = 7) -> None:
    path.write_bytes(np.random.default_rng(seed).bytes(path.stat().st_size))


def edit_manifest(folder: Path, **changes: object) -> None:
    document = json.loads((folder / "manifest.json").read_bytes())
    for changed in (document, document["files"]["rows"], document["chosen"]):
        changed |= {name: value for name, value in changes.items() if name in changed}
    (folder / "manifest.json").write_text(json.dumps(document))


def index_file(folder: Path) -> Path:
    (path,) = folder.glob("vectors-*")
    return path


def ids_file(folder: Path) -> Path:
    (path,) = folder.glob("ids-*")
    return path


DAMAGES: dict[str, Callable[[Path], object]] = {
    "index deleted": lambda folder: index_file(folder).unlink(),
    "index empty": lambda folder: index_file(folder).write_bytes(b""),
    "index truncated": lambda folder: index_file(folder).write_bytes(index_file(folder).read_bytes()[:-100]),
    "index longer": lambda folder: index_file(folder).write_bytes(index_file(folder).read_bytes() + b"\0"),
    "index random": lambda folder: swap_bytes(index_file(folder)),
    "index a folder": lambda folder: (index_file(folder).unlink(), (folder / "vectors-00000001.npy").mkdir()),
    "ids deleted": lambda folder: ids_file(folder).unlink(),
    "ids truncated": lambda folder: ids_file(folder).write_bytes(ids_file(folder).read_bytes()[:-4]),
    "ids random": lambda folder: swap_bytes(ids_file(folder)),
    "ids for vectors": lambda folder: ids_file(folder).write_bytes(index_file(folder).read_bytes()),
    "manifest truncated": lambda folder: (folder / "manifest.json").write_bytes(
        (folder / "manifest.json").read_bytes()[:90]
    ),
    "manifest empty": lambda folder: (folder / "manifest.json").write_bytes(b""),
    "manifest random": lambda folder: swap_bytes(folder / "manifest.json"),
    "manifest a list": lambda folder: (folder / "manifest.json").write_text("[1, 2]"),
    "manifest of null": lambda folder: (folder / "manifest.json").write_text('{"format": 2, "files": null}'),
    "manifest of another format": lambda folder: (folder / "manifest.json").write_text('{"format": 99}'),
    "manifest names the database": lambda folder: edit_manifest(folder, name="collection.sqlite"),
    "manifest names a file outside": lambda folder: edit_manifest(folder, name="../../gallery/0.png"),
    "manifest names no text": lambda folder: edit_manifest(folder, name=3),
    "manifest of another kind": lambda folder: edit_manifest(folder, kind="hnsw"),
    "manifest with a kind of the wrong type": lambda folder: edit_manifest(folder, kind=["flat"]),
    "manifest with a wrong count": lambda folder: edit_manifest(folder, count=5),
    "manifest with words for numbers": lambda folder: edit_manifest(folder, generation="x"),
    "manifest with null for a number": lambda folder: edit_manifest(folder, last_content_id=None, generation=0),
    "manifest newer": lambda folder: edit_manifest(folder, generation=999),
    "manifest of lists that are not there": lambda folder: edit_manifest(folder, kind="lists"),
}
CLEAN_THOUGH: dict[str, Callable[[Path], object]] = {
    "manifest deleted": lambda folder: (folder / "manifest.json").unlink(),
    "manifest of the first format": lambda folder: (folder / "manifest.json").write_text('{"format": 1}'),
    "leftovers": lambda folder: [
        (folder / name).write_bytes(b"x") for name in (".manifest.json.1.ab.tmp", ".vectors-00000009.flat.2.cd.tmp")
    ],
    "an older index file": lambda folder: (folder / "vectors-00000000.flat").write_bytes(b"x"),
    "lock files": lambda folder: ((folder / "lock").write_bytes(b"x"), (folder / "lock.pid").write_bytes(b"\xff")),
}


@pytest.mark.parametrize("damage", [*DAMAGES, *CLEAN_THOUGH])
def test_a_damaged_cache_changes_no_answer(command, indexed, place, draw, damage):
    folder = place / "indexes" / "gallery"
    before = command("query", indexed / "3.png", "--json").records
    (DAMAGES | CLEAN_THOUGH)[damage](folder)
    done = command("query", indexed / "3.png", "--json")
    assert (done.code, done.err, done.records) == (0, "", before)
    draw(indexed / "new.png", 99)
    again = command("index", indexed, "--quiet", "--json")
    assert (again.code, again.records[0]["added"], again.records[0]["items"]) == (0, 1, 9)
    assert command("check").code == 0
    assert not list(folder.glob(".*.tmp"))


@pytest.mark.parametrize("damage", [*DAMAGES, *CLEAN_THOUGH])
def test_check_tells_of_a_damaged_cache_and_mends_it(command, indexed, place, damage):
    folder = place / "indexes" / "gallery"
    before = command("query", indexed / "3.png", "--json").records
    (DAMAGES | CLEAN_THOUGH)[damage](folder)
    found = command("check")
    assert found.code == (1 if damage in DAMAGES else 0)
    assert found.err.count("damaged: ") == found.code
    assert len(found.err.splitlines()) == 2 * found.code
    mended = command("check", "--repair")
    assert (mended.code, mended.out) == (0, "indexes/gallery is clean: 8 items, 8 contents\n")
    assert mended.err.count("repaired: ") == found.code
    assert command("check").err == ""
    assert command("query", indexed / "3.png", "--json").records == before


def put_back(copy: Path, folder: Path) -> None:
    """The database from a copy, as someone restoring it would do."""
    for name in ("collection.sqlite-wal", "collection.sqlite-shm"):
        (folder / name).unlink(missing_ok=True)
    shutil.copy(copy, folder / "collection.sqlite")


@pytest.mark.parametrize("asked_first", [False, True])
def test_an_index_file_newer_than_the_database_is_not_trusted(command, indexed, place, draw, asked_first):
    """An old database is put back, then other files are added: their ids are those of files that are not there."""
    folder = place / "indexes" / "gallery"
    shutil.copy(folder / "collection.sqlite", place / "old.sqlite")
    draw(indexed / "8.png", 8)
    command("index", indexed, "--quiet")
    command("compact", "--quiet")
    put_back(place / "old.sqlite", folder)
    (indexed / "8.png").unlink()
    if asked_first:
        assert command("check").code == 1
        assert len(command("query", indexed / "0.png", "--json").records) == 8
        assert command("check").code == 0
    draw(indexed / "9.png", 9)
    command("index", indexed, "--quiet")
    found = command("query", indexed / "9.png", "--json", "-k", "1").records[0]
    assert (found["path"], found["score"]) == (str(indexed / "9.png"), pytest.approx(1, abs=1e-5))
    assert len(command("query", indexed / "9.png", "--json", "-k", "99").records) == 9
    assert command("check").code == 0


COMMANDS = (("query", "gallery/0.png"), ("index", "gallery", "--quiet"), ("check",), ("info",), ("forget", "Ana"))


@pytest.mark.parametrize("size", [0, 1, 50, 100, 4096, 20_000, -4096])
def test_a_truncated_database_is_told_in_one_line(command, indexed, place, size):
    path = place / "indexes" / "gallery" / "collection.sqlite"
    whole = path.read_bytes()
    path.write_bytes(whole[:size])
    codes = []
    for words in COMMANDS:
        done = command(*words)
        codes.append(done.code)
        if done.code and words[0] not in ("check", "forget"):
            assert done.err.startswith("Error: ")
            assert done.err.count("\n") == 1
    assert codes[2] == 1
    path.write_bytes(whole)
    assert command("check").code == 0


def test_a_database_of_random_bytes_is_told_in_one_line(command, indexed, place):
    path = place / "indexes" / "gallery" / "collection.sqlite"
    swap_bytes(path)
    for words in COMMANDS:
        done = command(*words)
        assert (done.code, done.out) == (1, "")
        assert done.err == f"Error: {path.relative_to(place)}: file is not a database. " + done.err.split(". ", 1)[1]
        assert done.err.count("\n") == 1


def test_damage_anywhere_in_the_database_gives_no_traceback(command, indexed, place):
    """Blocks of random bytes at sixty places: an answer or a failure in words, whatever is hit."""
    path = place / "indexes" / "gallery" / "collection.sqlite"
    command("enroll", "Ana", indexed / "0.png", "--quiet")
    whole = path.read_bytes()
    rng = np.random.default_rng(5)
    found = 0
    for _ in range(60):
        length = int(rng.choice([8, 256, 2048, 8192]))
        offset = int(rng.integers(0, len(whole) - length))
        for leftover in path.parent.glob("collection.sqlite-*"):
            leftover.unlink()
        path.write_bytes(whole[:offset] + rng.bytes(length) + whole[offset + length :])
        codes = [command(*words).code for words in (COMMANDS[0], COMMANDS[2], ("recognize", "gallery/1.png"))]
        assert set(codes) <= {0, 1}, (offset, length)
        found += codes[1]
    assert found > 10


@pytest.mark.parametrize("name", [b"item", b"\x9btem"])
@pytest.mark.parametrize("words", [b"CREATE TABLE nope", b"\x9bREATE TABLE item"])
def test_a_damaged_schema_is_told_in_one_line(command, indexed, place, name, words):
    """SQLite quotes the damaged name in its message, which then may be no valid text."""
    path = place / "indexes" / "gallery" / "collection.sqlite"
    whole = path.read_bytes()
    assert whole.count(b"tableitemitem") == whole.count(b"CREATE TABLE item") == 1
    path.write_bytes(whole.replace(b"tableitem", b"table" + name).replace(b"CREATE TABLE item", words))
    for line in (("query", "gallery/0.png"), ("check",), ("index", "gallery", "--quiet")):
        done = command(*line)
        assert (done.code, done.out) == (1, "")
        assert done.err.startswith(f"Error: {path.relative_to(place)}: ")
        assert done.err.count("\n") == 1


def damaged_pictures(folder: Path, count: int) -> None:
    """Small images in six formats, each with bytes changed, cut off or repeated."""
    folder.mkdir()
    rng = np.random.default_rng(11)
    noise = Image.fromarray(rng.integers(0, 256, size=(40, 50, 3), dtype=np.uint8))
    formats = [(".png", "PNG"), (".jpg", "JPEG"), (".gif", "GIF"), (".bmp", "BMP"), (".webp", "WEBP"), (".tif", "TIFF")]
    for number in range(count):
        suffix, name = formats[number % len(formats)]
        stream = io.BytesIO()
        noise.save(stream, format=name)
        content = bytearray(stream.getvalue())
        way = int(rng.integers(4))
        if way == 0:
            content = content[: int(rng.integers(len(content)))]
        elif way == 1:
            for place in rng.integers(0, len(content), size=int(rng.integers(1, 20))).tolist():
                content[place] = int(rng.integers(256))
        elif way == 2:
            for place in rng.integers(0, min(200, len(content)), size=int(rng.integers(1, 6))).tolist():
                content[place] ^= 1 << int(rng.integers(8))
        else:
            at = int(rng.integers(len(content)))
            content[at:at] = content[: int(rng.integers(1, 300))]
        (folder / f"{number:03}{suffix}").write_bytes(content)


def test_five_hundred_damaged_pictures_do_no_harm(process, place, tiny):
    damaged_pictures(place / "damaged", 500)
    done = process("index", "damaged", "--encoder", tiny, "--quiet", "--json")
    assert done.code == 0
    record = done.records[0]
    skipped = {entry["path"] for entry in record["skipped_files"]}
    with Collection.open(place / "indexes" / "damaged") as opened:
        items = {item.uri for item in opened.items()}
    assert items.isdisjoint(skipped)
    assert items | skipped == {str(path) for path in (place / "damaged").iterdir()}
    assert record["added"] + record["reused"] == len(items) == record["items"]
    assert 100 < len(items) < 450
    for entry in record["skipped_files"]:
        assert entry["reason"]
        assert "\n" not in entry["reason"]
    # Many that are skipped for one reason are one line.
    assert len({entry["reason"] for entry in record["skipped_files"]}) <= done.err.count("\n") <= len(skipped)
