"""A removal or an undo that is killed at any moment can be undone, or gone on with."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from removals import keep, plan_of, put, remove, tree

from simsearch.duplicates.removal.apply import apply_plan
from simsearch.duplicates.removal.journal import Journal, journals, read_journal
from simsearch.duplicates.removal.undo import undo_run

HERE = Path(__file__).parent
BENCHMARKS = HERE.parents[2] / "benchmarks"


@pytest.mark.parametrize("method", range(4), ids=["quarantine", "another file system", "hard links", "symbolic links"])
def test_a_kill_before_any_call_of_the_system_loses_nothing(method: int, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(HERE / "every_step.py"), str(method)], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    steps = [int(line.split()[-1]) for line in done.stdout.splitlines()]
    # Fewer calls than these would mean that the calls are no longer those of `os`.
    assert len(steps) == 3 and min(steps) > 20, steps


@pytest.mark.slow
def test_random_plans_with_kills_at_random_moments(tmp_path: Path) -> None:
    """A few of those that the benchmark does many of."""
    words = [sys.executable, str(BENCHMARKS / "undo.py"), "--count", "12", "--folder", str(tmp_path), "--dry"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert re.search(r"trees that differ after the undo: \*\*0\*\*", done.stdout)


def test_a_line_that_was_torn_is_no_line(tmp_path: Path) -> None:
    root, quarantine = tmp_path / "photos", tmp_path / "quarantine"
    plan = plan_of(root, [keep(put(root / "a")), remove(put(root / "b")), remove(put(root / "c"))])
    before = tree(root)
    report = apply_plan(plan, quarantine)
    assert report.journal is not None
    whole = report.journal.read_bytes()
    ends = [index + 1 for index, byte in enumerate(whole) if byte == ord("\n")]
    near = {end + step for end in ends for step in (-1, 0, 1)}
    for length in sorted({*range(ends[0], len(whole), 60), *near} & {*range(ends[0], len(whole))}):
        report.journal.write_bytes(whole[:length])
        units = read_journal(report.journal).units
        assert len(units) == sum(length >= end for end in (ends[1], ends[3]))
    # As after a kill before the last two lines were whole.
    report.journal.write_bytes(whole[: ends[3] + 5])
    with Journal.open(report.journal) as journal:
        assert journal.run.open_units() == [journal.run.units[1]]
        journal.end()
    assert report.journal.read_bytes() == whole[: ends[3]] + b'{"record": "end"}\n'
    undo_run(report.journal)
    assert tree(root) == before


def test_what_another_plan_has_left_half_done_is_rolled_back_first(tmp_path: Path) -> None:
    root, quarantine = tmp_path / "photos", tmp_path / "quarantine"
    kept, copy, sidecar = put(root / "a", b"1"), put(root / "b", b"1"), put(root / "b.xmp", b"2")
    plan = plan_of(root, [keep(kept), remove(copy, sidecar)])
    before = tree(root)
    report = apply_plan(plan, quarantine)
    assert report.journal is not None
    lines = report.journal.read_bytes().splitlines(keepends=True)
    report.journal.write_bytes(b"".join(lines[:3]))
    assert not copy.exists()
    another = plan_of(root, [keep(kept)])
    assert apply_plan(another, quarantine).journal is None
    assert tree(root) == before
    run = read_journal(report.journal)
    assert (run.ended, run.active()) == (True, [])
    assert apply_plan(plan, quarantine).applied == 2
    assert len(journals(quarantine)) == 2


def test_a_deletion_that_was_interrupted_is_finished(tmp_path: Path) -> None:
    root, quarantine = tmp_path / "photos", tmp_path / "quarantine"
    kept, copy, sidecar = put(root / "a", b"1"), put(root / "b", b"1"), put(root / "b.xmp", b"2")
    plan = plan_of(root, [keep(kept), remove(copy, sidecar)])
    report = apply_plan(plan, quarantine, method="delete")
    assert report.journal is not None
    # As if killed between the first file and its companion, before that was recorded.
    lines = report.journal.read_bytes().splitlines(keepends=True)
    report.journal.write_bytes(b"".join(lines[:2]))
    put(sidecar, b"2")
    again = apply_plan(plan, quarantine, method="delete")
    assert (again.applied, again.already, again.skipped) == (1, 1, ())
    assert not sidecar.exists()
    assert again.journal == report.journal
    assert len(undo_run(report.journal).failed) == 2


def test_a_run_whose_folders_wait_for_their_times_can_be_undone(tmp_path: Path) -> None:
    """A kill after a file was put back and before the times of its folder were."""
    album = tmp_path / "album"
    plan = plan_of(album, [keep(put(album / "a.jpg", b"a")), remove(put(album / "b.jpg", b"a"))])
    journal = apply_plan(plan, tmp_path / "quarantine").journal
    assert journal is not None
    lines = journal.read_text(encoding="utf-8").splitlines()
    unit = next(json.loads(line) for line in lines if json.loads(line)["record"] == "unit")
    back = json.dumps({"record": "back", "unit": unit["number"], "step": 0})
    journal.write_text("\n".join([line for line in lines if '"end"' not in line] + [back]) + "\n", encoding="utf-8")
    assert read_journal(journal).active() == []
    assert read_journal(journal).can_be_undone()
