"""Paths that lead to one place are known as such, whatever links, mounts or letters they are written with."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from simsearch.duplicates.removal import places
from simsearch.duplicates.removal.places import Roots, location, parse_mounts, same_entry


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return path


def test_a_folder_holds_itself_and_what_is_below(tmp_path: Path) -> None:
    root, other = tmp_path / "a", tmp_path / "ab"
    inside = touch(root / "x" / "y")
    roots = Roots.of([root, other / "deep"])
    assert roots.holding(root) == roots.holding(inside) == roots.holding(root / "not" / "there") == str(root)
    assert roots.holding(other / "deep" / "file") == str(other / "deep")
    for outside in (tmp_path, other, tmp_path / "ab" / "file", tmp_path.anchor):
        assert roots.holding(outside) is None
    assert Roots.of([]).holding(root) is None
    assert Roots.of([tmp_path.anchor]).holding(root) == tmp_path.anchor


def test_a_file_can_be_a_root(tmp_path: Path) -> None:
    path = touch(tmp_path / "a")
    (tmp_path / "linked").symlink_to(tmp_path, target_is_directory=True)
    roots = Roots.of([path])
    assert roots.holding(path) == roots.holding(tmp_path / "linked" / "a") == str(path)
    assert roots.holding(tmp_path / "b") is None


def test_links_above_a_file_are_followed_and_the_file_itself_is_not(tmp_path: Path) -> None:
    inside = touch(tmp_path / "a" / "deep" / "file")
    (tmp_path / "to deep").symlink_to(tmp_path / "a" / "deep", target_is_directory=True)
    (tmp_path / "to file").symlink_to(inside)
    (tmp_path / "root").symlink_to(tmp_path / "a", target_is_directory=True)
    for root in (tmp_path / "a", tmp_path / "root"):
        roots = Roots.of([root])
        assert roots.holding(tmp_path / "to deep" / "file") == str(root)
        # Removing this link touches nothing in the folder.
        assert roots.holding(tmp_path / "to file") is None
        assert roots.holding(tmp_path / "to deep") is None


MOUNTS = r"""
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 8:2 / /disk rw - ext4 /dev/sdb rw
31 22 8:2 /photos/old /home/me/old\040ones rw - ext4 /dev/sdb rw
32 22 0:40 / /disk/usb rw - vfat /dev/sdc rw
33 22 8:3 / /disk/usb rw - vfat /dev/sdd rw
""".strip().splitlines()


@pytest.mark.skipif(os.name != "posix", reason="mounts are of POSIX")
def test_two_mounts_of_one_place_are_one_place() -> None:
    mounts = parse_mounts(MOUNTS)
    assert location("/home/me/x", mounts) == ("8:1", "/home/me/x")
    assert location("/", mounts) == ("8:1", "/")
    assert location("/disk/photos/old/a", mounts) == ("8:2", "/photos/old/a")
    assert location("/home/me/old ones/a", mounts) == ("8:2", "/photos/old/a")
    assert location("/home/me/old ones", mounts) == ("8:2", "/photos/old")
    assert location("/disk/usb/a", mounts) == ("8:3", "/a")
    assert location("/diskette/a", mounts) == ("8:1", "/diskette/a")
    assert location("/a/b", []) == ("", "/a/b")


@pytest.mark.skipif(os.name != "posix", reason="mounts are of POSIX")
def test_a_part_of_a_folder_that_is_mounted_elsewhere_lies_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = tmp_path / "disk", tmp_path / "shown here"
    touch(one / "photos" / "old" / "a")
    touch(other / "a")
    listed = [(str(one), "8:2", "/"), (str(other), "8:2", "/photos/old"), ("/", "8:1", "/")]
    monkeypatch.setattr(places, "mounted", lambda: listed)
    roots = Roots.of([one / "photos"])
    assert roots.holding(other / "a") == str(one / "photos")
    assert roots.holding(other) == str(one / "photos")
    assert Roots.of([other]).holding(one / "photos" / "old" / "a") == str(other)
    assert Roots.of([other]).holding(one / "photos") is None


@pytest.mark.skipif(sys.platform != "linux", reason="the list of mounts is of Linux")
def test_the_mounts_of_this_system_are_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert any(point == "/" for point, _, _ in places.mounted())
    monkeypatch.setattr(places, "_MOUNTS", str(tmp_path / "none"))
    assert places.mounted() == []


def test_an_entry_is_a_name_in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = touch(tmp_path / "x" / "photo"), touch(tmp_path / "x" / "other")
    (tmp_path / "linked").symlink_to(tmp_path / "x", target_is_directory=True)
    assert same_entry(str(one), str(one))
    assert same_entry(str(one), str(tmp_path / "linked" / "photo"))
    assert not same_entry(str(one), str(other))
    assert not same_entry(str(one), str(tmp_path / "none"))
    # Hard links are entries of their own, in one folder and in two.
    near, far = tmp_path / "x" / "Photo 2", tmp_path / "y"
    near.hardlink_to(one)
    far.hardlink_to(one)
    assert not same_entry(str(one), str(near))
    assert not same_entry(str(one), str(far))
    assert same_entry(str(one), str(tmp_path / "linked" / "photo"))
    # As where letters of another case are the same name: one name is listed, both lead to the file.
    monkeypatch.setattr(os, "listdir", lambda folder: ["photo", "other"])
    assert same_entry(str(one), str(near))


def test_a_process_without_the_extras_can_use_all_of_it(tmp_path: Path) -> None:
    """Nothing heavy is loaded for removing files."""
    code = (
        "import sys, simsearch.duplicates.removal.apply, simsearch.duplicates.removal.undo\n"
        "print(sorted({'numpy', 'PIL', 'filelock', 'send2trash'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "[]\n", done
