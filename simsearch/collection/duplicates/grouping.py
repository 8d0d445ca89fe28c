"""Groups of items around the one that is kept, from pairs of contents that are copies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simsearch.collection.duplicates.keeping import REFERENCE, Keeping, Kept, Member
from simsearch.collection.duplicates.report import DuplicateGroup, DuplicateMember, DuplicatePair
from simsearch.duplicates.finding.groups import Group, Tie, against_reference, star_groups

if TYPE_CHECKING:
    from simsearch.collection.duplicates.comparing import Ledger, Numbers
    from simsearch.collection.duplicates.contents import Contents
    from simsearch.duplicates.removal.plan import Transformation


@dataclass(frozen=True, slots=True)
class Grouped:
    """The groups, and pairs of copies that are in no group together."""

    groups: tuple[DuplicateGroup, ...]
    apart: tuple[DuplicatePair, ...]


@dataclass(frozen=True, slots=True)
class Groups:
    """Makes groups. `copies` has score and kind of the pairs that count; `prove` compares further ones."""

    contents: Contents
    ledger: Ledger
    keeping: Keeping
    copies: dict[Numbers, tuple[float, str]]
    prove: Callable[[int, int], float | None]

    def all(self) -> Grouped:
        """The groups by falling size, then by the path of the kept item."""
        ties = [Tie(left, right, score) for (left, right), (score, _) in self.copies.items()]
        if self.contents.reference:
            stars = against_reference(ties, set(self.contents.reference))
        else:
            stars = star_groups(ties, self.keeping, self.prove)
            stars += self._of_one_content({member for star in stars for member in star.members})
        kept = {star.center: self._kept(star) for star in stars}
        order = sorted(stars, key=lambda star: (-self._size(star), kept[star.center].member.item.uri))
        groups = tuple(self._group(number, star, kept[star.center]) for number, star in enumerate(order, 1))
        # With a reference each copy is listed once, with what it resembles most.
        return Grouped(groups, () if self.contents.reference else tuple(self._apart(order)))

    def _of_one_content(self, taken: set[int]) -> list[Group]:
        several = [number for number, items in self.contents.items.items() if len(items) > 1 and number not in taken]
        for number in several:
            self.keeping([number])
        return [Group(number, ()) for number in several]

    def _kept(self, star: Group) -> Kept:
        if not self.contents.reference:
            return self.keeping.kept[star.center]
        item = min(self.contents.items[star.center], key=lambda item: (len(item.uri), item.uri))
        return Kept(Member(star.center, item), {})

    def _size(self, star: Group) -> int:
        return sum(len(self.contents.items[number]) for number in star.members)

    def _group(self, number: int, star: Group, kept: Kept) -> DuplicateGroup:
        own = () if self.contents.reference else (star.center,)
        copies = [
            self._copy(Member(content, item), kept)
            for content in (*own, *(member for member in star.members if member != star.center))
            for item in self.contents.items[content]
            if (content, item.uri) != (kept.member.number, kept.member.item.uri)
        ]
        copies.sort(key=lambda copy: (-(copy.score or 0.0), copy.item.uri))
        return DuplicateGroup(
            number, DuplicateMember(kept.member.item, content=kept.member.number), tuple(copies), star.split
        )

    def _copy(self, member: Member, kept: Kept) -> DuplicateMember:
        reason = kept.reasons.get((member.number, member.item.uri), REFERENCE)
        if member.number == kept.member.number:
            return DuplicateMember(member.item, "exact", 1.0, reason, content=member.number)
        key = min(member.number, kept.member.number), max(member.number, kept.member.number)
        score, kind = self.copies[key]
        matrix, overlap = self._relation(key, kept.member.number)
        frames = self.keeping.frames(member.number)
        return DuplicateMember(member.item, kind, score, reason, matrix, overlap, frames, member.number)

    def _relation(self, key: Numbers, kept: int) -> tuple[Transformation | None, tuple[float, float] | None]:
        """The transformation from the kept picture to the copy, and their shares in the overlap, in this order."""
        row = self.ledger.found.get(key)
        if row is None or row.matrix is None:
            return None, None
        if row.one == self.contents.rows[kept].sha256:
            return row.matrix, (row.one_share, row.other_share)
        inverse = np.linalg.inv(np.vstack([row.matrix, [0.0, 0.0, 1.0]]))[:2]
        matrix = tuple(tuple(float(number) for number in line) for line in np.round(inverse, 6))
        return matrix, (row.other_share, row.one_share)

    def _apart(self, stars: list[Group]) -> Iterator[DuplicatePair]:
        group_of = {member: star.center for star in stars for member in star.members}
        for (left, right), (score, kind) in sorted(self.copies.items()):
            if left in group_of and group_of[left] == group_of.get(right):
                continue
            for one in self.contents.items[left]:
                for other in self.contents.items[right]:
                    a, b = sorted((one.uri, other.uri))
                    yield DuplicatePair(a, b, score, kind, None)
