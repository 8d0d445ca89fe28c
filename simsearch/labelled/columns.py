"""What the columns of a table mean: by their names, or as the user says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from simsearch.errors import TrainingError, UsageError
from simsearch.media.tables import Row, Table, shown

ROLE_NAMES: Mapping[str, tuple[str, ...]] = {
    "path": ("path", "file", "image"),
    "text": ("text", "sentence", "caption"),
    "label": ("label", "class", "category", "intent"),
    "left": ("left", "s1", "q1", "text1", "sentence1", "question1", "path1", "image1"),
    "right": ("right", "s2", "q2", "text2", "sentence2", "question2", "path2", "image2"),
    "same": ("same", "similar"),
    "different": ("different", "dissimilar"),
    "score": ("score",),
    "anchor": ("anchor",),
    "positive": ("positive",),
    "negative": ("negative",),
    "group": ("group",),
    "split": ("split",),
}
"""Each role that a column can have, and the names (of any case) that give it that role."""


@dataclass(frozen=True, slots=True)
class Columns:
    """What the user says of a table's columns."""

    names: tuple[str, ...] = ()
    """Of a file without a header: the name of each column, in order."""
    roles: Mapping[str, str] = field(default_factory=dict)
    """Of a file with a header: the column that has a role, whatever its name."""


def parse_columns(words: str | None) -> Columns:
    """The columns that `--columns` names: "s1,s2,score" in order (no header), or "text=utterance,label=intent".

    A column "-" has no role. Raises UsageError.
    """
    if words is None:
        return Columns()
    parts = [part.strip() for part in words.split(",")]
    if not all(parts):
        raise UsageError(f"--columns {words!r} has an empty name; '-' stands for a column that means nothing")
    mapped = [part.partition("=") for part in parts if "=" in part]
    if not mapped:
        return Columns(names=tuple(parts))
    unknown = [role for role, _, _ in mapped if role not in ROLE_NAMES]
    if len(mapped) < len(parts) or unknown or len({role for role, _, _ in mapped}) < len(parts):
        raise UsageError(
            f"--columns {words!r}: write the names in order (a file without a header), or ROLE=NAME for each, where "
            f"ROLE is one of {', '.join(ROLE_NAMES)}"
        )
    return Columns(roles={role: name for role, _, name in mapped})


@dataclass(frozen=True, slots=True)
class Roles:
    """Where each role stands in a row."""

    table: Table
    positions: Mapping[str, int]

    def __contains__(self, role: str) -> bool:
        return role in self.positions

    def has(self, *roles: str) -> bool:
        return all(role in self.positions for role in roles)

    def name(self, role: str) -> str:
        return self.table.columns[self.positions[role]]

    def value(self, row: Row, role: str) -> str:
        """The cell of that role. Raises TrainingError when it is empty."""
        value = row.cells[self.positions[role]]
        if not value.strip():
            raise self.table.wrong(row, f"{self.name(role)} is empty; fill it in or take the row away")
        return value

    @property
    def others(self) -> tuple[str, ...]:
        """Columns without a role."""
        taken = set(self.positions.values())
        return tuple(name for number, name in enumerate(self.table.columns) if number not in taken)


def find_roles(table: Table, columns: Columns) -> Roles:
    """The role of each column, as the user says or by its name. Raises TrainingError where that leaves a choice."""
    positions = {role: _position(table, role, name) for role, name in columns.roles.items()}
    taken = set(positions.values())
    for role, names in ROLE_NAMES.items():
        found = [number for number, name in enumerate(table.columns) if name.lower() in names and number not in taken]
        if role in positions or not found:
            continue
        if len(found) > 1:
            both = " and ".join(repr(table.columns[number]) for number in found[:2])
            raise TrainingError(f"{table.file}: {both} both mean {role}; choose with --columns {role}=NAME")
        positions[role] = found[0]
    return Roles(table, positions)


def _position(table: Table, role: str, name: str) -> int:
    if name not in table.columns:
        raise TrainingError(f"{table.file}: no column {name!r} for {role}; the columns are {shown(table.columns)}")
    return table.columns.index(name)
