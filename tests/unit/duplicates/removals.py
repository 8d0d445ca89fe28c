"""What the tests of removals need: files, plans of them, and the whole state of a tree to compare."""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from collections.abc import Iterable
from pathlib import Path

from simsearch.duplicates.removal.plan import Companion, FileState, Group, Header, Plan, PlannedFile

OLD = 1_500_000_000_123_456_789
"""A time, in nanoseconds, that no file gets by itself."""


def put(path: Path, content: bytes = b"picture", mtime_ns: int = OLD) -> Path:
    """A file of this content and time; its folder gets an old time as well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, ns=(mtime_ns - 10**9, mtime_ns))
    age(path.parent)
    return path


def age(folder: Path) -> None:
    os.utime(folder, ns=(OLD + 5 * 10**9, OLD + 7))


def state(path: Path) -> FileState:
    return FileState.of(path, hashlib.sha256(path.read_bytes()).hexdigest())


def keep(path: Path, *companions: Path) -> PlannedFile:
    return PlannedFile(state(path), "keep", companions=tuple(Companion(state(one), "sidecar") for one in companions))


def remove(path: Path, *companions: Path) -> PlannedFile:
    sidecars = tuple(Companion(state(one), "sidecar") for one in companions)
    return PlannedFile(state(path), "remove", f"a copy: {path.name}", "exact", 1.0, companions=sidecars)


def plan_of(root: Path, *groups: Iterable[PlannedFile], reference: Path | None = None) -> Plan:
    header = Header((str(root),), () if reference is None else (str(reference),))
    return Plan(header, tuple(Group(number, tuple(files)) for number, files in enumerate(groups, 1)))


def tree(root: Path) -> dict[str, object]:
    """Everything about each file and folder under a root that an undo must bring back."""
    found: dict[str, object] = {}
    for path in [root, *sorted(root.rglob("*"))]:
        seen = path.lstat()
        what: object = None
        if stat.S_ISLNK(seen.st_mode):
            what = str(path.readlink())
        elif stat.S_ISREG(seen.st_mode):
            what = path.read_bytes()
        names = os.listxattr(path, follow_symlinks=False) if sys.platform == "linux" else []
        extended = {name: os.getxattr(path, name, follow_symlinks=False) for name in names}
        found[path.relative_to(root).as_posix()] = (
            seen.st_mode,
            seen.st_uid,
            seen.st_gid,
            seen.st_mtime_ns,
            what,
            extended,
        )
    return found
