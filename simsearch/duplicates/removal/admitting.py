"""Which files of a plan may go at this moment, and why others may not."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from simsearch.duplicates.removal.checking import Stamp, still, verify, writable
from simsearch.duplicates.removal.places import Roots, same_entry
from simsearch.duplicates.removal.plan import FileState, Plan, PlannedFile
from simsearch.duplicates.removal.runs import Method
from simsearch.errors import MediaError

LINKS: frozenset[Method] = frozenset(("hardlink", "symlink"))


class Guard:
    """Refuses files that are not what the plan saw, and any whose removal would take a file that stays."""

    def __init__(self, plan: Plan, quarantine: Path, method: Method) -> None:
        self._method = method
        self._reference = Roots.of(plan.header.reference)
        self._quarantine = Roots.of([quarantine])
        self._staying: dict[tuple[int, int], list[str]] = defaultdict(list)
        for state in plan.staying():
            self._protect(state.path)

    def kept(self, state: FileState) -> Stamp:
        """The stamp of a kept file that is what the plan saw. Raises MediaError."""
        if state.symlink and self._method in LINKS:
            raise MediaError("is a symbolic link, and nothing is linked to one")
        return verify(state)

    def admit(self, states: Iterable[FileState], kept: PlannedFile, seen: Stamp) -> list[Stamp]:
        """The stamps of a file and its companions, which may go. Raises MediaError with the reason."""
        stamps: list[Stamp] = []
        for number, state in enumerate(states):
            try:
                stamps.append(self._admit(state, kept, seen))
            except MediaError as error:
                if not number:
                    raise
                raise MediaError(f"goes together with {state.path}, which {error}") from error
        return stamps

    def _admit(self, state: FileState, kept: PlannedFile, seen: Stamp) -> Stamp:
        reference = self._reference.holding(state.path)
        if reference is not None:
            raise MediaError(f"lies in the reference {reference}, which is never touched")
        if self._quarantine.holding(state.path) is not None:
            raise MediaError("is in quarantine")
        found = verify(state)
        own = os.lstat(state.path)
        for path in self._staying.get((own.st_dev, own.st_ino), ()):
            if same_entry(state.path, path):
                raise MediaError(f"is the same file as {path}, which stays")
        writable(state)
        if self._method in LINKS:
            _linkable(state, kept, own, seen)
        return found

    def _protect(self, path: str) -> None:
        for name in {path, os.path.realpath(path)}:
            try:
                own = os.lstat(name)
            except OSError:
                # What is gone cannot be removed; the group that keeps it is refused when its turn comes.
                continue
            self._staying[own.st_dev, own.st_ino].append(name)


def _linkable(state: FileState, kept: PlannedFile, own: os.stat_result, seen: Stamp) -> None:
    if state.symlink:
        raise MediaError("is a symbolic link already")
    if state.sha256 != kept.state.sha256:
        raise MediaError("is not byte for byte the kept file, so no link can stand for it")
    if (own.st_dev, own.st_ino) == seen[:2]:
        raise MediaError("is a hard link to the kept file already")
    if own.st_nlink > 1:
        raise MediaError(f"has {own.st_nlink} hard links: replacing one would free nothing")


def unchanged(kept: PlannedFile, seen: Stamp) -> None:
    """Raises MediaError unless the kept file is there, readable, and as it was verified."""
    try:
        still(kept.state.path, seen)
    except MediaError as error:
        raise MediaError(f"not touched, since the kept file {kept.state.path} {error}") from error
