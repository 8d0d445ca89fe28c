"""Rows of tables, and bad rows: the results of the readers of tables and lines."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING

from simsearch.errors import MediaError, SimsearchError
from simsearch.types import Skip

if TYPE_CHECKING:
    from simsearch.types import JSONValue

LISTED_AT_MOST = 100
NO_TEXT = "no text"


class RowError(MediaError):
    """A row is invalid; reading continues with the next one."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table: the line where it starts and its number, both from 1, and its values by column."""

    line: int
    number: int
    values: Mapping[str, JSONValue]

    @property
    def is_empty(self) -> bool:
        """Whether all values are missing."""
        return all(map(is_missing, self.values.values()))

    def text(self, column: str) -> str:
        """The value as a CSV file would hold it, "" when it is missing. Raises RowError for a list or an object."""
        value = self.values.get(column)
        if is_missing(value):
            return ""
        if isinstance(value, (list, dict)):
            raise RowError(f"{column!r} is neither text nor number but {json.dumps(value)[:40]}")
        return json.dumps(value) if isinstance(value, bool) else str(value)


def is_missing(value: JSONValue) -> bool:
    """Whether a value is missing: null, or an empty or blank text."""
    return value is None or (isinstance(value, str) and not value.strip())


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be used, and why."""

    line: int
    reason: str


def printable(reason: str) -> str:
    """The reason on one line, without unprintable characters."""
    return "".join(letter if letter.isprintable() else "?" for letter in reason)


class BadRows:
    """The skipped rows of a file: the first `listed` one by one, others and those without text counted."""

    def __init__(self, path: str, listed: int = LISTED_AT_MOST) -> None:
        self._path = path
        self._most = listed
        self._listed: list[BadRow] = []
        self._first: dict[str, int] = {}
        self._counts: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._listed) + self._counts.total()

    def add(self, bad: BadRow) -> None:
        if bad.reason != NO_TEXT and len(self._listed) < self._most:
            self._listed.append(bad)
            return
        kind = NO_TEXT if bad.reason == NO_TEXT else "left out for reasons like those"
        self._first.setdefault(kind, bad.line)
        self._counts[kind] += 1

    def error(self, kind: type[SimsearchError], cure: str) -> SimsearchError:
        """An error about them: of a single one as it is, else with a note for each that is listed."""
        rows = [f"{skip.path}: {skip.reason}" for skip in self.listed()]
        if len(self) == 1:
            return kind(f"{rows[0]}; {cure}")
        error = kind(f"{self._path}: {len(self):,} bad rows; {cure}")
        for row in rows:
            error.add_note(row)
        return error

    def listed(self) -> list[Skip]:
        """The skipped rows, by ascending line."""
        rows = [(bad.line, bad.reason, 1) for bad in self._listed]
        for kind, number in self._counts.items():
            rows.append((self._first[kind], f"{kind}; {number:,} rows in all" if number > 1 else kind, number))
        return [
            Skip(f"{self._path}:{line}", reason, number) for line, reason, number in sorted(rows, key=itemgetter(0))
        ]
