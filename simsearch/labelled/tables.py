"""Tables of labelled material: their valid rows, and the others, which are skipped and listed, or rejected."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from simsearch.errors import MediaError, TrainingError
from simsearch.media.rows import BadRow, BadRows, Row
from simsearch.media.tables import open_table

LISTED = 20
"""How many bad rows are listed one by one."""


@dataclass(frozen=True, slots=True)
class LabelledTable:
    """The columns, and an iterator over the rows that are not empty; `bad` collects the skipped ones."""

    file: Path
    columns: tuple[str, ...]
    rows: Iterator[Row]
    bad: BadRows
    encoding: str | None = None
    strict: bool = False

    def check(self) -> None:
        """Raises TrainingError for bad rows of a strict table, once all are read."""
        if self.strict:
            refuse(self.bad)


def refuse(bad: BadRows) -> None:
    """Raises TrainingError that lists the first bad rows with file, line and reason, if there are any."""
    if len(bad):
        raise bad.error(TrainingError, "such rows are skipped without --strict (for train --set strict=true)")


@contextmanager
def open_labelled_table(
    file: Path, names: Sequence[str] = (), *, encoding: str | None = None, strict: bool = False
) -> Iterator[LabelledTable]:
    """The table in a file, as `open_table` reads it; the columns of JSON are the keys of its first object.

    Raises TrainingError naming the file if it cannot be read at all.
    """
    bad = BadRows(str(file), LISTED)
    try:
        with open_table(file, encoding=encoding, names=names) as table:
            rows = _sound(table.rows, bad)
            columns = table.columns
            if columns is None:
                first = next(rows, None)
                columns = () if first is None else tuple(first.values)
                rows = rows if first is None else chain([first], rows)
            yield LabelledTable(file, columns, rows, bad, encoding, strict)
    except MediaError as error:
        raise TrainingError(f"{file}: {error}") from error


def _sound(rows: Iterator[Row | BadRow], bad: BadRows) -> Iterator[Row]:
    for row in rows:
        if isinstance(row, BadRow):
            bad.add(row)
        elif not row.is_empty:
            yield row
