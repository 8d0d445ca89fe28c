"""Plans are applied by every method and undone: what went comes back with everything that belongs to it."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from removals import OLD, age, keep, plan_of, put, remove, tree

from simsearch.duplicates.removal.apply import apply_plan
from simsearch.duplicates.removal.journal import journals, read_journal
from simsearch.duplicates.removal.plan import Companion, Plan
from simsearch.duplicates.removal.undo import undo_run
from simsearch.types import Skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "photos"


@pytest.fixture
def quarantine(tmp_path: Path) -> Path:
    return tmp_path / "quarantine"


def album(root: Path) -> Plan:
    """Two groups: a copy with a sidecar in another folder and one beside the kept file; a pair."""
    kept, pair = put(root / "a.jpg", b"first"), put(root / "2019" / "c.jpg", b"second")
    copy, sidecar = put(root / "old" / "a copy.jpg", b"first"), put(root / "old" / "a copy.xmp", b"stars")
    near, other = put(root / "a2.jpg", b"first, smaller"), put(root / "2019" / "c2.jpg", b"second", OLD + 5)
    copy.chmod(0o640)
    for folder in (root, root / "old", root / "2019"):
        age(folder)
    return plan_of(root, [keep(kept), remove(copy, sidecar), remove(near)], [keep(pair), remove(other)])


def test_files_go_to_quarantine_and_come_back(root: Path, quarantine: Path) -> None:
    plan = album(root)
    before = tree(root)
    report = apply_plan(plan, quarantine)
    assert (report.applied, report.bytes, report.already, report.skipped) == (4, 5 + 5 + 14 + 6, 0, ())
    assert [path.name for path in sorted(root.rglob("*.*"))] == ["c.jpg", "a.jpg"]
    assert report.journal is not None
    files = report.journal.parent / "files"
    there = files.joinpath(root.drive.replace(":", ""), *root.parts[1:])
    assert (there / "old" / "a copy.jpg").read_bytes() == b"first"
    assert (there / "old" / "a copy.jpg").stat().st_mtime_ns == OLD
    undone = undo_run(report.journal)
    assert (undone.restored, undone.failed, undone.incomplete) == (4, (), ())
    assert tree(root) == before
    assert not files.exists()


def test_after_an_undo_the_same_plan_applies_again_and_an_undo_can_be_repeated(root: Path, quarantine: Path) -> None:
    plan = album(root)
    before = tree(root)
    for number in range(3):
        report = apply_plan(plan, quarantine)
        assert (report.applied, report.already, report.skipped) == (4, 0, ())
        assert len(journals(quarantine)) == number + 1
        assert report.journal == journals(quarantine)[-1]
        for times in range(2):
            assert undo_run(report.journal).restored == (0 if times else 4)
            assert tree(root) == before
    assert not any(read_journal(journal).can_be_undone() for journal in journals(quarantine))


@pytest.mark.parametrize("method", ["hardlink", "symlink"])
def test_copies_become_links_and_files_of_their_own_again(root: Path, quarantine: Path, method) -> None:
    plan = album(root)
    before = tree(root)
    report = apply_plan(plan, quarantine, method=method)
    assert (report.applied, report.bytes, report.already) == (2, 5 + 6, 0)
    assert report.skipped == (
        Skip(str(root / "a2.jpg"), "is not byte for byte the kept file, so no link can stand for it"),
    )
    copy, other = root / "old" / "a copy.jpg", root / "2019" / "c2.jpg"
    if method == "hardlink":
        assert copy.samefile(root / "a.jpg") and other.samefile(root / "2019" / "c.jpg")
        assert not copy.is_symlink()
    else:
        assert (str(copy.readlink()), str(other.readlink())) == (str(Path("..", "a.jpg")), "c.jpg")
    assert (copy.read_bytes(), (root / "old" / "a copy.xmp").read_bytes()) == (b"first", b"stars")
    again = apply_plan(plan, quarantine, method=method)
    assert (again.applied, again.already, len(again.skipped), again.journal) == (0, 2, 1, None)
    assert report.journal is not None
    assert undo_run(report.journal).restored == 2
    assert tree(root) == before
    assert apply_plan(plan, quarantine, method=method).applied == 2


def test_deletion_is_recorded_and_listed_as_lost(root: Path, quarantine: Path) -> None:
    report = apply_plan(album(root), quarantine, method="delete")
    assert (report.applied, report.bytes, report.skipped) == (4, 30, ())
    assert not (root / "old" / "a copy.jpg").exists()
    assert report.journal is not None
    undone = undo_run(report.journal)
    assert undone.restored == 0
    assert undone.failed == tuple(
        Skip(str(root / name), "was deleted") for name in ("2019/c2.jpg", "a2.jpg", "old/a copy.xmp", "old/a copy.jpg")
    )


def test_what_is_left_or_kept_is_never_touched(root: Path, quarantine: Path) -> None:
    plan = album(root)
    group = plan.groups[0]
    spared = replace(group.files[1], action="leave")
    plan = replace(plan, groups=(replace(group, files=(group.files[0], spared)),))
    before = tree(root)
    report = apply_plan(plan, quarantine)
    assert (report.applied, report.skipped, report.journal) == (0, (), None)
    assert tree(root) == before
    assert journals(quarantine) == []


def test_everything_that_belongs_to_a_file_comes_back(root: Path, quarantine: Path) -> None:
    kept, copy = put(root / "a", b"1"), put(root / "b", b"1", OLD + 11)
    copy.chmod(0o604)
    if sys.platform == "linux":
        os.setxattr(copy, "user.comment", b"\x00\xff words")
    plan = plan_of(root, [keep(kept), remove(copy)])
    before = tree(root)
    for method in ("quarantine", "hardlink", "symlink"):
        os.utime(copy, ns=(OLD - 77, OLD + 11))
        report = apply_plan(plan, quarantine, method=method)
        assert report.journal is not None
        if method == "quarantine":
            # Someone looks at what was put away, and changes how it may be read.
            step = read_journal(report.journal).units[0].steps[0]
            Path(step.to or "").chmod(0o600)
            os.utime(step.to or "", ns=(5, 6))
        undone = undo_run(report.journal)
        assert (undone.restored, undone.incomplete) == (1, ())
        assert copy.stat().st_atime_ns == OLD - 77
        assert tree(root) == before


def test_symbolic_links_go_and_come_back_as_links(root: Path, quarantine: Path) -> None:
    kept, target = put(root / "a", b"1"), put(root / "far" / "b", b"1")
    link = root / "link"
    link.symlink_to(Path("far") / "b")
    age(root)
    plan = plan_of(root, [keep(kept), remove(link)])
    before = tree(root)
    report = apply_plan(plan, quarantine)
    assert (report.applied, report.bytes) == (1, 0)
    assert not link.is_symlink() and target.exists()
    assert report.journal is not None
    assert undo_run(report.journal).restored == 1
    assert tree(root) == before
    refused = apply_plan(plan, quarantine, method="hardlink")
    assert [skip.reason for skip in refused.skipped] == ["is a symbolic link already"]


def test_names_that_are_no_text_go_and_come_back(root: Path, quarantine: Path) -> None:
    name = os.fsdecode(b"caf\xe9 \xff") if sys.platform == "linux" else "café"
    plan = plan_of(root, [keep(put(root / "a", b"1")), remove(put(root / name, b"1"))])
    before = tree(root)
    report = apply_plan(plan, quarantine)
    assert report.applied == 1 and report.journal is not None
    assert undo_run(report.journal).restored == 1
    assert tree(root) == before


def test_folders_that_others_have_changed_keep_their_times(root: Path, quarantine: Path) -> None:
    plan = album(root)
    before = tree(root)
    report = apply_plan(plan, quarantine)
    put(root / "2019" / "new.jpg")
    os.utime(root / "2019", ns=(OLD, OLD + 99))
    assert report.journal is not None
    undo_run(report.journal)
    assert (root / "2019").stat().st_mtime_ns == OLD + 99
    assert [tree(root)[name] for name in (".", "old")] == [before[name] for name in (".", "old")]


def test_folders_that_were_removed_are_made_again(root: Path, quarantine: Path) -> None:
    plan = album(root)
    (root / "old").chmod(0o750)
    before = tree(root)
    report = apply_plan(plan, quarantine)
    (root / "old").rmdir()
    age(root)
    assert report.journal is not None
    undone = undo_run(report.journal)
    assert (undone.restored, undone.failed) == (4, ())
    assert {name: seen for name, seen in tree(root).items() if name != "."} == {
        name: seen for name, seen in before.items() if name != "."
    }


# -- what cannot be brought back -----------------------------------------------------------------------------------


def test_nothing_that_has_appeared_is_overwritten(root: Path, quarantine: Path) -> None:
    plan = album(root)
    before = tree(root)
    report = apply_plan(plan, quarantine)
    copy = root / "old" / "a copy.jpg"
    copy.write_bytes(b"new")
    (root / "2019" / "c2.jpg").mkdir()
    assert report.journal is not None
    undone = undo_run(report.journal)
    assert undone.restored == 2
    assert [skip.path for skip in undone.failed] == [str(root / "2019" / "c2.jpg"), str(copy)]
    assert undone.failed[1].reason.startswith(
        "something else is there now; the file that was there stays in quarantine"
    )
    assert copy.read_bytes() == b"new"
    assert read_journal(report.journal).can_be_undone()
    # Once it is out of the way, the rest comes back; and what has come back is left alone.
    copy.unlink()
    (root / "2019" / "c2.jpg").rmdir()
    again = undo_run(report.journal)
    assert (again.restored, again.failed) == (2, ())
    names = [name for name in before if name not in (".", "old", "2019")]
    assert [tree(root)[name] for name in names] == [before[name] for name in names]


def test_what_was_taken_from_quarantine_is_listed(root: Path, quarantine: Path) -> None:
    report = apply_plan(album(root), quarantine)
    assert report.journal is not None
    files = {path.name: path for path in report.journal.parent.rglob("*") if path.is_file()}
    files["a copy.xmp"].unlink()
    files["a2.jpg"].write_bytes(b"edited there")
    files["c2.jpg"].unlink()
    files["c2.jpg"].mkdir()
    reasons = {Path(skip.path).name: skip.reason for skip in undo_run(report.journal).failed}
    assert reasons == {
        "a copy.xmp": f"is no longer in quarantine: {files['a copy.xmp']} has vanished",
        "a2.jpg": f"has changed in quarantine, and stays there as {files['a2.jpg']}",
        "c2.jpg": f"has changed in quarantine, and stays there as {files['c2.jpg']}",
    }
    assert (root / "old" / "a copy.jpg").exists()


@pytest.mark.parametrize("method", ["hardlink", "symlink"])
def test_links_whose_bytes_have_changed_or_gone_are_listed(root: Path, quarantine: Path, method) -> None:
    kept = [put(root / name, b"1") for name in ("a", "b", "c", "d")]
    copies = [put(root / f"{path.name} copy", b"1") for path in kept]
    plan = plan_of(root, *([keep(one), remove(other)] for one, other in zip(kept, copies, strict=True)))
    report = apply_plan(plan, quarantine, method=method)
    kept[0].write_bytes(b"2")
    copies[1].unlink()
    copies[2].unlink()
    copies[2].write_bytes(b"1")
    kept[3].unlink()
    assert report.journal is not None
    undone = undo_run(report.journal)
    reasons = {Path(skip.path).name: skip.reason for skip in undone.failed}
    gone = {"d copy": f"{kept[3]}, to which its link leads, has vanished"} if method == "symlink" else {}
    assert reasons == {
        "a copy": f"the bytes that it shares with {kept[0]} are no longer those that it had",
        "b copy": f"the link in its place has vanished; the same bytes were kept as {kept[1]}",
        "c copy": f"something else is there now; the same bytes were kept as {kept[2]}",
        **gone,
    }
    assert copies[2].read_bytes() == b"1"
    if method == "hardlink":
        assert (copies[3].read_bytes(), copies[3].stat().st_mtime_ns) == (b"1", OLD)
    assert list(root.glob(".simsearch*")) == []


def test_companions_of_kept_files_stay(root: Path, quarantine: Path) -> None:
    raw = put(root / "a.cr2", b"raw")
    plan = plan_of(root, [keep(put(root / "a.jpg", b"1"), raw), remove(put(root / "b.jpg", b"1"))])
    assert apply_plan(plan, quarantine).applied == 1
    assert raw.exists()
    assert isinstance(plan.groups[0].kept.companions[0], Companion)
