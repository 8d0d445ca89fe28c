"""Whatever is in a plan and whatever others do to the files meanwhile: no bytes are lost, no kept file is missed."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from removals import keep, plan_of, put, remove, tree

from simsearch.duplicates.removal.apply import apply_plan
from simsearch.duplicates.removal.plan import Plan
from simsearch.duplicates.removal.undo import undo_run

CONTENTS = st.sampled_from([b"", b"one", b"two", b"three" * 30_000])
GROUPS = st.lists(st.lists(st.tuples(CONTENTS, st.booleans()), min_size=1, max_size=4), min_size=1, max_size=3)
METHODS = st.sampled_from(["quarantine", "hardlink", "symlink"])


def change(path: Path) -> None:
    path.write_bytes(b"changed " + path.name.encode())


def disappear(path: Path) -> None:
    path.unlink(missing_ok=True)


def nothing(path: Path) -> None:
    del path


CHANGES: st.SearchStrategy[Callable[[Path], None]] = st.sampled_from([nothing, nothing, nothing, change, disappear])


def make(root: Path, groups: list[list[tuple[bytes, bool]]]) -> Plan:
    """Groups of files, each with a sidecar where that is drawn."""
    made = []
    for number, files in enumerate(groups):
        group = []
        for place, (content, with_sidecar) in enumerate(files):
            path = put(root / f"folder {place % 2}" / f"{number}-{place}.jpg", content)
            sidecars = [put(path.with_suffix(".xmp"), path.name.encode())] if with_sidecar else []
            group.append((keep if place == 0 else remove)(path, *sidecars))
        made.append(group)
    return plan_of(root, *made)


def contents(*folders: Path) -> set[bytes]:
    return {path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file()}


@settings(max_examples=60, deadline=None)
@given(GROUPS, METHODS, st.data())
def test_no_bytes_are_lost_whatever_happens_meanwhile(groups, method, data) -> None:
    with tempfile.TemporaryDirectory() as name:
        root, quarantine = Path(name, "photos"), Path(name, "quarantine")
        plan = make(root, groups)
        files = [Path(state.path) for group in plan.groups for file in group.files for state in file.states()]
        before_plan = tree(root)
        for path in files:
            data.draw(CHANGES)(path)
        before, held = tree(root), contents(root)
        unchanged = {path for path in files if before.get(key(root, path)) == before_plan[key(root, path)]}

        report = apply_plan(plan, quarantine, method=method)
        assert contents(root, quarantine) >= held
        for group in plan.groups:
            assert (Path(group.kept.state.path) in unchanged) or all(
                tree(root).get(key(root, Path(state.path))) == before.get(key(root, Path(state.path)))
                for file in group.removed
                for state in file.states()
            )
        for skip in report.skipped:
            path = Path(skip.path)
            assert tree(root).get(key(root, path)) == before.get(key(root, path))

        appeared = {}
        for path in files:
            if not path.exists() and data.draw(st.booleans()):
                path.write_bytes(b"new " + path.name.encode())
                appeared[path] = path.read_bytes()
        if report.journal is None:
            return
        undone = undo_run(report.journal)
        assert contents(root, quarantine) >= held
        assert all(path.read_bytes() == content for path, content in appeared.items())
        assert {Path(skip.path) for skip in undone.failed} <= set(appeared)
        after = tree(root)
        for path in set(files) - set(appeared):
            assert after.get(key(root, path)) == before.get(key(root, path))
        if not appeared:
            assert after == before


def key(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()
