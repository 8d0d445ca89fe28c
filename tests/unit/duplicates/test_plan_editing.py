"""Plans that were decided on by hand: what is kept, what goes, and what the kept file takes over."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simsearch.collection.duplicates.editing import BY_HAND, Editor
from simsearch.duplicates.removal.plan import Action, FileState, Group, Header, Plan, PlannedFile, TakenOver
from simsearch.duplicates.removal.plan_file import read_plan, write_plan
from simsearch.errors import PlanError
from simsearch.types import Item

ACTIONS: tuple[Action, ...] = ("keep", "remove", "leave")
MATRIX = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))


def planned(name: str, action: Action) -> PlannedFile:
    state = FileState(f"/{name}", 5, "0" * 64, 1, 1, hash(name) % 1000)
    copy = (
        {} if action == "keep" else {"kind": "resized", "score": 0.9, "transformation": MATRIX, "overlap": (1.0, 1.0)}
    )
    return PlannedFile(state, action, "", **copy)  # type: ignore[arg-type]


def plan(*sizes: int, reference: tuple[str, ...] = ()) -> Plan:
    groups = [
        Group(number, tuple(planned(f"{number}-{place}", "remove" if place else "keep") for place in range(size)))
        for number, size in enumerate(sizes, 1)
    ]
    return Plan(Header(("/",), reference, (), "id", 1), tuple(groups))


def items(plan: Plan) -> dict[str, Item]:
    files = [file.state.path for group in plan.groups for file in group.files]
    return {path: Item(number, path, number, f"label {path}") for number, path in enumerate(files, 1)}


@given(st.lists(st.integers(2, 4), min_size=1, max_size=3), st.data())
def test_any_choices_give_a_plan_that_keeps_one_of_each_group_or_are_refused(
    sizes: list[int], data: st.DataObject
) -> None:
    before = plan(*sizes)
    keys = st.tuples(st.integers(1, len(sizes)), st.integers(0, 4))
    choices = data.draw(st.dictionaries(keys, st.sampled_from(ACTIONS), max_size=5))
    wanted = {
        number: [place for (group, place), action in choices.items() if (group, action) == (number, "keep")]
        for number in range(1, len(sizes) + 1)
    }
    known = all(place < sizes[number - 1] for number, place in choices)
    fits = known and all(
        len(kept) == 1 or (not kept and choices.get((number, 0), "keep") == "keep") for number, kept in wanted.items()
    )
    try:
        after = Editor(items(before), {}).edited(before, choices)
    except PlanError:
        assert not fits
        return
    assert fits
    for old, new in zip(before.groups, after.groups, strict=True):
        assert Counter(file.state for file in new.files) == Counter(file.state for file in old.files)
        assert [file.action for file in new.files].count("keep") == 1
        assert new.files[0].action == "keep"
        for place, file in enumerate(old.files):
            chosen = choices.get((old.number, place))
            (now,) = [one for one in new.files if one.state == file.state]
            assert chosen is None or (now.action, now.reason) == (chosen, BY_HAND)


def test_another_kept_file_takes_over_what_it_lacks(tmp_path: Path) -> None:
    before = plan(3, 2)
    known = {
        "/1-0": Item(1, "/1-0", 1, "cat", metadata={"a": 1, "b": 2}),
        "/1-1": Item(2, "/1-1", 2, None, metadata={"b": 3}),
        "/1-2": Item(3, "/1-2", 3, "dog"),
    }
    editor = Editor(known, {"/1-0": ["Ana"], "/1-2": ["Bela"]})
    after = editor.edited(before, {(1, 1): "keep", (1, 2): "leave"})
    group = after.groups[0]
    assert [(file.state.path, file.action) for file in group.files] == [
        ("/1-1", "keep"),
        ("/1-0", "remove"),
        ("/1-2", "leave"),
    ]
    assert group.takes_over == (
        TakenOver("/1-0", "label", "cat"),
        TakenOver("/1-0", "metadata", 1, "a"),
        TakenOver("/1-0", "example", "Ana"),
    )
    assert [(file.kind, file.transformation) for file in group.files] == [(None, None), (None, None), ("resized", None)]
    assert after.groups[1] == before.groups[1]
    write_plan(tmp_path / "plan.json", after.header, after.groups)
    assert read_plan(tmp_path / "plan.json") == after


def test_the_files_of_a_reference_are_always_kept() -> None:
    before = plan(2, reference=("/1-0",))
    with pytest.raises(PlanError, match="always kept"):
        Editor({}, {}).edited(before, {(1, 1): "keep"})
    left = Editor(items(before), {}).edited(before, {(1, 1): "leave"})
    assert left.totals.files == 0
