"""An undo that meets trouble lists it, leaves the rest right, and can be repeated."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import Any

import pytest
from removals import OLD, age, keep, plan_of, put, remove, tree

from simsearch.duplicates.removal import attributes, locking
from simsearch.duplicates.removal.apply import apply_plan
from simsearch.duplicates.removal.journal import read_journal
from simsearch.duplicates.removal.plan import Plan
from simsearch.duplicates.removal.targets import link_target
from simsearch.duplicates.removal.undo import undo_run
from simsearch.errors import PlanError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "photos"


@pytest.fixture
def quarantine(tmp_path: Path) -> Path:
    return tmp_path / "quarantine"


def unit(root: Path) -> Plan:
    files = [put(root / name, b"1") for name in ("a", "b")]
    return plan_of(root, [keep(files[0]), remove(files[1], put(root / "b.xmp", b"2"))])


def interrupted(journal: Path, lines: int) -> None:
    """Leaves the first lines of a journal, as a kill just before the next one does."""
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:lines]))


def refuse(*_: Any, **__: Any) -> None:
    raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))


def test_a_step_that_cannot_be_rolled_back_stops_further_plans_until_it_is_undone(root: Path, quarantine: Path) -> None:
    plan = unit(root)
    before = tree(root)
    journal = apply_plan(plan, quarantine).journal
    assert journal is not None
    interrupted(journal, 2)
    (root / "b").write_bytes(b"new")
    message = "an interrupted step cannot be rolled back: .*b.xmp: something else is there now; .*; undo that run first"
    with pytest.raises(PlanError, match=message):
        apply_plan(plan, quarantine)
    undone = undo_run(journal)
    assert ((root / "b").read_bytes(), [Path(skip.path).name for skip in undone.failed]) == (b"new", ["b"])
    assert (root / "b.xmp").exists()
    # The file in quarantine is still known, and comes back when its place is free.
    assert read_journal(journal).active() == [str(root / "b")]
    (root / "b").unlink()
    assert undo_run(journal).restored == 1
    age(root)
    assert tree(root) == before


def test_a_step_that_never_happened_leaves_alone_what_others_did(root: Path, quarantine: Path) -> None:
    for method in ("quarantine", "hardlink", "symlink"):
        plan = unit(root)
        journal = apply_plan(plan, quarantine, method=method).journal
        assert journal is not None
        undo_run(journal)
        interrupted(journal, 2)
        (root / "b").write_bytes(b"new")
        assert undo_run(journal).failed == ()
        assert (root / "b").read_bytes() == b"new"
        (root / "b").unlink()


def test_what_cannot_be_restored_of_a_file_is_listed(
    root: Path, quarantine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = unit(root)
    journal = apply_plan(plan, quarantine).journal
    assert journal is not None
    step = read_journal(journal).units[0].steps[0]
    Path(step.to or "").chmod(0o600)
    os.utime(step.to or "", ns=(OLD, OLD + 1))
    monkeypatch.setattr(os, "chmod", refuse)
    monkeypatch.setattr(attributes, "set_times", refuse)
    monkeypatch.setattr(attributes, "_set_extended", refuse)
    undone = undo_run(journal)
    assert undone.failed == ()
    reasons = {Path(skip.path).name: skip.reason for skip in undone.incomplete}
    words = "extended attributes (permission denied), times (permission denied)"
    assert reasons["b"] == f"came back without its mode (permission denied), {words}"
    assert reasons["b.xmp"] == f"came back without its {words}"


def test_times_of_folders_that_cannot_be_set_are_listed(
    root: Path, quarantine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = apply_plan(unit(root), quarantine).journal
    assert journal is not None
    utime = os.utime

    def only_files(path: str, **options: Any) -> None:
        if Path(path).is_dir():
            refuse()
        utime(path, **options)

    monkeypatch.setattr(os, "utime", only_files)
    monkeypatch.setattr(os, "supports_follow_symlinks", os.supports_follow_symlinks | {only_files})
    (skip,) = undo_run(journal).incomplete
    assert (skip.path, skip.reason) == (str(root), "the times of the folder could not be restored: permission denied")


def test_a_full_disk_leaves_what_is_left_for_another_undo(
    root: Path, quarantine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = unit(root)
    before = tree(root)
    journal = apply_plan(plan, quarantine, method="hardlink").journal
    assert journal is not None

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        assert [skip.reason for skip in undo_run(journal).failed] == ["cannot be put back: no space left on device"]
    assert undo_run(journal).restored == 1
    assert tree(root) == before


def test_a_folder_that_became_a_file_is_listed(root: Path, quarantine: Path) -> None:
    kept, copy = put(root / "a", b"1"), put(root / "sub" / "b", b"1")
    journal = apply_plan(plan_of(root, [keep(kept), remove(copy)]), quarantine).journal
    assert journal is not None
    (root / "sub").rmdir()
    (root / "sub").write_bytes(b"file")
    (skip,) = undo_run(journal).failed
    assert skip.reason.startswith("something else is in its way; it stays in quarantine as ")
    assert (root / "sub").read_bytes() == b"file"


def test_a_journal_that_cannot_be_written_is_named(
    root: Path, quarantine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = unit(root)
    before = tree(root)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "mkdir", lambda *_, **__: refuse())
        with pytest.raises(PlanError, match="cannot be made"):
            apply_plan(plan, quarantine)
    quarantine.mkdir()
    (quarantine / "lock").mkdir()
    with pytest.raises(PlanError, match=re.escape(str(quarantine / "lock"))):
        apply_plan(plan, quarantine)
    assert tree(root) == before


def test_locks_need_a_folder_but_no_name_of_the_user(
    root: Path, quarantine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown() -> str:
        raise KeyError("no such user")

    monkeypatch.setattr(locking.getpass, "getuser", unknown)
    plan = unit(root)
    assert apply_plan(plan, quarantine).applied == 2
    monkeypatch.setattr(locking.tempfile, "gettempdir", lambda: str(tmp_path / "none"))
    with pytest.raises(PlanError, match="cannot be made"):
        apply_plan(plan, quarantine)


def test_a_link_to_another_drive_is_absolute(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = put(root / "x" / "a")

    def other_drive(*_: str) -> str:
        raise ValueError("path is on mount 'D:', start on mount 'C:'")

    assert link_target(str(root / "y" / "b"), str(kept)) == str(Path("..", "x", "a"))
    monkeypatch.setattr(os.path, "relpath", other_drive)
    assert link_target(str(root / "y" / "b"), str(kept)) == os.path.realpath(kept)
