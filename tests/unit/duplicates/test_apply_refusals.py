"""What must not go stays, with the reason in words; what fails on the way is as it was."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections import namedtuple
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from removals import OLD, keep, plan_of, put, remove, tree

from simsearch.duplicates.removal import apply, journal, moving
from simsearch.duplicates.removal.apply import apply_plan
from simsearch.duplicates.removal.journal import journals, read_journal
from simsearch.duplicates.removal.locking import locked
from simsearch.duplicates.removal.plan import Plan
from simsearch.duplicates.removal.targets import default_quarantine
from simsearch.duplicates.removal.undo import undo_run
from simsearch.errors import DamagedError, LockedError, MissingExtraError, PlanError, UsageError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "photos"


@pytest.fixture
def quarantine(tmp_path: Path) -> Path:
    return tmp_path / "quarantine"


def pair(root: Path) -> Plan:
    """A kept file, and a copy with a sidecar."""
    put(root / "a.jpg", b"12345")
    return plan_of(root, [keep(root / "a.jpg"), remove(put(root / "b.jpg", b"12345"), put(root / "b.xmp", b"stars"))])


def reasons(plan: Plan, quarantine: Path, method: Any = "quarantine") -> list[str]:
    """Why the files of a plan stay; asserts that nothing of it was touched."""
    root = Path(plan.header.searched[0])
    before = tree(root)
    report = apply_plan(plan, quarantine, method=method)
    assert report.applied == 0
    assert tree(root) == before
    return [skip.reason for skip in report.skipped]


# -- files that are not what the plan saw --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["b.jpg", "b.xmp"])
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda path: path.unlink(), "has vanished"),
        (lambda path: path.write_bytes(b"1234567"), "has 7 bytes, 5 when the plan was made"),
        (lambda path: path.write_bytes(b"54321"), "its content has changed since the plan was made"),
        (lambda path: (path.unlink(), path.mkdir()), "is a folder"),
        (lambda path: (path.unlink(), path.symlink_to(path.with_name("a.jpg"))), "is now a symbolic link"),
        (lambda path: path.chmod(0o444), "is read-only; make it writable and apply the plan again"),
    ],
)
def test_a_file_that_has_changed_stays_with_its_companions(
    root: Path, quarantine: Path, change: Callable[[Path], object], reason: str, name: str
) -> None:
    plan = pair(root)
    change(root / name)
    path = root / name
    expected = reason if name == "b.jpg" else f"goes together with {path}, which {reason}"
    assert reasons(plan, quarantine) == [expected]
    assert journals(quarantine) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda path: path.unlink(), "has vanished"),
        (lambda path: path.write_bytes(b"54321"), "its content has changed since the plan was made"),
        (lambda path: path.write_bytes(b""), "has 0 bytes, 5 when the plan was made"),
    ],
)
@pytest.mark.parametrize("method", ["quarantine", "delete", "hardlink", "symlink"])
def test_nothing_goes_without_the_kept_file(
    root: Path, quarantine: Path, change: Callable[[Path], object], reason: str, method: str
) -> None:
    plan = pair(root)
    change(root / "a.jpg")
    assert reasons(plan, quarantine, method) == [f"not touched, since the kept file {root / 'a.jpg'} {reason}"]


def test_the_time_alone_may_change(root: Path, quarantine: Path) -> None:
    plan = pair(root)
    os.utime(root / "b.jpg", ns=(OLD, OLD + 10**9))
    assert apply_plan(plan, quarantine).applied == 2


def test_a_kept_file_that_goes_meanwhile_saves_the_rest_of_its_group(
    root: Path, quarantine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [put(root / name, b"1") for name in ("a", "b", "c")]
    plan = plan_of(root, [keep(files[0]), *(remove(path) for path in files[1:])])

    def take_away(*arguments: Any) -> None:
        moving.take_away(*arguments)
        files[0].unlink()

    monkeypatch.setattr(apply, "take_away", take_away)
    report = apply_plan(plan, quarantine)
    assert report.applied == 1 and files[2].exists()
    assert [skip.reason for skip in report.skipped] == [f"not touched, since the kept file {files[0]} has vanished"]


def test_a_file_that_is_written_at_the_last_moment_stays(
    root: Path, quarantine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = pair(root)
    intend = journal.Journal.unit

    def unit(*arguments: Any) -> None:
        intend(*arguments)
        (root / "b.xmp").write_bytes(b"other")

    monkeypatch.setattr(journal.Journal, "unit", unit)
    report = apply_plan(plan, quarantine)
    assert report.applied == 0
    assert [skip.reason for skip in report.skipped] == ["has changed a moment ago"]
    assert ((root / "b.jpg").read_bytes(), (root / "b.xmp").read_bytes()) == (b"12345", b"other")
    assert report.journal is not None
    assert read_journal(report.journal).active() == []


# -- other names of files that stay --------------------------------------------------------------------------------


def test_the_kept_file_is_safe_under_every_other_path(root: Path, quarantine: Path) -> None:
    kept = put(root / "real" / "a", b"1")
    (root / "linked").symlink_to(root / "real")
    plan = plan_of(root, [keep(kept), remove(root / "linked" / "a")])
    assert reasons(plan, quarantine) == [f"is the same file as {kept}, which stays"]


def test_the_target_of_a_kept_link_stays(root: Path, quarantine: Path) -> None:
    target = put(root / "target", b"1")
    (root / "link").symlink_to(target)
    plan = plan_of(root, [keep(root / "link"), remove(target)])
    assert reasons(plan, quarantine) == [f"is the same file as {target}, which stays"]
    assert reasons(plan, quarantine, "hardlink") == [
        f"not touched, since the kept file {root / 'link'} is a symbolic link, and nothing is linked to one"
    ]


def test_a_file_that_another_group_keeps_stays(root: Path, quarantine: Path) -> None:
    (root / "real").mkdir(parents=True)
    (root / "linked").symlink_to(root / "real")
    a, b = put(root / "real" / "a", b"1"), put(root / "b", b"1")
    plan = plan_of(root, [keep(a)], [keep(b), remove(root / "linked" / "a")])
    assert reasons(plan, quarantine) == [f"is the same file as {a}, which stays"]


def test_hard_links_of_the_kept_file_are_entries_of_their_own(root: Path, quarantine: Path) -> None:
    kept = put(root / "a", b"1")
    (root / "b").hardlink_to(kept)
    plan = plan_of(root, [keep(kept), remove(root / "b")])
    assert reasons(plan, quarantine, "hardlink") == ["is a hard link to the kept file already"]
    report = apply_plan(plan, quarantine)
    assert (report.applied, report.bytes) == (1, 0)
    assert report.journal is not None
    undo_run(report.journal)
    assert kept.samefile(root / "b") and kept.stat().st_nlink == 2


def test_a_file_with_other_hard_links_is_not_replaced_by_one(root: Path, quarantine: Path) -> None:
    kept, other = put(root / "a", b"1"), put(root / "b", b"1")
    (root / "c").hardlink_to(other)
    plan = plan_of(root, [keep(kept), remove(other)])
    assert reasons(plan, quarantine, "hardlink") == ["has 2 hard links: replacing one would free nothing"]


def test_the_reference_is_never_touched_under_any_path(root: Path, quarantine: Path, tmp_path: Path) -> None:
    reference = put(tmp_path / "archive" / "deep" / "a", b"1").parent.parent
    put(reference / "deep" / "b", b"1")
    root.mkdir()
    (root / "linked").symlink_to(reference / "deep")
    plan = plan_of(root, [keep(reference / "deep" / "a"), remove(root / "linked" / "b")], reference=reference)
    assert reasons(plan, quarantine) == [f"lies in the reference {reference}, which is never touched"]


def test_what_is_in_quarantine_is_not_taken_from_there(root: Path, quarantine: Path) -> None:
    plan = plan_of(root, [keep(put(root / "a", b"1")), remove(put(quarantine / "b", b"1"))])
    assert reasons(plan, quarantine) == ["is in quarantine"]


# -- the quarantine folder -----------------------------------------------------------------------------------------


def test_the_quarantine_folder_lies_outside(root: Path, tmp_path: Path) -> None:
    plan = pair(root)
    (tmp_path / "way in").symlink_to(root)
    for inside in (root, root / "deep" / "quarantine", tmp_path / "way in" / "q", tmp_path / "way in"):
        with pytest.raises(UsageError, match="lies in the searched folder"):
            apply_plan(plan, inside)
    assert not (root / "deep").exists()
    reference = replace(plan, header=replace(plan.header, reference=(str(tmp_path / "archive"),)))
    (tmp_path / "archive").mkdir()
    with pytest.raises(UsageError, match=f"lies in the reference {tmp_path / 'archive'}: name one outside"):
        apply_plan(reference, tmp_path / "archive" / "q")


def test_the_default_quarantine_folder_lies_beside(tmp_path: Path) -> None:
    header = pair(tmp_path / "a" / "photos").header
    assert default_quarantine(header) == tmp_path / "a" / "photos.quarantine"
    above = replace(header, searched=(*header.searched, str(tmp_path / "a")))
    assert default_quarantine(above) == tmp_path / "photos.quarantine"
    with pytest.raises(UsageError, match="name a quarantine folder"):
        default_quarantine(replace(header, searched=(str(tmp_path), tmp_path.anchor)))


def test_a_quarantine_folder_that_cannot_be_made_is_named(root: Path, tmp_path: Path) -> None:
    plan = pair(root)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(PlanError, match="cannot be made"):
        apply_plan(plan, tmp_path / "file" / "q")


def test_names_that_clash_in_quarantine_are_both_kept(
    root: Path, quarantine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [put(root / name, b"1") for name in ("k", "a.jpg", "b.jpg")]
    plan = plan_of(root, [keep(files[0]), remove(files[1]), remove(files[2])])
    before = tree(root)
    named = apply.quarantined
    # As where the quarantine takes two names for one, which letters of another case may be.
    monkeypatch.setattr(apply, "quarantined", lambda run, path: named(run, path.replace("b.jpg", "a.jpg")))
    report = apply_plan(plan, quarantine)
    assert report.applied == 2 and report.journal is not None
    inside = [path.name for path in report.journal.parent.rglob("*.jpg")]
    assert sorted(inside) == ["a.jpg", "a~2.jpg"]
    undo_run(report.journal)
    assert tree(root) == before


def test_what_comes_in_the_way_in_quarantine_stays_there(
    root: Path, quarantine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = pair(root)
    taken = put(quarantine / "taken", b"other")
    monkeypatch.setattr(apply, "quarantined", lambda run, path: str(taken))
    assert reasons(plan, quarantine) == ["cannot be removed: file exists"]
    assert taken.read_bytes() == b"other"


# -- another file system, and a full one ---------------------------------------------------------------------------


def across(monkeypatch: pytest.MonkeyPatch, quarantine: Path) -> None:
    """Makes the quarantine another file system, by what the system answers to moves over its border."""

    def divided(call: Callable[..., Any]) -> Callable[..., Any]:
        def checked(source: Any, target: Any, **options: Any) -> Any:
            sides = {str(path).startswith(str(quarantine)) for path in (source, target)}
            if len(sides) == 2:
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
            return call(source, target, **options)

        return checked

    for name in ("rename", "link"):
        call = divided(getattr(os, name))
        supported = os.supports_follow_symlinks | ({call} if os.link in os.supports_follow_symlinks else set())
        monkeypatch.setattr(os, "supports_follow_symlinks", supported)
        monkeypatch.setattr(os, name, call)


def test_another_file_system_gets_verified_copies(
    root: Path, quarantine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = pair(root)
    (root / "b.xmp").chmod(0o640)
    (root / "link").symlink_to("b.jpg")
    put(root / "large", bytes(3_000_000))
    other = plan_of(root, [keep(root / "large"), remove(put(root / "large 2", bytes(3_000_000)))])
    linked = plan_of(root, [keep(root / "a.jpg"), remove(root / "link")])
    groups = (*plan.groups, replace(other.groups[0], number=2), replace(linked.groups[0], number=3))
    plan = replace(plan, groups=groups[:2])
    before = tree(root)
    across(monkeypatch, quarantine)
    for chosen in (plan, replace(plan, groups=groups[2:])):
        report = apply_plan(chosen, quarantine)
        assert report.skipped == () and report.journal is not None
        assert undo_run(report.journal).incomplete == ()
        assert tree(root) == before
    assert list(quarantine.rglob("*.tmp")) == []


def test_a_copy_that_differs_is_not_trusted(root: Path, quarantine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = pair(root)
    across(monkeypatch, quarantine)
    monkeypatch.setattr(moving, "has_content", lambda *_: False)
    assert reasons(plan, quarantine) == ["its copy differs from it: the disk is faulty"]


def test_hard_links_do_not_move_to_another_file_system(
    root: Path, quarantine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, other = put(root / "a", b"1"), put(root / "b", b"1")
    (root / "c").hardlink_to(other)
    plan = plan_of(root, [keep(kept), remove(other)])
    across(monkeypatch, quarantine)
    assert reasons(plan, quarantine) == [
        "is one of 2 hard links, which cannot move to another file system and come back"
    ]


Usage = namedtuple("Usage", "total used free")


def test_a_full_disk_ends_the_run_with_everything_in_its_place(
    root: Path, quarantine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = pair(root)
    before = tree(root)
    with monkeypatch.context() as patch:
        across(patch, quarantine)
        # Enough for the first file of the unit, not for its companion.
        answers = iter([Usage(9, 4, 5), Usage(9, 9, 0)])
        patch.setattr(shutil, "disk_usage", lambda _: next(answers, Usage(9, 0, 9)))
        with pytest.raises(PlanError, match=r"the disk is full: .*b\.jpg cannot be removed: .*make room") as raised:
            apply_plan(plan, quarantine)
    assert len(str(raised.value).splitlines()) == 1
    assert tree(root) == before
    report = apply_plan(plan, quarantine)
    assert (report.applied, len(journals(quarantine))) == (2, 1)


@pytest.mark.parametrize("fails_at", [1, 2, 3])
def test_a_journal_that_cannot_be_written_stops_the_run(
    root: Path, quarantine: Path, monkeypatch: pytest.MonkeyPatch, fails_at: int
) -> None:
    plan = pair(root)
    before = tree(root)
    calls = 0
    write = os.write

    def full(handle: int, content: memoryview) -> int:
        nonlocal calls
        calls += 1
        if calls < fails_at:
            return write(handle, content)
        if calls == fails_at:
            return write(handle, content[:7])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(journal.os, "write", full)
        with pytest.raises(PlanError, match="the journal cannot be written: No space left on device; nothing is lost"):
            apply_plan(plan, quarantine)
    (path,) = journals(quarantine)
    undo_run(path)
    assert tree(root) == before
    assert apply_plan(plan, quarantine).applied == 2


@pytest.mark.parametrize("method", ["quarantine", "hardlink", "symlink", "delete"])
def test_what_the_system_refuses_stays_as_it_is(
    root: Path, quarantine: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    plan = pair(root)

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    for name in ("rename", "link", "symlink", "unlink"):
        if name != "unlink" or method == "delete":
            monkeypatch.setattr(os, name, refuse)
    assert reasons(plan, quarantine, method) == ["cannot be removed: permission denied"]


def test_file_systems_without_hard_links_never_overwrite_either(
    root: Path, quarantine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = pair(root)
    before = tree(root)

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    report = apply_plan(plan, quarantine)
    assert report.applied == 2 and report.journal is not None
    undo_run(report.journal)
    assert tree(root) == before
    with pytest.raises(FileExistsError):
        moving.rename_to_new(str(root / "a.jpg"), str(root / "b.jpg"))
    assert (root / "b.jpg").exists()


# -- two at once, the trash, damaged journals ----------------------------------------------------------------------


def test_two_runs_at_once_are_refused(root: Path, quarantine: Path, tmp_path: Path) -> None:
    plan = pair(root)
    quarantine.mkdir()
    holding = (
        "import sys\nfrom pathlib import Path\nfrom simsearch.duplicates.removal.locking import locked\n"
        "with locked(Path(sys.argv[1]), sys.argv[2:]):\n    print(flush=True)\n    sys.stdin.read()\n"
    )
    for searched, other in (([], quarantine), ([str(root)], tmp_path / "another")):
        command = [sys.executable, "-c", holding, str(quarantine), *searched]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            with pytest.raises(LockedError, match=f"by process {process.pid}; wait until it is done"):
                apply_plan(plan, other)
            process.communicate(b"")
    report = apply_plan(plan, quarantine)
    assert report.journal is not None
    with locked(quarantine, []), pytest.raises(LockedError):
        undo_run(report.journal)


def test_the_trash_of_the_desktop(root: Path, quarantine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = pair(root)
    monkeypatch.setitem(sys.modules, "send2trash", None)
    with pytest.raises(MissingExtraError, match=r"simsearch\[trash\]"):
        apply_plan(plan, quarantine, method="trash")
    assert (root / "b.jpg").exists()
    trash = root.parent / "trash"
    trash.mkdir()
    fake = SimpleNamespace(send2trash=lambda path: Path(path).rename(trash / Path(path).name))
    monkeypatch.setitem(sys.modules, "send2trash", fake)
    report = apply_plan(plan, quarantine, method="trash")
    assert report.applied == 2 and report.journal is not None
    assert sorted(path.name for path in trash.iterdir()) == ["b.jpg", "b.xmp"]
    undone = undo_run(report.journal)
    assert [skip.reason for skip in undone.failed] == ["is in the desktop trash; restore it there"] * 2
    for path in trash.iterdir():
        path.rename(root / path.name)
    assert undo_run(report.journal).failed == ()


def test_a_second_run_counts_what_has_gone_before(root: Path, quarantine: Path) -> None:
    plan = pair(root)
    apply_plan(plan, quarantine)
    again = apply_plan(plan, quarantine)
    assert (again.applied, again.already, again.skipped, again.journal) == (0, 2, (), None)


def test_an_interrupted_undo_must_be_finished(root: Path, quarantine: Path) -> None:
    plan = pair(root)
    report = apply_plan(plan, quarantine)
    assert report.journal is not None
    with journal.Journal.open(report.journal) as opened:
        opened.undo({})
    with pytest.raises(PlanError, match="an undo was interrupted; finish it first: simsearch dedupe undo "):
        apply_plan(plan, quarantine)
    undo_run(report.journal)
    assert apply_plan(plan, quarantine).applied == 2


BEGIN = b'{"record": "begin", "version": 1, "plan": "", "method": "delete", "searched": []}\n'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "its first line is missing"),
        (b"{}\n{}\n", "line 1 is not of a journal"),
        (b"no\n{}\n", r"line 1 is not of a journal \(not JSON\)"),
        (b'{"record": "end"}\n{}\n', "line 1 is not of a journal .'end' is out of place"),
        (BEGIN.replace(b"1", b"9"), "version 9 of journals"),
        (BEGIN.replace(b"delete", b"x"), "'x' is no method"),
        (BEGIN + b'{"record": "x"}\n', "line 2 is not of a journal .'x' is no record"),
    ],
)
def test_a_damaged_journal_is_named(root: Path, quarantine: Path, content: bytes, message: str) -> None:
    path = put(quarantine / "run" / "journal.jsonl", content)
    with pytest.raises(DamagedError, match=message):
        undo_run(path)
    with pytest.raises(DamagedError, match=message):
        apply_plan(pair(root), quarantine)


def test_a_journal_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="there is no such journal"):
        undo_run(tmp_path / "journal.jsonl")
    with pytest.raises(PlanError, match="the journal cannot be read"):
        undo_run(tmp_path)
