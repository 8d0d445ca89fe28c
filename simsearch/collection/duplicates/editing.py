"""Plans changed by hand: which file of a group is kept, and which of the others go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from simsearch.collection.duplicates.planning import taken_over
from simsearch.errors import PlanError

if TYPE_CHECKING:
    from simsearch.duplicates.removal.plan import Action, Group, Plan, TakenOver
    from simsearch.types import Item

BY_HAND = "chosen by hand"


@dataclass(frozen=True, slots=True)
class Editor:
    """Changes plans of a collection; `items` has its items by path, `examples` the labels that a path is one of."""

    items: Mapping[str, Item]
    examples: Mapping[str, Sequence[str]]

    def edited(self, plan: Plan, choices: Mapping[tuple[int, int], Action]) -> Plan:
        """The plan with other actions: of group number and place in the group, from 0. Others stay as they are.

        A file that is to be kept takes the place of the one that was, which is then removed unless another action is
        chosen for it. Raises PlanError for a file that there is not, and for a group that would keep none or several.
        """
        known = {(group.number, place) for group in plan.groups for place in range(len(group.files))}
        strange = next((key for key in choices if key not in known), None)
        if strange is not None:
            raise PlanError(f"group {strange[0]} of the plan has no file {strange[1]}; find duplicates again")
        if plan.header.reference and "keep" in choices.values():
            raise PlanError("the files of a reference are always kept; choose among the others")
        groups = (self._edited(group, choices, takes=not plan.header.reference) for group in plan.groups)
        return replace(plan, groups=tuple(groups))

    def _edited(self, group: Group, choices: Mapping[tuple[int, int], Action], *, takes: bool) -> Group:
        places = range(len(group.files))
        wanted = {place: choices[group.number, place] for place in places if (group.number, place) in choices}
        if not wanted:
            return group
        before = group.files.index(group.kept)
        kept = _kept(group, wanted, before)
        if kept != before:
            wanted.setdefault(before, "remove")
        files = [
            replace(file, action=wanted.get(place, file.action), reason=BY_HAND if place in wanted else file.reason)
            for place, file in enumerate(group.files)
        ]
        if kept != before:
            # What related each file to the one that was kept says nothing of the new one.
            files = [replace(file, transformation=None, overlap=None) for file in files]
            files[kept] = replace(files[kept], kind=None, score=None)
        order = [kept, *(place for place in places if place != kept)]
        changed = replace(group, files=tuple(files[place] for place in order))
        return replace(changed, takes_over=self._taken_over(changed) if takes else ())

    def _taken_over(self, group: Group) -> tuple[TakenOver, ...]:
        kept = self.items.get(group.kept.state.path)
        going = [self.items[file.state.path] for file in group.removed if file.state.path in self.items]
        return () if kept is None else taken_over(kept, going, self.examples)


def _kept(group: Group, wanted: Mapping[int, Action], before: int) -> int:
    """The place of the file that is to be kept."""
    chosen = [place for place, action in wanted.items() if action == "keep"]
    if len(chosen) > 1 or (chosen in ([], [before]) and wanted.get(before, "keep") != "keep"):
        raise PlanError(f"group {group.number} must keep exactly one file; choose which")
    return chosen[0] if chosen else before
