"""Following folders."""

from __future__ import annotations

import sys
import threading

import pytest

from simsearch.collection import Collection, locking
from simsearch.errors import MissingExtraError, UsageError


@pytest.fixture
def stop():
    """Set after a minute, so that a test fails in place of waiting for ever."""
    event = threading.Event()
    timer = threading.Timer(60, event.set)
    timer.start()
    yield event
    timer.cancel()


@pytest.fixture
def followed(tmp_path, counting, gallery, stop):
    """A collection whose own folder is in the folder that it follows, and its reports behind the first one."""
    with Collection.create(gallery / "index", counting) as made:
        reports = made.watch(gallery, settle=0.05, stop=stop)
        first = next(reports)
        assert (first.added, first.unchanged) == (8, 0)
        yield made, reports
        stop.set()
        assert list(reports) == []


def test_a_burst_is_few_updates_with_all_of_it(followed, gallery, draw, counting):
    made, reports = followed
    for seed in range(40):
        draw(gallery / "new" / f"{seed}.png", 100 + seed)
    count = number = 0
    while count < 40:
        count += next(reports).added
        number += 1
    assert number < 20
    assert len(made) == 48
    (gallery / "new" / "3.png").unlink()
    report = next(reports)
    while not report.removed:
        report = next(reports)
    assert report.removed == 1
    counting.taken()
    (gallery / "new").rename(gallery / "renamed")
    moved = next(reports)
    while not moved.reused:
        moved = next(reports)
    assert (moved.reused, counting.taken()) == (39, 0)
    assert len(made) == 47


def test_a_bad_file_stops_nothing_and_is_read_once_it_is_good(followed, gallery, draw):
    made, reports = followed
    (gallery / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    report = next(reports)
    assert [skip.path for skip in report.skipped] == [str(gallery / "bad.png")]
    draw(gallery / "bad.png", 300)
    while not next(reports).added:
        pass
    assert len(made) == 9


def test_a_file_that_is_being_written_is_waited_for(followed, gallery, draw, tmp_path):
    made, reports = followed
    content = draw(tmp_path / "elsewhere" / "slow.png", 301, (400, 400)).read_bytes()
    with (gallery / "slow.png").open("wb") as stream:
        for start in range(0, len(content), 1 + len(content) // 50):
            stream.write(content[start : start + 1 + len(content) // 50])
            stream.flush()
    seen = []
    while sum(report.added for report in seen) < 1:
        seen.append(next(reports))
    with Collection.open(made.folder) as reader:
        assert reader.query(gallery / "slow.png", 1)[0].score == pytest.approx(1.0)
    assert [skip for report in seen for skip in report.skipped] == []


def test_the_lock_is_free_between_updates_and_waited_for(followed, gallery, draw):
    made, reports = followed
    with Collection.open(made.folder, made.encoder) as other:
        other.enroll("Ana", [gallery / "0.png"])
    release = threading.Event()
    held = threading.Event()

    def hold():
        with locking.held(made.folder):
            held.set()
            release.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(30)
    draw(gallery / "late.png", 302)
    threading.Timer(0.5, release.set).start()
    assert next(reports).added == 1
    assert release.is_set()
    thread.join()


def test_a_folder_that_was_away_is_followed_again(gallery, draw, tmp_path, counting, stop):
    away = tmp_path / "away"
    away.mkdir()
    with Collection.create(tmp_path / "index", counting) as second:
        follow = second.watch([gallery, away], settle=0.05, stop=stop)
        next(follow)
        away.rmdir()
        assert next(follow).unchanged == 8
        draw(away / "back.png", 303)
        while not next(follow).added:
            pass
        draw(away / "more.png", 304)
        while not next(follow).added:
            pass
        assert len(second) == 10
        stop.set()
        assert list(follow) == []


def test_what_cannot_be_followed_is_refused(tmp_path, tiny, gallery, monkeypatch):
    with Collection.create(tmp_path / "index", tiny) as made:
        for wrong in (gallery / "0.png", gallery / "missing"):
            with pytest.raises(UsageError, match="is no folder"):
                next(made.watch(wrong))
        with pytest.raises(UsageError, match="settle"):
            made.watch(gallery, settle=-1)
        monkeypatch.setitem(sys.modules, "watchfiles", None)
        with pytest.raises(MissingExtraError, match=r"simsearch\[watch\]"):
            next(made.watch(gallery))
