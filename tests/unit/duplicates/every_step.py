"""Kills a removal, then an undo, before every single call that changes a file; run by test_kills.py."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks"))

from removals import age, keep, plan_of, put, remove
from undo import KILLED, METHODS, Task, divided, kept_are_there, leftovers, run, snapshot

from simsearch.duplicates.removal.apply import apply_plan
from simsearch.duplicates.removal.journal import journals
from simsearch.duplicates.removal.plan import Plan
from simsearch.duplicates.removal.plan_file import write_plan
from simsearch.duplicates.removal.undo import undo_run


def make(root: Path) -> Plan:
    kept, copy, sidecar = put(root / "a", b"12"), put(root / "b" / "a", b"12"), put(root / "b" / "a.xmp", b"3")
    other = put(root / "c", b"12")
    copy.chmod(0o640)
    if sys.platform == "linux":
        os.setxattr(copy, "user.note", b"words")
    age(root / "b")
    age(root)
    return plan_of(root, [keep(kept), remove(copy, sidecar), remove(other)])


def killed(folder: Path, what: str, method: str) -> Iterator[tuple[Plan, Path]]:
    """The plan and the quarantine folder after each kill, until a child comes to its end."""
    for number in range(1, 1000):
        shutil.rmtree(folder, ignore_errors=True)
        plan, quarantine = make(folder / "photos"), folder / "quarantine"
        write_plan(folder / "plan.json", plan.header, plan.groups)
        if what == "undo":
            with divided(quarantine, method):
                apply_plan(plan, quarantine, method=method.partition(" ")[0])
        status = run(Task(what, str(folder / "plan.json"), str(quarantine), method, number))
        assert status in (0, KILLED), status
        assert kept_are_there(plan)
        yield plan, quarantine
        if status == 0:
            sys.stdout.write(f"{what} {number}\n")
            return
    raise AssertionError("there is no end to it")


def back(root: Path, quarantine: Path, before: object) -> None:
    """Undoes the only run that there is, if there is one, and compares."""
    paths = journals(quarantine)
    assert len(paths) <= 1, paths
    for path in paths:
        report = undo_run(path)
        assert (report.failed, report.incomplete) == ((), ()), report
    assert snapshot(root) == before
    assert not leftovers(quarantine)


def main(method: str) -> None:
    count = 3 if method.startswith("quarantine") else 2
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        root = folder / "photos"
        make(root)
        before = snapshot(root)
        for _, quarantine in killed(folder, "apply", method):
            with divided(quarantine, method):
                back(root, quarantine, before)
        for plan, quarantine in killed(folder, "apply", method):
            with divided(quarantine, method):
                report = apply_plan(plan, quarantine, method=method.partition(" ")[0])
                assert (report.applied + report.already, report.skipped) == (count, ()), report
                back(root, quarantine, before)
        for plan, quarantine in killed(folder, "undo", method):
            with divided(quarantine, method):
                back(root, quarantine, before)
                assert apply_plan(plan, quarantine, method=method.partition(" ")[0]).applied == count


if __name__ == "__main__":
    # What a process that is killed has written is there; syncing is for power cuts, and takes most of the time.
    os.fsync = lambda handle: None
    main(METHODS[int(sys.argv[1])])
