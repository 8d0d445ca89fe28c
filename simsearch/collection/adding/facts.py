"""Tables of facts about files: a path in each row, and values of the types that their columns have."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from simsearch.errors import MediaError
from simsearch.media.rows import BadRow, BadRows, Row, is_missing
from simsearch.media.tables import open_table, shown

if TYPE_CHECKING:
    from simsearch.types import JSONValue

_WHOLE = re.compile(r"[+-]?(0|[1-9]\d{0,17})")
_NUMBER = re.compile(r"[+-]?((0|[1-9]\d*)(\.\d*)?|\.\d+)([eE][+-]?\d{1,2})?")
_BOOLEANS = {"true": True, "false": False}


def facts(path: str, key: str, encoding: str | None, bad: BadRows) -> dict[str, dict[str, JSONValue]]:
    """The values of each row of a table by its text in the column `key`; None for an empty cell. Bad rows go to `bad`.

    JSON has the types that it has. A column of cells holds booleans if all of them are true or false, numbers if all
    are decimal ones without leading zeros (so that 007 stays a code), else texts; ISO dates are texts, which sort by
    time. Raises MediaError with the reason alone for what is wrong with the whole file.
    """
    found: dict[str, dict[str, JSONValue]] = {}
    with open_table(path, encoding=encoding) as table:
        if table.columns is not None and key not in table.columns:
            raise MediaError(f"no column {key!r}; the columns are {shown(table.columns)}")
        for row in table.rows:
            if isinstance(row, BadRow):
                bad.add(row)
            elif not row.is_empty:
                _add(found, row, key, bad)
        if table.columns is not None:
            _give_types(found.values(), [name for name in table.columns if name != key])
    return found


def _add(found: dict[str, dict[str, JSONValue]], row: Row, key: str, bad: BadRows) -> None:
    name = row.values.get(key)
    if not isinstance(name, str) or is_missing(name):
        bad.add(BadRow(row.line, f"no {key}"))
    elif name in found:
        bad.add(BadRow(row.line, f"{key} {name!r} is that of an earlier row"))
    else:
        found[name] = {
            column: None if is_missing(value) else value for column, value in row.values.items() if column != key
        }


def _give_types(rows: Iterable[dict[str, JSONValue]], columns: Iterable[str]) -> None:
    for column in columns:
        cells = [(row, cell.strip()) for row in rows if isinstance(cell := row.get(column), str)]
        read = _reader([cell for _, cell in cells])
        if read is not None:
            for row, cell in cells:
                row[column] = read(cell)


def _reader(cells: Iterable[str]) -> Callable[[str], JSONValue] | None:
    """How all these cells are read; None as texts."""
    if all(cell.lower() in _BOOLEANS for cell in cells):
        return lambda cell: _BOOLEANS[cell.lower()]
    if all(_NUMBER.fullmatch(cell) for cell in cells):
        return lambda cell: int(cell) if _WHOLE.fullmatch(cell) else float(cell)
    return None


def changed_by(before: Mapping[str, JSONValue], values: Mapping[str, JSONValue]) -> dict[str, JSONValue]:
    """Metadata with the values of a row: what the row has no value for goes, what it does not name stays."""
    return {key: value for key, value in {**before, **values}.items() if key not in values or value is not None}
