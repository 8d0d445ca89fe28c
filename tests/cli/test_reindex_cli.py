"""simsearch reindex."""

from __future__ import annotations

from PIL import Image


def test_it_reports_shows_and_returns(command, indexed, other, tiny, place):
    trial = command("reindex", "--encoder", other, "--dry-run", "--report", "change.png", "--json", "--quiet")
    record = trial.records[0]
    assert (trial.code, record["switched"], record["items"], record["report"]) == (0, False, 8, ["change.png"])
    assert 0 <= record["overlap_low"] <= record["overlap"] <= record["overlap_high"] <= 1
    with Image.open(place / "change.png") as sheet:
        assert sheet.width > 100
    done = command("reindex", "--encoder", other, "--quiet")
    assert (done.code, done.out, done.err) == (0, "", "")
    assert command("info", "--json").records[0]["encoder"] == str(other)
    assert list(command("info", "--json").records[0]["kept"]) == ["gallery.previous"]
    assert "gallery.previous" in command("info").out
    back = command("reindex", "--rollback")
    assert back.code == 0
    assert f"8 items, now encoded by {tiny}" in back.out
    assert "overlap@7 with the neighbors of" in back.out
    assert command("info", "--json").records[0]["encoder"] == str(tiny)
    assert command("reindex", "--discard", "--json").records == [{"collection": "indexes/gallery", "discarded": True}]
    assert "there is no previous state" in command("reindex", "--discard").out
    assert command("reindex", "--rollback").code == 2


def test_lost_examples_and_a_stale_calibration_are_named(command, indexed, other, draw, place):
    ana, ben = draw(place / "ana.png", 80), draw(place / "ben.png", 81)
    command("enroll", "Ana", ana)
    command("enroll", "Ben", ben)
    for seed in range(4):
        draw(place / "strangers" / f"{seed}.png", 90 + seed)
    assert command("calibrate", "--far", "0.5", "--confidence", "0.6", "--impostors", "strangers", "--quiet").code == 0
    ana.unlink()
    done = command("reindex", "--encoder", other)
    assert done.code == 0
    assert f"skipped {ana}: no such file" in done.err
    assert "simsearch calibrate" in done.err


def test_what_makes_no_sense_is_refused(command, indexed, other, place):
    assert command("reindex", "--rollback", "--discard").code == 2
    assert command("reindex", "--discard", "--encoder", other).code == 2
    assert command("reindex", "--rollback", "--encoder", other).code == 2
    assert command("reindex", "--encoder", other, "--report", "change.txt").code == 2
    assert command("reindex", "--index", "nothing").code == 1
