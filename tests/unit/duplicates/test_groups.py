"""Groups are stars: every member is tied to the center, nothing is lost silently, and order does not matter."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simsearch.duplicates.finding.groups import Group, Tie, against_reference, star_groups
from simsearch.errors import UsageError

TIES = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 12), st.sampled_from([0.6, 0.7, 0.8, 0.9, 1.0])).filter(
        lambda tie: tie[0] != tie[1]
    ),
    max_size=30,
).map(lambda some: [Tie(min(a, b), max(a, b), score) for a, b, score in some])


@given(TIES, st.randoms(), st.booleans())
def test_every_member_is_tied_to_the_center_and_in_one_group(ties: list[Tie], random, ranked: bool) -> None:
    keep = (lambda items: min(items, key=lambda item: (-item % 5, item))) if ranked else None
    groups = star_groups(ties, keep)
    proved = {(tie.left, tie.right) for tie in ties}
    members = [member for group in groups for member in group.members]
    assert len(members) == len(set(members))
    for group in groups:
        assert group.others
        for other in group.others:
            assert (other.left, other.right) in proved and group.center in (other.left, other.right)
        leaves = proved & {(a, b) for a in group.members for b in range(13)} | proved & {
            (a, b) for b in group.members for a in range(13)
        }
        assert group.split == any(not {a, b} <= set(group.members) for a, b in leaves)
    for left, right in proved:  # No pair of which both are left over.
        assert left in members or right in members
    shuffled = [*ties]
    random.shuffle(shuffled)
    assert star_groups(shuffled, keep) == groups


def test_a_chain_is_not_one_group() -> None:
    groups = star_groups([Tie(1, 2, 0.9), Tie(2, 3, 0.9), Tie(3, 4, 0.9), Tie(4, 5, 0.9)])
    assert [set(group.members) for group in groups] == [{1, 2, 3}, {4, 5}]
    assert all(group.split for group in groups)


def test_the_one_to_keep_is_the_center_and_those_not_tied_to_it_stay_apart() -> None:
    ties = [Tie(1, 2, 0.9), Tie(1, 3, 0.9), Tie(1, 4, 0.9), Tie(2, 3, 0.9)]
    groups = star_groups(ties, keep=lambda items: 2)
    assert [(group.center, group.members, group.split) for group in groups] == [(2, (2, 1, 3), True)]
    joined = star_groups([*ties, Tie(2, 4, 0.7)], keep=lambda items: 2)
    assert [(group.members, group.split) for group in joined] == [((2, 1, 3, 4), False)]


def test_what_is_tied_to_a_member_is_compared_with_the_center_once() -> None:
    asked: list[tuple[int, int]] = []

    def prove(center: int, item: int) -> float | None:
        asked.append((center, item))
        return 0.7 if item != 5 else None

    chain = [Tie(1, 2, 0.9), Tie(2, 3, 0.9), Tie(3, 4, 0.9), Tie(4, 5, 0.9), Tie(3, 5, 0.9), Tie(5, 6, 0.9)]
    groups = star_groups(chain, keep=min, prove=prove)
    assert asked == [(1, 3), (1, 4), (1, 5)]
    assert [(group.center, group.members, group.split) for group in groups] == [
        (1, (1, 2, 3, 4), True),
        (5, (5, 6), True),
    ]


def test_whatever_has_a_copy_in_the_reference_is_proposed_once() -> None:
    ties = [Tie(1, 10, 0.9), Tie(2, 10, 0.8), Tie(2, 11, 0.95), Tie(1, 2, 1.0), Tie(10, 11, 1.0), Tie(3, 4, 1.0)]
    groups = against_reference(ties, {10, 11, 12})
    assert groups == [Group(10, (Tie(1, 10, 0.9),)), Group(11, (Tie(2, 11, 0.95),))]
    assert against_reference([Tie(1, 11, 0.9), Tie(1, 10, 0.9)], {10, 11})[0].center == 10


def test_an_item_is_no_copy_of_itself() -> None:
    with pytest.raises(UsageError, match="tied to itself"):
        star_groups([Tie(1, 1, 1.0)])
