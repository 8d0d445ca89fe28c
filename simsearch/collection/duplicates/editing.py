"""Plans changed by hand: which file of a group is kept, and which of the others go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from simsearch.errors import PlanError

if TYPE_CHECKING:
    from simsearch.duplicates.removal.plan import Action, Group, Plan

BY_HAND = "chosen by hand"


def edited(plan: Plan, choices: Mapping[tuple[int, int], Action]) -> Plan:
    """The plan with other actions: of group number and place in the group, from 0. Others stay as they are.

    A file that is to be kept takes the place of the one that was, which is then removed unless another action is chosen
    for it. Raises PlanError for a file that there is not, and for a group that would keep none or several.
    """
    known = {(group.number, place) for group in plan.groups for place in range(len(group.files))}
    strange = next((key for key in choices if key not in known), None)
    if strange is not None:
        raise PlanError(f"group {strange[0]} of the plan has no file {strange[1]}; find duplicates again")
    return replace(plan, groups=tuple(_edited(group, choices) for group in plan.groups))


def _edited(group: Group, choices: Mapping[tuple[int, int], Action]) -> Group:
    places = range(len(group.files))
    wanted = {place: choices[group.number, place] for place in places if (group.number, place) in choices}
    if not wanted:
        return group
    before = group.files.index(group.kept)
    chosen = [place for place, action in wanted.items() if action == "keep"] or [before]
    if chosen != [before]:
        wanted.setdefault(before, "remove")
    if len(chosen) != 1 or (chosen == [before] and wanted.get(before, "keep") != "keep"):
        raise PlanError(f"group {group.number} must keep exactly one file; choose which")
    kept = chosen[0]
    files = [
        replace(file, action=wanted.get(place, file.action), reason=BY_HAND if place in wanted else file.reason)
        for place, file in enumerate(group.files)
    ]
    if kept == before:
        return replace(group, files=tuple(files))
    # What related each file to the one that was kept says nothing of the new one.
    files = [replace(file, transformation=None, overlap=None) for file in files]
    files[kept] = replace(files[kept], kind=None, score=None)
    order = [kept, *(place for place in range(len(files)) if place != kept)]
    going = tuple(one for one in group.takes_over if one.source != files[kept].state.path)
    return replace(group, files=tuple(files[place] for place in order), takes_over=going)
