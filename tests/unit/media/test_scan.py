"""The scan finds each picture once, says why it skips the rest, and survives every kind of entry."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simsearch.errors import MediaError, UsageError
from simsearch.media.folders.filters import FileFilter, LeftOut
from simsearch.media.folders.found import Found, found_at
from simsearch.media.images import IMAGE_SUFFIXES
from simsearch.media.scan import EVERYTHING, count, scan
from simsearch.types import Skip

POSIX = os.name == "posix"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(60)
SCAN_AS_NOBODY = """
import os, sys
from simsearch.media.folders.found import Found
from simsearch.media.scan import scan
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
for entry in scan(sys.argv[1], frozenset([".png"])):
    print(os.path.relpath(entry.path, sys.argv[1]), "found" if isinstance(entry, Found) else entry.reason, sep=": ")
"""


def write(root: Path, *names: str, content: bytes = PNG) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def scanned(root: Path) -> dict[str, str]:
    """The reason of each entry by its path under `root`; "" for those found. In the order of the scan."""
    entries = list(scan(root, IMAGE_SUFFIXES))
    assert list(scan(str(root), IMAGE_SUFFIXES)) == entries
    entries = [entry for entry in entries if not isinstance(entry, LeftOut)]
    assert count(root) == len(entries)
    outcome = {
        Path(os.path.relpath(entry.path, root)).as_posix(): entry.reason if isinstance(entry, Skip) else ""
        for entry in entries
    }
    assert len(outcome) == len(entries)
    return outcome


def test_order_suffixes_and_what_is_hidden(tmp_path: Path) -> None:
    write(tmp_path, "b/2.JPG", "b/10.png", "a.webp", "c.png", "b/deep/er/x.heic", "a/x.tiff")
    write(tmp_path, ".hidden.png", ".git/x.png", "Thumbs.db", "b/desktop.ini", "b/._2.JPG")
    write(tmp_path, "notes.txt", "archive.tar.gz", content=b"text")
    assert list(scanned(tmp_path).items()) == [
        ("a/x.tiff", ""),
        ("a.webp", ""),
        ("archive.tar.gz", "not an image (.gz)"),
        ("b/10.png", ""),
        ("b/2.JPG", ""),
        ("b/deep/er/x.heic", ""),
        ("c.png", ""),
        ("notes.txt", "not an image (.txt)"),
    ]


def test_size_and_time_are_those_of_the_file(tmp_path: Path) -> None:
    write(tmp_path, "a.png", content=b"12345")
    os.utime(tmp_path / "a.png", ns=(5, 1_600_000_000_123_456_700))
    status = (tmp_path / "a.png").stat()
    inode = status.st_ino if POSIX else 0
    found = Found(str(tmp_path / "a.png"), 5, status.st_mtime_ns, inode, status.st_ctime_ns)
    assert list(scan(tmp_path, IMAGE_SUFFIXES)) == [found]
    assert found_at(found.path) == found
    assert found_at(str(tmp_path / "b.png")) is None


def test_files_without_a_suffix_are_recognized_by_their_first_bytes(tmp_path: Path) -> None:
    write(tmp_path, "picture", "dotted.", content=PNG)
    write(tmp_path, "text", content=b"hello")
    write(tmp_path, "empty", content=b"")
    assert scanned(tmp_path) == {"dotted.": "", "empty": "not an image", "picture": "", "text": "not an image"}


def test_paths_are_absolute_and_not_resolved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "real/a.png")
    (tmp_path / "link").symlink_to(tmp_path / "real", target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    assert [entry.path for entry in scan("link", IMAGE_SUFFIXES)] == [str(tmp_path / "link" / "a.png")]
    assert [entry.path for entry in scan("./link/../real/", IMAGE_SUFFIXES)] == [str(tmp_path / "real" / "a.png")]


def test_a_file_as_root_yields_itself(tmp_path: Path) -> None:
    write(tmp_path, ".photo.png", "notes.txt")
    assert list(scan(tmp_path / ".photo.png", IMAGE_SUFFIXES)) == [found_at(str(tmp_path / ".photo.png"))]
    assert list(scan(tmp_path / "notes.txt", IMAGE_SUFFIXES)) == [
        Skip(str(tmp_path / "notes.txt"), "not an image (.txt)")
    ]
    assert count(tmp_path / "notes.txt") == 1
    with pytest.raises(MediaError, match=r"missing: no such file or folder$"):
        list(scan(tmp_path / "missing", IMAGE_SUFFIXES))


def test_our_own_collections_are_left_out(tmp_path: Path) -> None:
    write(tmp_path, "a.png", "indexes/gallery/collection.sqlite", "indexes/gallery/x.png", "indexes/gallery/sub/y.png")
    assert scanned(tmp_path) == {"a.png": ""}
    assert scanned(tmp_path / "indexes" / "gallery") == {}


def test_links_are_followed_and_loops_end(tmp_path: Path) -> None:
    write(tmp_path, "root/a/1.png", "outside/2.png", "outside/3.png")
    root = tmp_path / "root"
    (root / "a" / "up").symlink_to(root, target_is_directory=True)
    (root / "again").symlink_to(root / "a", target_is_directory=True)
    (root / "far").symlink_to(tmp_path / "outside", target_is_directory=True)
    (root / "file.png").symlink_to(tmp_path / "outside" / "2.png")
    (root / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (root / "self.png").symlink_to(root / "self.png")
    assert list(scanned(root).items()) == [
        ("a/1.png", ""),
        ("far/2.png", ""),
        ("far/3.png", ""),
        ("file.png", ""),
        ("gone.png", "broken link"),
        ("self.png", "broken link"),
    ]
    assert scanned(root / "gone.png") == {".": "broken link"}


@pytest.mark.parametrize(
    "name", [b"new\nline.png", b" leading and trailing .png", b"\xff\xfe\xe9.png", "日本.png".encode()]
)
def test_names_of_every_kind_survive(tmp_path: Path, name: bytes) -> None:
    if not POSIX:
        name = b"plain.png"
    path = os.fsencode(tmp_path) + b"/" + name if POSIX else os.fsencode(tmp_path / os.fsdecode(name))
    try:
        Path(os.fsdecode(path)).write_bytes(PNG)
    except OSError:
        # macOS refuses names that are not UTF-8.
        assert sys.platform == "darwin"
        return
    (entry,) = scan(tmp_path, IMAGE_SUFFIXES)
    assert isinstance(entry, Found)
    assert os.fsencode(entry.path) == path
    assert Path(entry.path).read_bytes() == PNG


def test_reasons_stay_on_one_line(tmp_path: Path) -> None:
    if POSIX:
        write(tmp_path, "a.t\nxt", "b.averyveryverylongsuffix", content=b"x")
        assert set(scanned(tmp_path).values()) == {"not an image (.t?xt)", "not an image (.averyveryve)"}
    write(tmp_path, "c.TXT", content=b"x")
    assert scanned(tmp_path)["c.TXT"] == "not an image (.txt)"


def test_pipes_and_devices_are_skipped(tmp_path: Path) -> None:
    if not POSIX:
        assert scanned(tmp_path) == {}
        return
    os.mkfifo(tmp_path / "pipe.png")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    assert scanned(tmp_path) == {
        "pipe": "a named pipe, not a file",
        "pipe.png": "a named pipe, not a file",
        "zero.png": "a device, not a file",
    }
    assert scanned(tmp_path / "pipe.png") == {".": "a named pipe, not a file"}


def test_folders_deeper_than_the_stack_of_python(tmp_path: Path) -> None:
    depth = 300 if POSIX else 20
    write(tmp_path, "/".join(["d"] * depth) + "/x.png")
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(250)
    try:
        found = [entry.path for entry in scan(tmp_path, IMAGE_SUFFIXES)]
    finally:
        sys.setrecursionlimit(limit)
    assert found == [str(tmp_path.joinpath(*["d"] * depth, "x.png"))]


def test_what_cannot_be_entered_or_read_is_skipped() -> None:
    if not POSIX:
        return
    # Not pytest's folder, which other users cannot enter.
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        root.chmod(0o755)
        write(root, "a.png", "closed/b.png", "unlistable/c.png", "secret", "z.png")
        (root / "inside.png").symlink_to(root / "closed" / "b.png")
        (root / "closed").chmod(0o000)
        (root / "unlistable").chmod(0o311)
        (root / "secret").chmod(0o000)
        outcome = subprocess.run(
            [sys.executable, "-c", SCAN_AS_NOBODY, folder], capture_output=True, text=True, check=True
        )
        for name in ("closed", "unlistable"):
            (root / name).chmod(0o755)
    assert outcome.stdout.splitlines() == [
        "a.png: found",
        "closed: permission denied",
        "inside.png: permission denied",
        "secret: permission denied",
        "unlistable: permission denied",
        "z.png: found",
    ]


NAMES = st.text(st.sampled_from("abAB.é _"), min_size=1, max_size=6).filter(lambda name: name.strip(". ") == name)


@given(st.sets(st.lists(NAMES, min_size=1, max_size=4).map(tuple), max_size=12))
@settings(max_examples=40, deadline=None)
def test_equals_a_plain_walk(paths: set[tuple[str, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for parts in sorted(paths):
            path = Path(folder, *parts[:-1], parts[-1] + ".png")
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(PNG)
            except OSError:
                # A folder and a file of one name.
                continue
        expected = {str(Path(where, name)) for where, _, names in os.walk(folder) for name in names}
        found = [entry.path for entry in scan(folder, IMAGE_SUFFIXES)]
        assert set(found) == expected
        assert len(found) == len(expected)
        assert [Path(path).parts for path in found] == sorted(Path(path).parts for path in found)


def left_out(root: Path, chosen: FileFilter = EVERYTHING) -> tuple[list[str], dict[str, str]]:
    """The found files, and what is left out with the reason, by paths under `root`."""
    entries = list(scan(root, IMAGE_SUFFIXES, "image", chosen))
    names = {entry.path: Path(entry.path).relative_to(root).as_posix() for entry in entries}
    found = [names[entry.path] for entry in entries if isinstance(entry, Found)]
    return found, {names[entry.path]: entry.reason for entry in entries if isinstance(entry, LeftOut)}


@pytest.mark.parametrize(
    "name",
    ["@eaDir", "#recycle", "$RECYCLE.BIN", "System Volume Information", ".Trashes", ".Trash-1000", "__MACOSX",
     "node_modules", "lost+found", ".@__thumb", "@Recycle", ".git"],
)  # fmt: skip
def test_system_folders_are_left_out_and_named_however_they_are_chosen(tmp_path: Path, name: str) -> None:
    write(tmp_path, f"trip/{name}/a.png", "trip/a.png", f"{name.lower()}/deep/a.png")
    reasons = {f"trip/{name}": name, name.lower(): name.lower()}
    assert left_out(tmp_path, FileFilter(include_hidden=True)) == (["trip/a.png"], reasons)
    assert left_out(tmp_path / "trip" / name)[0] == ["a.png"]


def test_a_class_folder_with_a_name_that_resembles_one_of_the_system_counts(tmp_path: Path) -> None:
    write(tmp_path, "recycle/a.png", "eaDir/a.png", "trash/a.png", "lost/a.png")
    assert left_out(tmp_path) == (["eaDir/a.png", "lost/a.png", "recycle/a.png", "trash/a.png"], {})


def test_hidden_names_are_left_out_or_included(tmp_path: Path) -> None:
    write(tmp_path, ".a.png", ".album/b.png", "c.png", "._c.png", ".DS_Store")
    assert left_out(tmp_path) == (["c.png"], {".a.png": "hidden", ".album": "hidden"})
    assert left_out(tmp_path, FileFilter(include_hidden=True)) == ([".a.png", ".album/b.png", "c.png"], {})


def test_patterns_exclude_as_those_of_gitignore_do(tmp_path: Path) -> None:
    write(tmp_path, "a.png", "thumbs/a.png", "deep/thumbs/a.png", "deep/keep_s.png", "deep/b_s.png")
    found, reasons = left_out(tmp_path, FileFilter(("/thumbs/", "*_s.png", "!keep_s.png")))
    assert found == ["a.png", "deep/keep_s.png", "deep/thumbs/a.png"]
    assert reasons == {"thumbs": "excluded", "deep/b_s.png": "excluded"}
    with pytest.raises(UsageError, match=r"--exclude: .*'!'; patterns are written as in \.gitignore"):
        FileFilter(("!",))


def test_an_ignore_file_holds_for_its_folder_and_those_below(tmp_path: Path) -> None:
    write(tmp_path, "a.png", "x/a.png", "x/b.png", "x/y/a.png")
    (tmp_path / ".simsearchignore").write_bytes("\ufeff# comment\r\nb.png\r\n".encode())
    (tmp_path / "x/.simsearchignore").write_text("/a.png\n!b.png\n")
    assert left_out(tmp_path) == (["a.png", "x/b.png", "x/y/a.png"], {"x/a.png": "excluded"})
    (tmp_path / "x/.simsearchignore").write_bytes(b"\xff\n")
    with pytest.raises(MediaError, match=r"\.simsearchignore: not UTF-8"):
        left_out(tmp_path)
