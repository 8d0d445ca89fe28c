"""Where a path leads: which folder it lies in, and whether two paths are one entry, whatever their spelling."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

_MOUNTS = "/proc/self/mountinfo"


@dataclass(frozen=True, slots=True)
class _Root:
    name: str
    identity: tuple[int, int] | None
    location: tuple[str, str]


@dataclass(slots=True)
class Roots:
    """Folders (or files) that a path may lie in by any spelling: through links, mounts, or another case of letters."""

    mounts: list[tuple[str, str, str]]
    roots: list[_Root]
    _known: dict[str, str | None] = field(default_factory=dict)

    @classmethod
    def of(cls, folders: Iterable[str | os.PathLike[str]]) -> Roots:
        mounts = mounted()
        real = [(os.fspath(folder), os.path.realpath(folder)) for folder in folders]
        return cls(mounts, [_Root(name, _identity(path), location(path, mounts)) for name, path in real])

    def holding(self, path: str | os.PathLike[str]) -> str | None:
        """The first of the folders that holds the path or is it, as it was given; else None.

        A symbolic link lies where it stands, not where it leads. The path need not exist.
        """
        if not self.roots:
            return None
        own = os.path.abspath(path)  # noqa: PTH100
        folder, name = os.path.split(own)
        real = os.path.join(os.path.realpath(folder), name)  # noqa: PTH118
        found = self._by_location(real)
        if found is None and not os.path.islink(own):  # noqa: PTH114
            identity = _identity(real)
            found = next((root.name for root in self.roots if identity and root.identity == identity), None)
        return found or self._of_folder(os.path.dirname(real))  # noqa: PTH120

    def _of_folder(self, folder: str) -> str | None:
        """For a folder whose path is free of links, found by its identity and that of each folder above."""
        if folder not in self._known:
            identity, above = _identity(folder), os.path.dirname(folder)  # noqa: PTH120
            found = next((root.name for root in self.roots if identity and root.identity == identity), None)
            if found is None:
                found = self._by_location(folder)
            self._known[folder] = self._of_folder(above) if found is None and above != folder else found
        return self._known[folder]

    def _by_location(self, real: str) -> str | None:
        device, inner = location(real, self.mounts)
        for root in self.roots:
            if root.location[0] == device and (
                inner == root.location[1] or inner.startswith(_inside(root.location[1]))
            ):
                return root.name
        return None


def same_entry(one: str, other: str) -> bool:
    """Whether two paths are one entry of one folder, so that removing one removes the other.

    Hard links are two entries. Told apart by the names in the folder, as letters of another case may be one name.
    """
    try:
        first, second = os.lstat(one), os.lstat(other)
    except OSError:
        return False
    if not os.path.samestat(first, second):
        return False
    if first.st_nlink == 1:
        return True
    (folder, name), (second_folder, second_name) = os.path.split(one), os.path.split(other)
    if not os.path.samefile(folder, second_folder):  # noqa: PTH121
        return False
    return name == second_name or not {name, second_name} <= set(os.listdir(folder))  # noqa: PTH208


def mounted() -> list[tuple[str, str, str]]:
    """Mount point, device and the folder of the device that is shown there, on Linux; the last mounted come first."""
    if sys.platform != "linux":
        return []
    try:
        lines = Path(_MOUNTS).read_bytes().splitlines()
    except OSError:
        return []
    return parse_mounts(os.fsdecode(line) for line in lines)


def parse_mounts(lines: Iterable[str]) -> list[tuple[str, str, str]]:
    """The lines of /proc/self/mountinfo (proc(5)), read from the last."""
    found = []
    for line in lines:
        _, _, device, inner, point, *_ = line.split(" ")
        found.append((_unescaped(point), device, _unescaped(inner)))
    return found[::-1]


def location(real: str, mounts: list[tuple[str, str, str]]) -> tuple[str, str]:
    """The device and the path within it of a path that is free of links; without a list of mounts the path itself.

    Two folders that show one place of a device (bind mounts) give the same answer.
    """
    # Of mounts on one point the last hides the others; `max` returns the first of equal ones.
    fitting = [mount for mount in mounts if real == mount[0] or real.startswith(_inside(mount[0]))]
    if not fitting:
        return "", os.path.normcase(real)
    point, device, inner = max(fitting, key=lambda mount: len(mount[0]))
    return device, os.path.normpath(os.path.join(inner, os.path.relpath(real, point)))  # noqa: PTH118


def _inside(folder: str) -> str:
    return folder if folder.endswith(os.sep) else folder + os.sep


def _identity(path: str) -> tuple[int, int] | None:
    try:
        seen = os.stat(path)  # noqa: PTH116
    except (OSError, ValueError):
        return None
    return seen.st_dev, seen.st_ino


def _unescaped(text: str) -> str:
    """Spaces and the like are written as three octal digits."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)
