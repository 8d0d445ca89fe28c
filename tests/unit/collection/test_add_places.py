"""Items of a collection when disks come and go, and when folders move or have two names."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from simsearch.collection import Collection
from simsearch.collection.adding.roots import MoveReport
from simsearch.errors import StoreError, UsageError
from simsearch.media.folders import found
from simsearch.types import AddReport, Skip

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="Windows needs a privilege for symbolic links")


@pytest.fixture
def collection(tmp_path, counting) -> Iterator[Collection]:
    with Collection.create(tmp_path / "indexes" / "gallery", counting) as made:
        yield made


class Disk:
    """A disk at a folder: mounted where that is permitted, else the folder is said to be on another device."""

    def __init__(self, folder: Path, real: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.real = folder, real
        self.inodes = set[int]()
        if not real:
            monkeypatch.setattr(found, "device_of", lambda status: int(status.st_ino in self.inodes))

    def mount(self) -> None:
        self.folder.mkdir(exist_ok=True)
        if self.real:
            subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(self.folder)], check=True)

    def unmount(self) -> None:
        self.inodes.clear()
        if self.real:
            subprocess.run(["umount", str(self.folder)], check=True)
        else:
            # The folder that was below the mount is another one.
            other = self.folder.with_name("other")
            other.mkdir()
            shutil.rmtree(self.folder)
            other.rename(self.folder)


def can_mount(folder: Path) -> bool:
    """Whether this process may mount disks."""
    if shutil.which("mount") is None:
        return False
    done = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(folder)], capture_output=True)
    if done.returncode == 0:
        subprocess.run(["umount", str(folder)], check=True)
    return done.returncode == 0


@pytest.fixture(params=["a disk", "said to be a disk"])
def disk(request, tmp_path, monkeypatch) -> Iterator[Disk]:
    made = Disk(tmp_path / "root" / "disk", request.param == "a disk" and can_mount(tmp_path), monkeypatch)
    yield made
    if made.real and made.folder.is_mount():
        subprocess.run(["umount", "-l", str(made.folder)], check=True)


def fill(disk: Disk, draw: Callable[..., Path], *seeds: int) -> None:
    disk.mount()
    for seed in seeds:
        draw(disk.folder / "deep" / f"{seed}.png", seed)
    disk.inodes = {folder.stat().st_ino for folder in (disk.folder, disk.folder / "deep")}


def test_a_disk_inside_a_root_that_is_away_takes_nothing_along(collection, counting, tmp_path, draw, disk):
    for seed in range(7):
        draw(tmp_path / "root" / f"{seed}.png", seed)
    fill(disk, draw, 20, 21, 22)
    table = tmp_path / "labels.csv"
    table.write_text("path,label\n" + "".join(f"root/disk/deep/{seed}.png,L{seed}\n" for seed in (20, 21, 22)))
    root, away = tmp_path / "root", (str(disk.folder),)
    assert collection.add(root, labels=str(table)) == AddReport(added=10)
    items = {item.uri: (item.id, item.label) for item in collection.items()}
    disk.unmount()
    (root / "0.png").unlink()
    for _ in range(2):
        # What is gone from the disk that is there goes, once.
        report = collection.add(root)
        assert (report.unchanged, report.kept, report.vanished, report.away) == (6, 3, 0, away)
    del items[str(root / "0.png")]
    assert {item.uri: (item.id, item.label) for item in collection.items()} == items
    with pytest.raises(StoreError, match=rf"^{away[0]} is not mounted, and 3 items are from there; mount it, or"):
        collection.reindex(counting)
    # Mounted again with a file less, which now is deleted; nothing is encoded.
    counting.taken()
    fill(disk, draw, 20, 22)
    assert collection.add(root) == AddReport(unchanged=8, removed=1)
    assert counting.taken() == 0
    assert {item.label for item in collection.items()} == {None, "L20", "L22"}
    disk.unmount()
    assert collection.add(disk.folder) == AddReport(kept=2, away=away)
    assert collection.add(root, prune=True) == AddReport(unchanged=6, removed=2)
    assert collection.store.mounts_under(str(root)) == set()


def test_what_was_copied_to_the_place_of_a_disk_is_of_the_other_disk_then(collection, tmp_path, draw, disk):
    draw(tmp_path / "root" / "0.png", 0)
    fill(disk, draw, 20, 21, 22)
    root = tmp_path / "root"
    collection.add(root)
    disk.unmount()
    for seed in (20, 21, 22):
        draw(disk.folder / "deep" / f"{seed}.png", seed)
    assert collection.add(root) == AddReport(unchanged=4)
    (disk.folder / "deep" / "21.png").unlink()
    assert collection.add(root) == AddReport(unchanged=3, removed=1)


def library(tmp_path: Path, draw: Callable[..., Path]) -> Path:
    for seed in range(4):
        draw(tmp_path / "library" / "sub" / f"{seed}.png", seed)
    return tmp_path / "library"


def test_a_root_that_was_moved_is_followed_with_all_that_its_items_have(collection, counting, tmp_path, draw):
    old, new = library(tmp_path, draw), tmp_path / "moved"
    collection.add(old, labels="folder")
    collection.enroll("Ana", [old / "sub" / "0.png"])
    ids = {item.id: item.label for item in collection.items()}
    counting.taken()
    shutil.move(old, new)
    (new / "sub" / "3.png").unlink()
    remark = f"{old} is now {new}: its 4 items have their new paths"
    assert collection.add(new) == AddReport(unchanged=3, removed=1, notes=(remark,))
    assert {item.id: item.label for item in collection.items()} == {id: ids[id] for id in (1, 2, 3)}
    assert [item.uri for item in collection.items()] == [str(new / "sub" / f"{n}.png") for n in range(3)]
    assert collection.info().roots == (str(new),)
    assert collection.store.examples()[0][0].uri == str(new / "sub" / "0.png")
    assert counting.taken() == 0
    assert collection.check().clean


def test_a_copy_is_not_taken_for_the_root_and_other_times_are_only_remarked(collection, tmp_path, draw):
    old, new = library(tmp_path, draw), tmp_path / "copy"
    collection.add(old, labels="folder")
    shutil.copytree(old, new)
    assert collection.add(new) == AddReport(reused=4)
    collection.remove(new)
    shutil.rmtree(new)
    shutil.copytree(old, new, copy_function=shutil.copyfile)
    shutil.rmtree(old)
    report = collection.add(new)
    assert (report.reused, len(report.notes)) == (4, 1)
    assert report.notes[0].endswith(f"If it was moved: simsearch move {old} {new}")
    assert collection.move(old, new) == MoveReport(4, 0)
    assert [(item.uri, item.label) for item in collection.items()] == [
        (str(new / "sub" / f"{n}.png"), "sub") for n in range(4)
    ]
    assert collection.info().roots == (str(new),)


def test_a_move_that_cannot_be_is_refused_and_changes_nothing(collection, tmp_path, draw):
    old = library(tmp_path, draw)
    collection.add(old)
    (tmp_path / "empty").mkdir()
    for before, after, reason in [
        (tmp_path / "none", old, "nothing in the collection has that path; its sources: "),
        (old, tmp_path / "none", "does not exist; give the new path"),
        (old, old, "is the same path"),
        (old, tmp_path / "empty", "holds none of the 4 files"),
    ]:
        with pytest.raises(UsageError, match=reason):
            collection.move(before, after)
    assert [item.uri for item in collection.items()] == [str(old / "sub" / f"{n}.png") for n in range(4)]
    (old / "sub").rename(old / "renamed")
    (old / "renamed" / "0.png").unlink()
    assert collection.move(old / "sub", old / "renamed") == MoveReport(4, 1)
    assert collection.add(old) == AddReport(unchanged=3, removed=1)


@posix_only
def test_a_folder_of_two_names_is_indexed_once(collection, tmp_path, draw):
    root, link = library(tmp_path, draw), tmp_path / "link"
    collection.add(root)
    link.symlink_to(root)
    table = link / "labels.csv"
    table.write_text("path,label\nsub/1.png,one\n" + f"{link}/sub/2.png,two\n")
    skipped = (Skip(str(root / "labels.csv"), "not an image (.csv)"),)
    assert collection.add(link) == AddReport(unchanged=4, skipped=skipped)
    assert collection.add(link, labels=str(table)) == AddReport(unchanged=4)
    assert collection.add([link / "sub", link / "sub" / "0.png"]) == AddReport(unchanged=4)
    assert [(item.uri, item.label) for item in collection.items()] == [
        (str(root / "sub" / f"{n}.png"), label) for n, label in enumerate((None, "one", "two", None))
    ]
    assert collection.info().roots == (str(root),)
    stored = collection.query(link / "sub" / "1.png", 1, exclude_self=True)
    assert stored.query == collection.query(root / "sub" / "1.png").query
    assert (str(link / "sub" / "1.png") in collection, "sub/1.png" in collection) == (True, False)
    assert collection.remove(link / "sub" / "3.png") == 1
    # A link to a file is a file of its own.
    (tmp_path / "single.png").symlink_to(root / "sub" / "0.png")
    assert collection.add(tmp_path / "single.png") == AddReport(reused=1)


@posix_only
def test_a_link_that_was_the_root_is_followed_to_its_folder(collection, tmp_path, draw):
    root, link = library(tmp_path, draw), tmp_path / "link"
    link.symlink_to(root)
    collection.add(link)
    assert collection.add(root) == AddReport(unchanged=4)
    assert collection.info().roots == (str(link),)
    link.unlink()
    assert collection.add(root).unchanged == 4
    assert collection.info().roots == (str(root),)
