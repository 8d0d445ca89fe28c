"""Groups of copies in which every member is tied to the one that stands for the group, not only to some neighbor."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simsearch.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Tie:
    """A pair of items that was found, and its score."""

    left: int
    right: int
    score: float


@dataclass(frozen=True, slots=True)
class Group:
    """The center, and the others with their ties to it, best first; `split` if some have ties to items outside."""

    center: int
    others: tuple[Tie, ...]
    split: bool = False

    @property
    def members(self) -> tuple[int, ...]:
        return (self.center, *(_other(tie, self.center) for tie in self.others))


def star_groups(
    ties: Iterable[Tie],
    keep: Callable[[Sequence[int]], int] | None = None,
    prove: Callable[[int, int], float | None] | None = None,
) -> list[Group]:
    """Groups by falling number of members, then by rising center; no item is in two.

    The center of a group is the one that `keep` chooses from a connected component, such as by the policy that says
    what stays; without it the one with the most ties. Its group are the items tied to it; ties between others do not
    chain. An item that is tied to a member but not to the center is compared with it by `prove`, which gives the score
    of a tie or None. What remains of a component is grouped in the same way, and groups with ties to items outside are
    marked as split. Without `keep` equals are settled by the number of ties, the sum of scores, and the smaller number,
    whatever the order of the ties.
    """
    around = _neighbors(ties)
    free = set(around)
    found: list[tuple[int, dict[int, float]]] = []
    while True:
        candidates = [item for item in free if any(other in free for other in around[item])]
        if not candidates:
            break
        for part in _parts(candidates, around, free):
            center = keep(sorted(part)) if keep else min(part, key=lambda item: _order(item, around, free))
            if prove is not None:
                _examine_again(center, around, free, prove)
            members = {other: score for other, score in around[center].items() if other in free}
            found.append((center, members))
            free -= {center, *members}
    return sorted((_group(center, members, around) for center, members in found), key=_size)


def _examine_again(
    center: int, around: dict[int, dict[int, float]], free: set[int], prove: Callable[[int, int], float | None]
) -> None:
    """Compares with the center what is tied to one of its members, and what is tied to those that join."""
    asked, front = {center, *around[center]}, sorted(around[center])
    while front:
        member = front.pop()
        if member not in free:
            continue
        for other in sorted(set(around[member]) & free - asked):
            asked.add(other)
            if (score := prove(center, other)) is not None:
                around[center][other] = around[other][center] = score
                front.append(other)


def against_reference(ties: Iterable[Tie], reference: set[int]) -> list[Group]:
    """For each item of the reference that has copies outside of it, a group around it: each copy with its best tie.

    Ties within the reference or outside of it are passed over; nothing of the reference is ever among the others.
    """
    best: dict[int, Tie] = {}
    for tie in ties:
        left_in, right_in = tie.left in reference, tie.right in reference
        if left_in == right_in:
            continue
        copy, kept = (tie.right, tie.left) if left_in else (tie.left, tie.right)
        held = best.get(copy)
        if held is None or (-tie.score, kept) < (-held.score, _other(held, copy)):
            best[copy] = tie
    groups = defaultdict(list)
    for copy, tie in best.items():
        groups[_other(tie, copy)].append(tie)
    return sorted((Group(center, tuple(sorted(some, key=_best_first))) for center, some in groups.items()), key=_size)


def _neighbors(ties: Iterable[Tie]) -> dict[int, dict[int, float]]:
    around: dict[int, dict[int, float]] = defaultdict(dict)
    for tie in ties:
        if tie.left == tie.right:
            raise UsageError(f"item {tie.left} is tied to itself")
        for one, other in ((tie.left, tie.right), (tie.right, tie.left)):
            around[one][other] = max(tie.score, around[one].get(other, tie.score))
    return around


def _parts(candidates: list[int], around: Mapping[int, Mapping[int, float]], free: set[int]) -> list[list[int]]:
    """The connected components of the items that are free."""
    parts, seen = [], set[int]()
    for first in sorted(candidates):
        if first in seen:
            continue
        part, front = [], [first]
        seen.add(first)
        while front:
            item = front.pop()
            part.append(item)
            new = [other for other in around[item] if other in free and other not in seen]
            seen.update(new)
            front.extend(new)
        parts.append(part)
    return parts


def _order(item: int, around: Mapping[int, Mapping[int, float]], free: set[int]) -> tuple[int, float, int]:
    scores = sorted(score for other, score in around[item].items() if other in free)
    return -len(scores), -sum(scores), item


def _group(center: int, members: Mapping[int, float], around: Mapping[int, Mapping[int, float]]) -> Group:
    inside = {center, *members}
    split = any(other not in inside for item in inside for other in around[item])
    ties = sorted((Tie(min(center, m), max(center, m), score) for m, score in members.items()), key=_best_first)
    return Group(center, tuple(ties), split)


def _other(tie: Tie, item: int) -> int:
    return tie.right if tie.left == item else tie.left


def _best_first(tie: Tie) -> tuple[float, int, int]:
    return -tie.score, tie.left, tie.right


def _size(group: Group) -> tuple[int, int]:
    return -len(group.others), group.center
