"""Several processes with one collection, and folders that cannot be written."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from simsearch.collection import Collection, locking
from simsearch.collection.adding import storing
from simsearch.errors import LockedError
from simsearch.progress import Silent
from simsearch.types import AddReport

WRITER = """
import sys
from simsearch.collection import Collection
with Collection.open(sys.argv[1]) as collection, collection.changing() as store:
    if len(sys.argv) > 2:
        store.remove_items(store.ids_under(sys.argv[2]))
    print("holding", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def folder(tmp_path, tiny, gallery) -> Path:
    place = tmp_path / "col"
    with Collection.create(place, tiny) as made:
        made.add(gallery)
    return place


def paused_writer(*arguments: object) -> subprocess.Popen[str]:
    """A process in the middle of writing, until it gets a line."""
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout.readline() == "holding\n"
    return writer


def test_a_second_writer_is_told_who_holds_the_lock(folder, gallery):
    with paused_writer(folder) as writer, Collection.open(folder) as second:
        for change in (lambda: second.add(gallery), lambda: second.forget("Ana"), lambda: second.remove(gallery)):
            with pytest.raises(LockedError, match=f"process {writer.pid};"):
                change()
        writer.communicate("\n", timeout=30)
    assert writer.returncode == 0
    with Collection.open(folder) as after:
        assert after.add(gallery) == AddReport(unchanged=8)


def test_a_writer_waits_for_a_reader_that_saves_the_index(folder, gallery):
    held, release = threading.Event(), threading.Event()

    def save() -> None:
        with locking.held(folder, brief=True):
            held.set()
            release.wait(30)

    reader = threading.Thread(target=save)
    reader.start()
    held.wait(30)
    threading.Timer(0.2, release.set).start()
    with Collection.open(folder) as writer:
        assert writer.remove(gallery / "0.png") == 1
    assert release.is_set()
    reader.join()


def test_a_killed_writer_leaves_no_lock(folder, gallery):
    with paused_writer(folder) as writer:
        writer.kill()
    with Collection.open(folder) as after:
        assert after.add(gallery) == AddReport(unchanged=8)


def test_readers_work_while_a_writer_is_in_the_middle(folder, gallery):
    with Collection.open(folder) as early:
        before = early.query(gallery / "0.png", 100)
        with paused_writer(folder, gallery / "3.png") as writer:
            with Collection.open(folder) as reader:
                left = [(match.item, match.score) for match in reader.query(gallery / "0.png", 100)]
                assert left == [(m.item, m.score) for m in before if m.item.uri != str(gallery / "3.png")]
                assert reader.check().clean
            assert [(match.item, match.score) for match in early.query(gallery / "0.png", 100)] == left
            writer.communicate("\n", timeout=30)
        assert writer.returncode == 0
        early.refresh()
        assert len(early.index) == 7


def test_what_another_process_added_is_found_after_refresh(folder, gallery, tiny, draw):
    with Collection.open(folder) as early, Collection.open(folder) as writer:
        assert len(early.query(gallery / "0.png", 100)) == 8
        draw(gallery / "new.png", 90)
        writer.add(gallery)
        assert len(writer.query(gallery / "0.png", 100)) == 9
        early.refresh()
        assert len(early.query(gallery / "0.png", 100)) == 9


def test_what_was_done_before_an_error_is_kept_and_indexed(folder, gallery, draw, monkeypatch):
    monkeypatch.setattr(storing, "TRANSACTION", 3)
    for seed in range(7):
        draw(gallery / f"more-{seed}.png", 50 + seed)

    class Stopped(BaseException):
        pass

    class StopLate(Silent):
        """Stops when 14 of the 15 files are through."""

        left = 14

        def advance(self, n: int = 1) -> None:
            self.left -= n
            if self.left < 0:
                raise Stopped

    with Collection.open(folder) as opened:
        with pytest.raises(Stopped):
            opened.add(gallery, progress=StopLate())
        count = len(opened)
        assert 8 < count < 15
        assert len(opened.index) == count
    with Collection.open(folder) as again:
        assert again.check().clean
        assert again.add(gallery).added == 15 - count
        assert len(again.index) == 15


READ_ONLY = """
from simsearch.collection import Collection
from simsearch.errors import SimsearchError
with Collection.open(arguments[0]) as collection:
    for match in collection.query(arguments[1], 3):
        print(match.rank, round(match.score, 4), match.item.uri)
    print(collection.recognize(arguments[1]).label, collection.check().clean, len(collection))
    for change in (lambda: collection.add(arguments[2]), lambda: collection.enroll("B", [arguments[1]]),
                   lambda: collection.remove(arguments[1])):
        try:
            change()
        except SimsearchError as error:
            print(type(error).__name__, error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows folders have no permission bits")
@pytest.mark.parametrize("cached", [True, False])
def test_a_folder_that_cannot_be_written_can_be_asked(tiny, draw, public, nobody, cached):
    for seed in range(5):
        draw(public / "root" / f"{seed}.png", seed)
    shutil.copytree(tiny, public / "tiny")
    asked = public / "root" / "2.png"
    with Collection.create(public / "col", public / "tiny") as made:
        made.add(public / "root")
        made.enroll("Ana", [asked])
        expected = [f"{match.rank} {round(match.score, 4)} {match.item.uri}" for match in made.query(asked, 3)]
    if not cached:
        (public / "col" / "manifest.json").unlink()
    before = sorted(path.name for path in (public / "col").iterdir())
    (public / "col").chmod(0o555)
    done = nobody(READ_ONLY, public / "col", asked, public / "root")
    (public / "col").chmod(0o755)
    lines = done.stdout.splitlines()
    assert done.stderr == ""
    assert lines[:4] == [*expected, "Ana True 5"]
    assert len(lines) == 7
    for line in lines[4:]:
        assert line.startswith(f"StoreError {public / 'col'} cannot be written")
    assert sorted(path.name for path in (public / "col").iterdir()) == before
    with Collection.open(public / "col") as after:
        assert (len(after), after.labels()) == (5, {"Ana": 1})


def test_the_index_is_left_behind_when_someone_else_writes(folder, gallery):
    """A reader that had to rebuild the index answers all the same, though it cannot save it."""
    (folder / "manifest.json").unlink()
    with paused_writer(folder) as writer:
        with Collection.open(folder) as reader:
            assert len(reader.query(gallery / "0.png", 100)) == 8
        assert not (folder / "manifest.json").exists()
        writer.communicate("\n", timeout=30)
    assert (folder / "manifest.json").exists()


def test_threads_may_ask_together(folder, gallery):
    from concurrent.futures import ThreadPoolExecutor

    paths = [gallery / f"{number % 8}.png" for number in range(40)]
    with Collection.open(folder) as opened, ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda path: opened.query(path, 1)[0], paths))
    assert [match.item.uri for match in found] == [str(path) for path in paths]
    assert np.allclose([match.score for match in found], 1, atol=1e-6)
