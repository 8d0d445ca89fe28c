"""Long paths, clocks that are set back, and files that look unchanged."""

from __future__ import annotations

import os
import sys
import time

import pytest

from simsearch.collection import Collection
from simsearch.types import AddReport

LONG = 4000


@pytest.mark.skipif(sys.platform != "linux", reason="other systems allow no paths of 4,000 bytes")
def test_paths_of_four_thousand_bytes(tmp_path, tiny, other, draw):
    folder = tmp_path / "root"
    while len(os.fsencode(folder)) < LONG - 220:
        folder = folder / ("ä" * 100)
    path = folder / ("x" * (LONG - len(os.fsencode(folder)) - 5) + ".png")
    assert len(os.fsencode(path)) == LONG
    draw(path, 1)
    with Collection.create(tmp_path / "index", tiny) as made:
        assert made.add(tmp_path / "root") == AddReport(added=1)
        assert made.add(tmp_path / "root") == AddReport(unchanged=1)
        assert made.query(path, 1)[0].item.uri == str(path)
        made.enroll("Ana", [path])
        for form in ("jsonl", "npz", "parquet"):
            made.export(tmp_path / f"all.{form}")
            with Collection.create(tmp_path / form, tiny) as back:
                assert back.import_vectors(tmp_path / f"all.{form}").added == 1
                assert [item.uri for item in back.items()] == [str(path)]
        assert made.reindex(other).lost == ()
        (tmp_path / "root").rename(tmp_path / "r")
        assert made.move(tmp_path / "root", tmp_path / "r").moved == 1
        assert made.remove(tmp_path / "r") == 1
        assert made.check().clean


def test_a_clock_that_is_set_back_loses_no_change(tmp_path, tiny, gallery, draw, monkeypatch):
    """Neither the generation nor what is new depends on which time is later."""
    with Collection.create(tmp_path / "index", tiny) as made:
        made.add(gallery)
        made.enroll("Ana", [gallery / "0.png"])
        monkeypatch.setattr(time, "time", lambda: 86_400.0)
        early = 86_400_000_000_000
        draw(gallery / "1.png", 90)
        os.utime(gallery / "1.png", ns=(early, early))
        draw(gallery / "late.png", 91)
        os.utime(gallery / "late.png", ns=(early, early))
        assert made.add(gallery) == AddReport(added=1, unchanged=7, updated=1)
        made.enroll("Ana", [gallery / "late.png"])
        assert made.query(gallery / "late.png", 1)[0].score == pytest.approx(1.0)
        made.backup(tmp_path / "backup")
        made.reindex(tiny)
        made.roll_back()
        assert made.labels() == {"Ana": 2}
        assert made.check().clean


def test_other_content_of_equal_size_and_time_is_found_by_reading(tmp_path, tiny, gallery, draw, monkeypatch):
    """Written in place, with its times put back; only the time of the last change of the file's data tells."""
    path = gallery / "0.bmp"
    draw(path, 92)
    with Collection.create(tmp_path / "index", tiny) as made:
        made.add(gallery)
        before = path.stat()
        other = draw(tmp_path / "other.bmp", 93).read_bytes()
        assert len(other) == before.st_size
        with path.open("r+b") as stream:
            stream.write(other)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert path.stat().st_mtime_ns == before.st_mtime_ns
        assert made.add(gallery, verify_content=True).updated == 1
        assert made.query(path, 1)[0].item.uri == str(path)
        assert made.add(gallery) == AddReport(unchanged=9)
