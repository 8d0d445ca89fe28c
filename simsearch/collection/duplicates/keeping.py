"""Which of several copies stays: what must not be lost first, then the policy; and why each of the others goes."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.duplicates.finding.kinds import PLAIN, WHOLE
from simsearch.duplicates.finding.policy import Candidate, Policy, choose
from simsearch.store import Look

if TYPE_CHECKING:
    from simsearch.collection.duplicates.companions import Folders
    from simsearch.collection.duplicates.comparing import Ledger, Numbers
    from simsearch.collection.duplicates.contents import Contents
    from simsearch.types import Item

TEXT_ORDER = ("folder", "metadata", "size", "age")
"""What counts by default among texts, which have neither pixels nor sharpness."""
REFERENCE = "the one kept is in the reference"


@dataclass(frozen=True, slots=True)
class Member:
    """An item, and the number of its content."""

    number: int
    item: Item


@dataclass(frozen=True, slots=True)
class Kept:
    """The item that stays, and why others go, by content and uri."""

    member: Member
    reasons: dict[tuple[int, str], str]


@dataclass(slots=True)
class Keeping:
    """Chooses the content that stays for `star_groups`, and remembers each choice in `kept`, by content."""

    contents: Contents
    ledger: Ledger
    folders: Folders
    policy: Policy
    copies: dict[Numbers, tuple[float, str]]
    kept: dict[int, Kept] = field(default_factory=dict)
    _around: dict[int, set[int]] | None = None

    def __call__(self, numbers: Sequence[int]) -> int:
        """The content to keep of several."""
        members = [Member(number, item) for number in numbers for item in self.contents.items[number]]
        reasons: dict[tuple[int, str], str] = {}
        left = members
        for holds, why in self._preferences(numbers):
            preferred = [member for member in left if holds(member)]
            if preferred:
                reasons |= {_key(member): why for member in left if not holds(member)}
                left = preferred
        choice = choose([self._candidate(member) for member in left], self.policy)
        reasons |= {_key(member): why for member, why in zip(left, choice.reasons, strict=True)}
        member = left[choice.kept]
        self.kept[member.number] = Kept(member, reasons)
        return member.number

    def frames(self, number: int) -> int:
        """The pages or frames of a content; 1 where nobody has looked."""
        look = self.ledger.looks.get(self.contents.rows[number].sha256)
        return 1 if look is None else look.frames

    def _preferences(self, numbers: Sequence[int]) -> list[tuple[Callable[[Member], bool], str]]:
        framed = self._framed(numbers)
        most = max(self.frames(number) for number in numbers)
        return [
            (lambda member: self.frames(member.number) == most, "the one kept has more pages or frames"),
            (self._is_original, "the one kept has its RAW file or film beside it"),
            (lambda member: member.number not in framed, "the one kept is without the border or bars around this"),
            (lambda member: not _is_link(member.item.uri), "this is a symbolic link"),
        ]

    def _is_original(self, member: Member) -> bool:
        return any(one.role != "sidecar" and not one.shared for one in self.folders.beside(member.item.uri))

    def _framed(self, numbers: Sequence[int]) -> set[int]:
        """The pictures that show another of these as a whole, with a border or bars around it."""
        among = set(numbers)
        return {number for number in numbers if not self._shown_whole().get(number, set()).isdisjoint(among)}

    def _shown_whole(self) -> dict[int, set[int]]:
        """For each picture with something plain around another, those others."""
        if self._around is None:
            self._around = defaultdict(set)
            for left, right in self.copies:
                row = self.ledger.found.get((left, right))
                if row is None or row.outside >= PLAIN:
                    continue
                shares = (row.one_share, row.other_share)
                ours, theirs = shares if self.contents.rows[left].sha256 == row.one else shares[::-1]
                if ours < WHOLE <= theirs:
                    self._around[left].add(right)
                elif theirs < WHOLE <= ours:
                    self._around[right].add(left)
        return self._around

    def _candidate(self, member: Member) -> Candidate:
        row, item = self.contents.rows[member.number], member.item
        look = self.ledger.looks.get(row.sha256, Look(0.0, 0))
        sidecars = len(self.folders.beside(item.uri))
        return Candidate(
            path=item.uri,
            width=row.width or 0,
            height=row.height or 0,
            size=item.size,
            mtime_ns=item.mtime_ns,
            format=Path(item.uri).suffix.lstrip(".").lower(),
            sharpness=look.sharpness,
            color=look.color,
            metadata=look.entries + sidecars + len(item.metadata) + (item.label is not None),
        )


def _key(member: Member) -> tuple[int, str]:
    return member.number, member.item.uri


def _is_link(path: str) -> bool:
    return os.path.islink(path)  # noqa: PTH114
