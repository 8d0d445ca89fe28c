"""What a plan of removals consists of: groups of files, one of each kept, the others to be removed with a reason."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from simsearch.types import JSONValue

Action: TypeAlias = Literal["keep", "remove", "leave"]
"""`keep` is the file that a group keeps (one each), `remove` one that goes, `leave` one that stays after all."""
Role: TypeAlias = Literal["sidecar", "raw", "film"]
Transformation: TypeAlias = tuple[tuple[float, ...], ...]
"""The rows of a 2x3 or 3x3 matrix that maps pixel coordinates of the kept picture to those of the other."""


@dataclass(frozen=True, slots=True)
class FileState:
    """A file as the plan saw it. Size, times and identity are those of the target where `symlink` is true."""

    path: str
    size: int
    sha256: str
    mtime_ns: int
    device: int
    inode: int
    links: int = 1
    symlink: bool = False

    @classmethod
    def of(cls, path: str | os.PathLike[str], sha256: str) -> FileState:
        """The state of a file now, with the checksum that its reader has computed. Raises OSError."""
        absolute = os.path.abspath(path)  # noqa: PTH100
        own, seen = os.lstat(absolute), os.stat(absolute)  # noqa: PTH116
        return cls(
            absolute,
            seen.st_size,
            sha256,
            seen.st_mtime_ns,
            seen.st_dev,
            seen.st_ino,
            seen.st_nlink,
            stat.S_ISLNK(own.st_mode),
        )

    @property
    def freed(self) -> int:
        """The bytes that its removal frees: none where another name (a hard or symbolic link) leads to them."""
        return 0 if self.symlink or self.links > 1 else self.size


@dataclass(frozen=True, slots=True)
class Companion:
    """A file that goes and stays with a picture: its sidecar, the RAW beside a JPEG, the film of a live photo."""

    state: FileState
    role: Role


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """A member of a group. `kind`, `score` and `transformation` relate it to the kept one; `reason` is in words.

    `overlap` has the shares of the kept picture and of this one that the other shows as well.
    """

    state: FileState
    action: Action
    reason: str = ""
    kind: str | None = None
    score: float | None = None
    transformation: Transformation | None = None
    companions: tuple[Companion, ...] = ()
    overlap: tuple[float, float] | None = None

    def states(self) -> tuple[FileState, ...]:
        """The file itself, then its companions."""
        return (self.state, *(companion.state for companion in self.companions))


@dataclass(frozen=True, slots=True)
class TakenOver:
    """What the kept file takes over from one that goes: its label, an entry of its metadata, an enrolled example."""

    source: str
    what: Literal["label", "metadata", "example"]
    value: JSONValue
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Files that are duplicates of the one that is kept; `split` where one is also a copy of some other file."""

    number: int
    files: tuple[PlannedFile, ...]
    takes_over: tuple[TakenOver, ...] = ()
    split: bool = False

    @property
    def kept(self) -> PlannedFile:
        return next(file for file in self.files if file.action == "keep")

    @property
    def removed(self) -> tuple[PlannedFile, ...]:
        return tuple(file for file in self.files if file.action == "remove")


@dataclass(frozen=True, slots=True)
class Header:
    """What holds for the whole plan. Folders are absolute; files below a `reference` are never removed.

    `collection` (its id) and `generation` identify the state of the collection that the plan was made from; `folder`
    is where that collection was.
    """

    searched: tuple[str, ...]
    reference: tuple[str, ...] = ()
    policy: tuple[str, ...] = ()
    collection: str | None = None
    generation: int | None = None
    folder: str | None = None


@dataclass(frozen=True, slots=True)
class Totals:
    """How many groups lose files, how many files go (companions included), and the bytes that this frees."""

    groups: int = 0
    files: int = 0
    bytes: int = 0

    def plus(self, group: Group) -> Totals:
        """These totals with one more group counted in."""
        states = [state for file in group.removed for state in file.states()]
        return Totals(
            self.groups + bool(states), self.files + len(states), self.bytes + sum(state.freed for state in states)
        )


@dataclass(frozen=True, slots=True)
class Plan:
    header: Header
    groups: tuple[Group, ...]

    @property
    def totals(self) -> Totals:
        return totals(self.groups)

    def staying(self) -> Iterator[FileState]:
        """Every file that the plan knows and does not remove."""
        for group in self.groups:
            for file in group.files:
                if file.action != "remove":
                    yield from file.states()


def totals(groups: Iterable[Group]) -> Totals:
    """The totals of these groups."""
    found = Totals()
    for group in groups:
        found = found.plus(group)
    return found
