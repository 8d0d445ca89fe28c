"""What a search for duplicates gives: groups around a kept item, and the pairs in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simsearch.collection.duplicates.calibrating import PairCalibration
    from simsearch.duplicates.removal.plan import Transformation
    from simsearch.types import Item, Skip


@dataclass(frozen=True, slots=True)
class DuplicatePair:
    """Two items, by path (or name), of which one is a copy of the other; a larger `score` is more certain.

    A pair that was not proved itself but follows from the copies of one kept item names that in `via`. `group` is
    None for a proved pair whose items are in different groups, since one of them is no copy of the other's kept item.
    """

    a: str
    b: str
    score: float
    kind: str
    group: int | None
    via: str | None = None


@dataclass(frozen=True, slots=True)
class DuplicateMember:
    """An item of a group. For copies: kind and score of the pair with the kept item, and why the other is kept.

    `transformation` takes pixels of the kept picture to those of the copy; `overlap` has the shares of both that the
    other shows as well. They are None where the pixels are equal or there are none.
    """

    item: Item
    kind: str | None = None
    score: float | None = None
    reason: str = ""
    transformation: Transformation | None = None
    overlap: tuple[float, float] | None = None
    frames: int = 1
    """Pages, or frames of an animation."""
    content: int = field(default=-1, repr=False)
    """The number of its content in this search."""


@dataclass(frozen=True, slots=True)
class DuplicateGroup:
    """Copies of one item. `split` if a member is also a copy of something that is no copy of the kept item."""

    number: int
    kept: DuplicateMember
    copies: tuple[DuplicateMember, ...]
    split: bool = False

    @property
    def members(self) -> tuple[DuplicateMember, ...]:
        return (self.kept, *self.copies)


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of the search: what it looked for, and how many pairs of items it found."""

    name: str
    pairs: int


@dataclass(frozen=True, slots=True)
class DuplicateReport:
    """The groups, by falling size; what each stage found; items that could not be compared, and why."""

    groups: tuple[DuplicateGroup, ...]
    stages: tuple[Stage, ...] = ()
    skipped: tuple[Skip, ...] = ()
    apart: tuple[DuplicatePair, ...] = ()
    """Proved pairs whose items are in different groups."""
    proved: Mapping[tuple[int, int], tuple[float, str]] = field(default_factory=dict, repr=False)
    """Score and kind of proved pairs of contents, by their numbers, the smaller first."""
    calibration: PairCalibration | None = None
    """The threshold that was chosen for this collection, where it decided."""
    is_outdated: bool = False
    """Whether one was chosen that no longer decides, since its scores were of another encoder or version."""

    def each_pair(self) -> Iterator[DuplicatePair]:
        """All pairs of each group, then those between groups. Made one at a time: a group of n has n (n - 1) / 2."""
        for group in self.groups:
            members = sorted(group.members, key=lambda member: member.item.uri)
            for place, left in enumerate(members):
                for right in members[place + 1 :]:
                    yield self._pair(group, left, right)
        yield from self.apart

    @property
    def pairs(self) -> tuple[DuplicatePair, ...]:
        return tuple(self.each_pair())

    def _pair(self, group: DuplicateGroup, left: DuplicateMember, right: DuplicateMember) -> DuplicatePair:
        names = left.item.uri, right.item.uri
        if left.content == right.content:
            return DuplicatePair(*names, 1.0, "exact", group.number)
        key = min(left.content, right.content), max(left.content, right.content)
        if key in self.proved:
            return DuplicatePair(*names, *self.proved[key], group.number)
        # Copies with the content of the kept item have proved pairs, so both have a kind.
        weaker = min((left, right), key=lambda member: member.score or 0.0)
        return DuplicatePair(*names, weaker.score or 0.0, weaker.kind or "", group.number, group.kept.item.uri)
