"""Disks that are full, and folders that cannot be written."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from simsearch.collection import Collection

PATIENCE = 60.0
"""Seconds after which something that must happen is taken as never happening."""


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
def test_a_full_disk_loses_nothing_and_the_command_completes_later(
    command, process, place, tiny, draw, small, unmeasured, limit
):
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
        assert re.search(r"the disk is full, \d\.\d MB are free and about \d\.\d MB needed; free some space", err)
        check_full_disk(command, place, folder, before[:1])
        (folder / "filler").unlink()
    else:
        line = [sys.executable, "-c", LIMITED, *map(str, words)]
        # The limit would hold for what coverage writes as well.
        done = subprocess.run(line, capture_output=True, text=True, cwd=place, timeout=PATIENCE, env=unmeasured)
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


def fill(folder: Path) -> None:
    """Leaves no byte free on the disk of a folder."""
    with contextlib.suppress(OSError), (folder / "filler").open("ab", buffering=0) as stream:
        while stream.write(bytes(1024)):
            pass


def check_full_disk(command, place: Path, folder: Path, expected: list[dict[str, object]]) -> None:
    """With no byte left what was stored is read, and writing says what is missing."""
    fill(folder)
    words = ("--index", folder / "col")
    asked = command("query", place / "gallery" / "7.png", *words, "--json", "-k", "1")
    assert asked.records == expected
    assert command("info", *words).code == command("check", *words).code == 0
    enrolled = command("enroll", "Ana", place / "gallery" / "7.png", *words)
    assert (enrolled.code, enrolled.out) == (1, "")
    assert enrolled.err.startswith(f"Error: {folder / 'col'} cannot be written: the disk is full, 0.0 MB are free")


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
