"""Kills, damaged files and full disks: nothing acknowledged is lost, and what is wrong is told in one line."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from simsearch.collection import Collection

PATIENCE = 60.0
"""Seconds after which something that must happen is taken as never happening."""


def start(place: Path, *words: object) -> subprocess.Popen[bytes]:
    line = [sys.executable, "-m", "simsearch", *map(str, words)]
    return subprocess.Popen(line, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def look(folder: Path, question: str) -> list[bytes]:
    """What any process sees in the database now; what is seen was acknowledged."""
    path = folder / "collection.sqlite"
    if not path.is_file():
        return []
    with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None)) as connection:
        try:
            return [row[0] for row in connection.execute(question)]
        except sqlite3.OperationalError:
            # The writer is just making or removing the files of its log.
            return []


def committed(folder: Path) -> set[Path]:
    return {Path(os.fsdecode(uri)) for uri in look(folder, "SELECT uri FROM item")}


def changed(path: Path) -> Callable[[], bool]:
    """A function that says whether a file has been made or replaced since now."""

    def state() -> tuple[int, int]:
        try:
            stat = path.stat()
        except FileNotFoundError:
            return 0, 0
        return stat.st_ino, stat.st_mtime_ns

    before = state()
    return lambda: state() != before


def until(running: subprocess.Popen[bytes], seen: Callable[[], bool]) -> None:
    """Waits, without resting, until something is seen or the process has ended."""
    deadline = time.monotonic() + PATIENCE
    while not seen() and running.poll() is None:
        assert time.monotonic() < deadline


def moments(folder: Path) -> dict[str, Callable[[], bool]]:
    """Signs of how far a run has come that begins now. A transaction goes into the log page by page."""
    log, before = folder / "collection.sqlite-wal", committed(folder)

    def longer_than(size: int) -> Callable[[], bool]:
        return lambda: log.is_file() and log.stat().st_size > size

    return {
        "locked": changed(folder / "lock.pid"),
        "writing": longer_than(0),
        "written": longer_than(100_000),
        "stored": lambda: committed(folder) != before,
        "indexed": changed(folder / "manifest.json"),
    }


def killed(place: Path, moment: str, rng: np.random.Generator, *words: object) -> tuple[bool, set[Path]]:
    """Kills a run some random while after a moment; whether that was in its middle, and what was stored by then."""
    folder = place / "indexes" / "gallery"
    seen = moments(folder)[moment]
    with start(place, *words) as running:
        until(running, seen)
        for _ in range(int(rng.integers(0, 3000))):
            running.poll()
        stored = committed(folder)
        for _ in range(int(rng.integers(0, 2000))):
            running.poll()
        in_the_middle = running.poll() is None
        running.kill()
        out, err = running.communicate(timeout=PATIENCE)
    assert (out, err) == (b"", b"")
    return in_the_middle and running.returncode != 0, stored


def test_kills_at_any_moment_lose_nothing(place, tiny, draw, command):
    """Thirty times SIGKILL in the middle of the work: always clean, and always what was seen stored is there."""
    rng = np.random.default_rng(20)
    gallery, folder = place / "gallery", place / "indexes" / "gallery"
    for seed in range(400):
        draw(gallery / f"{seed:03}.png", seed)
    names = list(moments(folder))
    landed = 0
    for attempt in range(60):
        if attempt % 4 == 0:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            for number in rng.integers(0, 400, size=40).tolist():
                draw(gallery / f"{number:03}.png", int(rng.integers(10**6)))
            (gallery / f"{attempt:03}.png").replace(gallery / f"moved-{attempt}.png")
        in_the_middle, stored = killed(
            place, names[attempt // 4 % len(names)], rng, "index", gallery, "--encoder", tiny, "--quiet"
        )
        landed += in_the_middle
        if (folder / "collection.sqlite").exists():
            with Collection.open(folder) as opened:
                assert opened.check().clean
                assert {path for path in stored - committed(folder) if path.exists()} == set()
                assert len(opened.index) == opened.store.counts().contents
        if landed == 30:
            break
    assert landed == 30
    assert command("index", gallery, "--encoder", tiny, "--quiet").code == 0
    assert committed(folder) == set(gallery.iterdir())
    assert command("check").code == 0
    assert list(folder.glob(".*.tmp")) == []


def draw_slow(gallery: Path, count: int) -> None:
    """Pictures that take a while to decode and come last in the order of names."""
    Image.new("L", (5000, 5000), 100).save(gallery / "z0.png")
    for number in range(1, count):
        os.link(gallery / "z0.png", gallery / f"z{number}.png")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_an_interrupt_ends_with_130_and_one_line_and_goes_on(place, tiny, draw, command):
    gallery, folder = place / "gallery", place / "indexes" / "gallery"
    for seed in range(260):
        draw(gallery / f"{seed:03}.png", seed)
    draw_slow(gallery, 30)
    with start(place, "index", gallery, "--encoder", tiny, "--quiet") as running:
        until(running, lambda: len(committed(folder)) > 0)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=PATIENCE)
    assert running.returncode == 130
    assert out == b""
    assert err.split() == b"Interrupted. What was done is kept; the same command goes on from there.".split()
    stored = len(committed(folder))
    assert 0 < stored < 290
    with Collection.open(folder) as opened:
        assert opened.check().clean
        assert len(opened.index) == opened.store.counts().contents
    for number in range(1, 30):
        (gallery / f"z{number}.png").unlink()
    record = command("index", gallery, "--quiet", "--json").records[0]
    assert (record["items"], record["unchanged"]) == (261, min(stored, 261))


def swap_bytes(path: Path, seed: int = 7) -> None:
    path.write_bytes(np.random.default_rng(seed).bytes(path.stat().st_size))


def edit_manifest(folder: Path, **changes: object) -> None:
    document = json.loads((folder / "manifest.json").read_bytes())
    document["index"] |= changes
    (folder / "manifest.json").write_text(json.dumps(document))


def index_file(folder: Path) -> Path:
    (path,) = folder.glob("vectors-*")
    return path


DAMAGES: dict[str, Callable[[Path], object]] = {
    "index deleted": lambda folder: index_file(folder).unlink(),
    "index empty": lambda folder: index_file(folder).write_bytes(b""),
    "index truncated": lambda folder: index_file(folder).write_bytes(index_file(folder).read_bytes()[:-100]),
    "index longer": lambda folder: index_file(folder).write_bytes(index_file(folder).read_bytes() + b"\0"),
    "index random": lambda folder: swap_bytes(index_file(folder)),
    "index a folder": lambda folder: (index_file(folder).unlink(), (folder / "vectors-00000001.flat").mkdir()),
    "manifest truncated": lambda folder: (folder / "manifest.json").write_bytes(
        (folder / "manifest.json").read_bytes()[:90]
    ),
    "manifest empty": lambda folder: (folder / "manifest.json").write_bytes(b""),
    "manifest random": lambda folder: swap_bytes(folder / "manifest.json"),
    "manifest a list": lambda folder: (folder / "manifest.json").write_text("[1, 2]"),
    "manifest of null": lambda folder: (folder / "manifest.json").write_text('{"format": 1, "index": null}'),
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
}
CLEAN_THOUGH: dict[str, Callable[[Path], object]] = {
    "manifest deleted": lambda folder: (folder / "manifest.json").unlink(),
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


def damaged_pictures(folder: Path, count: int) -> None:
    """Small pictures in six formats, each with bytes changed, cut off or repeated."""
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
    items = {str(path) for path in committed(place / "indexes" / "damaged")}
    assert items.isdisjoint(skipped)
    assert items | skipped == {str(path) for path in (place / "damaged").iterdir()}
    assert record["added"] + record["reused"] == len(items) == record["items"]
    assert 100 < len(items) < 450
    for entry in record["skipped_files"]:
        assert entry["reason"]
        assert "\n" not in entry["reason"]
    assert done.err.count("\n") == len(skipped)


@pytest.fixture
def small(place: Path) -> Iterator[tuple[Path, bool]]:
    """A disk of 2 MiB where one can be mounted, else a folder; and whether it is a disk."""
    folder = place / "disk"
    folder.mkdir()
    line = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    mounted = shutil.which("mount") is not None and subprocess.run(line, capture_output=True).returncode == 0
    try:
        yield folder, mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=True)


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (90_000, 90_000))
from simsearch.cli import main
main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither small disks to mount nor limits of a process")
@pytest.mark.parametrize("limit", ["disk", "process"])
def test_a_full_disk_loses_nothing_and_the_command_completes_later(command, process, place, tiny, draw, small, limit):
    folder, mounted = small
    for seed in range(20):
        draw(place / "gallery" / f"{seed}.png", seed)
    words = ("index", place / "gallery", "--index", folder / "col", "--quiet")
    assert command(*words, "--encoder", tiny).code == 0
    before = command("query", place / "gallery" / "7.png", "--index", folder / "col", "--json", "-k", "3").records
    for seed in range(20, 700):
        draw(place / "gallery" / f"{seed}.png", seed)
    if mounted and limit == "disk":
        (folder / "filler").write_bytes(bytes(os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize - 200_000))
        full = process(*words)
        code, err = full.code, full.err
        (folder / "filler").unlink()
    else:
        line = [sys.executable, "-c", LIMITED, *map(str, words)]
        done = subprocess.run(line, capture_output=True, text=True, cwd=place, timeout=PATIENCE)
        code, err = done.returncode, done.stderr
    assert code == 1
    assert err.startswith(f"Error: {folder / 'col'}")
    assert err.count("\n") == 1
    assert command("check", "--index", folder / "col").code == 0
    with Collection.open(folder / "col") as opened:
        kept = {item.uri for item in opened.items()}
        assert {str(place / "gallery" / f"{seed}.png") for seed in range(20)} <= kept
        assert len(kept) < 700
        assert len(opened.index) == len(kept)
    assert command(*words, "--json").records[0]["items"] == 700
    after = command("query", place / "gallery" / "7.png", "--index", folder / "col", "--json", "-k", "1").records
    assert after == before[:1]
    assert command("check", "--index", folder / "col").code == 0


UNWRITABLE = """
command("query", arguments[1], "--index", arguments[0], "--json", "-k", "1")
command("recognize", arguments[1], "--index", arguments[0], "--quiet")
command("check", "--index", arguments[0])
command("index", arguments[2], "--index", arguments[0], "--quiet")
command("enroll", "Ben", arguments[1], "--index", arguments[0], "--quiet")
command("index", arguments[2], "--index", arguments[0] + "/sub/new", "--encoder", arguments[3], "--quiet")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows folders have no permission bits")
def test_a_folder_that_cannot_be_written_is_asked_but_not_changed(command, public, tiny, draw, nobody):
    for seed in range(4):
        draw(public / "root" / f"{seed}.png", seed)
    shutil.copytree(tiny, public / "tiny")
    folder, asked = public / "col", public / "root" / "2.png"
    command("index", public / "root", "--index", folder, "--encoder", public / "tiny", "--quiet")
    command("enroll", "Ana", asked, "--index", folder, "--quiet")
    draw(public / "root" / "new.png", 9)
    folder.chmod(0o555)
    done = nobody(UNWRITABLE, folder, asked, public / "root", public / "tiny")
    folder.chmod(0o755)
    out, err = done.stdout.splitlines(), done.stderr.splitlines()
    assert json.loads(out[0])["path"] == str(asked)
    assert out[1].split() == ["Ana", "1.000", str(asked)]
    assert out[2:] == [f"{folder} is clean: 4 items, 4 contents"]
    assert err == [
        f"Error: {folder} cannot be written: Permission denied",
        f"Error: {folder} cannot be written: Permission denied",
        f"Error: {folder}/sub/new cannot be made: Permission denied",
    ]
