"""Processes that are killed or interrupted in the middle of their work lose nothing that was acknowledged."""

from __future__ import annotations

import contextlib
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


def committed(folder: Path) -> set[str]:
    return {os.fsdecode(uri) for uri in look(folder, "SELECT uri FROM item")}


class Pictures:
    """Four hundred images in a folder."""

    kills = 30

    def __init__(self, gallery: Path, draw: Callable[[Path, int], Path], rng: np.random.Generator) -> None:
        self.gallery, self.draw, self.rng = gallery, draw, rng
        for seed in range(400):
            draw(gallery / f"{seed:03}.png", seed)

    def change(self, attempt: int) -> None:
        """Draws a tenth of them anew and moves one."""
        for number in self.rng.integers(0, 400, size=40).tolist():
            self.draw(self.gallery / f"{number:03}.png", int(self.rng.integers(10**6)))
        (self.gallery / f"{attempt:03}.png").replace(self.gallery / f"moved-{attempt}.png")

    def uris(self) -> set[str]:
        """The items that there must be."""
        return {str(path) for path in self.gallery.iterdir()}


class Texts:
    """Two tables of a thousand rows each and a hundred files in a folder."""

    kills = 10

    def __init__(self, gallery: Path, draw: Callable[[Path, int], Path], rng: np.random.Generator) -> None:
        del draw
        self.gallery, self.rng = gallery, rng
        self.rows = {f"{name}.csv": {key: f"{name} {key}" for key in range(1000)} for name in "ab"}
        gallery.mkdir()
        self.write()

    def write(self) -> None:
        for number in range(100):
            (self.gallery / f"{number:03}.txt").write_text(f"note {number} {self.rng.integers(10**6)}")
        for name, rows in self.rows.items():
            lines = (f"{key},{text}\n" for key, text in rows.items())
            (self.gallery / name).write_text("id,text\n" + "".join(lines))

    def change(self, attempt: int) -> None:
        """Writes all files anew, and a tenth of the rows of a table; moves another tenth to the other table."""
        one, other = self.rng.permutation(list(self.rows)).tolist()
        for key in self.rng.choice(list(self.rows[one]), size=200, replace=False).tolist():
            if key % 2:
                self.rows[one][key] = f"changed {self.rng.integers(10**6)}"
            else:
                self.rows[other][1000 * attempt + key] = self.rows[one].pop(key)
        self.write()

    def uris(self) -> set[str]:
        rows = {f"{self.gallery / name}#{key}" for name, rows in self.rows.items() for key in rows}
        return rows | {str(path) for path in self.gallery.glob("*.txt")}


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
        def seen() -> bool:
            try:
                return log.stat().st_size > size
            except FileNotFoundError:
                return False

        return seen

    return {
        "locked": changed(folder / "lock.pid"),
        "writing": longer_than(0),
        "written": longer_than(100_000),
        "stored": lambda: committed(folder) != before,
        "indexed": changed(folder / "manifest.json"),
    }


def killed(place: Path, moment: str, rng: np.random.Generator, *words: object) -> tuple[bool, set[str]]:
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


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Pictures, Texts])
def test_kills_at_any_moment_lose_nothing(place, request, draw, command, kind):
    """Many times SIGKILL in the middle of the work: always clean, and always what was seen stored is there."""
    rng = np.random.default_rng(20)
    gallery, folder = place / "gallery", place / "indexes" / "gallery"
    encoder = request.getfixturevalue("tiny" if kind is Pictures else "tiny_text")
    files = kind(gallery, draw, rng)
    names = list(moments(folder))
    landed = 0
    for attempt in range(60):
        if attempt % 4 == 0:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            files.change(attempt)
        in_the_middle, stored = killed(
            place, names[attempt % len(names)], rng, "index", gallery, "--encoder", encoder, "--quiet"
        )
        landed += in_the_middle
        if (folder / "collection.sqlite").exists():
            with Collection.open(folder) as opened:
                assert opened.check().clean
                assert (stored - committed(folder)) & files.uris() == set()
                assert len(opened.index) == opened.store.counts().contents
        if landed == kind.kills:
            break
    assert landed == kind.kills
    assert command("index", gallery, "--encoder", encoder, "--quiet").code == 0
    assert committed(folder) == files.uris()
    assert command("check").code == 0
    assert list(folder.glob(".*.tmp")) == []


def draw_slow(gallery: Path, count: int) -> None:
    """Images that take a while to decode and come last in the order of names. What follows the end of a PNG is not
    read, but makes it another content, which is decoded for itself."""
    Image.new("L", (5000, 5000), 100).save(gallery / "z0.png")
    drawn = (gallery / "z0.png").read_bytes()
    for number in range(1, count):
        (gallery / f"z{number}.png").write_bytes(drawn + bytes([number]))


@pytest.fixture
def interruptible() -> Iterator[None]:
    """A shell starts what runs in its background deaf to interrupts, and processes inherit that; here they are not."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_ends_with_130_and_one_line_and_goes_on(place, tiny, draw, command):
    gallery, folder = place / "gallery", place / "indexes" / "gallery"
    for seed in range(260):
        draw(gallery / f"{seed:03}.png", seed)
    draw_slow(gallery, 90)
    with start(place, "index", gallery, "--encoder", tiny, "--quiet") as running:
        until(running, lambda: len(committed(folder)) > 0)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=PATIENCE)
    assert running.returncode == 130
    assert out == b""
    assert err.split() == b"Interrupted. What was saved is kept; run the same command again to resume.".split()
    stored = len(committed(folder))
    assert 0 < stored < 350
    with Collection.open(folder) as opened:
        assert opened.check().clean
        assert len(opened.index) == opened.store.counts().contents
    for number in range(1, 90):
        (gallery / f"z{number}.png").unlink()
    record = command("index", gallery, "--quiet", "--json").records[0]
    assert (record["items"], record["unchanged"]) == (261, min(stored, 261))
