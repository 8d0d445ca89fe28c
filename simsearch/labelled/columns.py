"""The roles of the columns of a table, by their names or by `--columns`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from typing import TypeVar

from simsearch.errors import TrainingError, UsageError
from simsearch.labelled.material import left_out
from simsearch.labelled.tables import LabelledTable
from simsearch.media.rows import BadRow, Row, RowError, printable
from simsearch.media.tables import shown

T = TypeVar("T")

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
    """The columns that the user names or maps to roles."""

    names: tuple[str, ...] = ()
    """For a file without a header: the name of each column, in order."""
    roles: Mapping[str, str] = field(default_factory=dict)
    """For a file with a header: the column of each mapped role."""


def parse_columns(words: str | None) -> Columns:
    """The columns that `--columns` names: "s1,s2,score" in order (no header), or "text=utterance,label=intent".

    A column "-" has no role. Raises UsageError.
    """
    if words is None:
        return Columns()
    parts = [part.strip() for part in words.split(",")]
    if not all(parts):
        raise UsageError(f"--columns {words!r} has an empty name; write '-' for a column to ignore")
    mapped = [part.partition("=") for part in parts if "=" in part]
    if not mapped:
        return Columns(names=tuple(parts))
    unknown = [role for role, _, _ in mapped if role not in ROLE_NAMES]
    if len(mapped) < len(parts) or unknown or len({role for role, _, _ in mapped}) < len(parts):
        raise UsageError(
            f"--columns {words!r}: give the names in order (a file without a header), or ROLE=NAME for each, where "
            f"ROLE is one of {', '.join(ROLE_NAMES)}"
        )
    return Columns(roles={role: name for role, _, name in mapped})


@dataclass(frozen=True, slots=True)
class Roles:
    """The column of each role."""

    table: LabelledTable
    names: Mapping[str, str]

    def __contains__(self, role: str) -> bool:
        return role in self.names

    def has(self, *roles: str) -> bool:
        return all(role in self.names for role in roles)

    def value(self, row: Row, role: str) -> str:
        """The value of that role. Raises RowError when it is missing, or neither text nor number."""
        name = self.names[role]
        value = row.text(name)
        if not value:
            raise RowError(f"{name} is missing")
        return value

    def parsed(self, parse: Callable[[Row], T]) -> Iterator[T]:
        """The result of `parse` for each row. Rows for which it raises RowError are skipped, or rejected at the end
        if the table is strict.
        """
        known = frozenset(self.table.columns)
        for row in self.table.rows:
            try:
                if row.values.keys() - known:
                    self._check_new(row.values.keys() - known)
                found = parse(row)
            except RowError as error:
                self.table.bad.add(BadRow(row.line, printable(str(error))))
                continue
            yield found
        self.table.check()

    def _check_new(self, names: Set[str]) -> None:
        """Raises RowError for a key that names a role but is missing in the first JSON object."""
        for role, words in ROLE_NAMES.items():
            for name in sorted(names):
                if role not in self.names and name.lower() in words:
                    raise RowError(f"{name!r} is not in the first object, which must have all keys")

    @property
    def others(self) -> tuple[str, ...]:
        """Columns without a role."""
        taken = set(self.names.values())
        return tuple(name for name in self.table.columns if name not in taken)


def find_roles(table: LabelledTable, columns: Columns) -> Roles:
    """The role of each column, from `columns` or by its name. Raises TrainingError where that is ambiguous."""
    if not table.columns:
        raise TrainingError(f"{table.file}: no rows{left_out(table.bad.listed())}")
    names = dict(columns.roles)
    for role, name in names.items():
        if name not in table.columns:
            raise TrainingError(f"{table.file}: no column {name!r} for {role}; the columns are {shown(table.columns)}")
    taken = set(names.values())
    for role, words in ROLE_NAMES.items():
        found = [name for name in table.columns if name.lower() in words and name not in taken]
        if role in names or not found:
            continue
        if len(found) > 1:
            raise TrainingError(
                f"{table.file}: {found[0]!r} and {found[1]!r} both stand for {role}; choose with --columns {role}=NAME"
            )
        names[role] = found[0]
    return Roles(table, names)
