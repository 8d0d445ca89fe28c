"""CSV and TSV: rows of cells between separators, below the names of their columns."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, TypeAlias

from simsearch.errors import MediaError
from simsearch.media.rows import BadRow, Row, RowError, printable

if TYPE_CHECKING:
    from _csv import Reader

    from simsearch.media.lines import Lines

NO_COLUMN = "-"
"""The name of a column to ignore."""
_SEPARATOR_LINE = re.compile(r'"?sep=([^"\r\n])"?[\r\n]*', re.IGNORECASE)
_Cells: TypeAlias = "tuple[int, list[str] | str]"
"""The line where a row starts, and its cells, or why it has none."""


def delimited_table(
    lines: Lines, names: Sequence[str], *, tabs: bool
) -> tuple[tuple[str, ...], Iterator[Row | BadRow]]:
    """The columns that have a name, and the rows.

    `names` are the columns of a file without a header; a first row that equals them is taken as one. With `tabs`
    cells are between tabs and a quotation mark is a letter like any other (IANA, text/tab-separated-values). Without,
    a line `sep=;` before the header names the separator, as Excel reads it; else it is the first of comma, semicolon
    and tab that the header has. Raises MediaError with the reason alone where there is no header.
    """
    reader, line = _opened(lines, tabs=tabs)
    try:
        head = next(reader)
    except (RowError, csv.Error) as error:
        raise MediaError(f"line {line}: {_reason(error, line, lines.number)}") from error
    header = [cell.strip() for cell in head]
    columns = list(names) or header
    if not any(columns):
        raise MediaError(f"line {line}: no names of columns")
    twice = [name for name, count in Counter(columns).items() if count > 1 and name not in ("", NO_COLUMN)]
    if twice:
        raise MediaError(f"line {line}: two columns are named {twice[0]!r}; rename one")
    cells = _cells(reader, lines)
    if names and [name.lower() for name in header] != [name.lower() for name in names]:
        cells = chain([(line, head)], cells)
    named = tuple(name for name in columns if name not in ("", NO_COLUMN))
    return named, _rows(cells, columns, f"{'--columns names' if names else 'the header has'} {len(columns)}")


def _opened(lines: Lines, *, tabs: bool) -> tuple[Reader, int]:
    """A reader that begins with the header, and the line where that starts."""
    first, separator = _line(lines), ""
    if not tabs and (found := _SEPARATOR_LINE.fullmatch(first)):
        first, separator = _line(lines), found[1]
    while first and not first.strip():
        first = _line(lines)
    if not first:
        raise MediaError("empty file")
    if tabs:
        return csv.reader(chain([first], lines), delimiter="\t", quoting=csv.QUOTE_NONE), lines.number
    separator = separator or next((sign for sign in (",", ";", "\t") if sign in first), ",")
    return csv.reader(chain([first], lines), strict=True, delimiter=separator), lines.number


def _line(lines: Lines) -> str:
    try:
        return next(lines, "")
    except RowError as error:
        raise MediaError(f"line {lines.number}: {error}") from error


def _cells(reader: Reader, lines: Lines) -> Iterator[_Cells]:
    while True:
        first = lines.number + 1
        try:
            cells = next(reader, None)
        except (RowError, csv.Error) as error:
            yield first, _reason(error, first, lines.number)
            continue
        if cells is None:
            return
        if cells:
            yield first, cells


def _rows(found: Iterator[_Cells], columns: Sequence[str], wanted: str) -> Iterator[Row | BadRow]:
    # A column without a name is what a trailing comma makes.
    kept = [(name, place) for place, name in enumerate(columns) if name not in ("", NO_COLUMN)]
    for number, (line, cells) in enumerate(found, start=1):
        if isinstance(cells, str):
            yield BadRow(line, cells)
        elif len(cells) == len(columns):
            yield Row(line, number, {name: cells[place] for name, place in kept})
        elif any(cell.strip() for cell in cells):
            yield BadRow(line, f"{len(cells)} {'cell' if len(cells) == 1 else 'cells'}, but {wanted}")
        else:
            yield Row(line, number, {})


def _reason(error: MediaError | csv.Error, first: int, last: int) -> str:
    """Why a row could not be read; a quote that is not closed takes the lines that follow with it."""
    reason = printable(str(error))
    if reason == "unexpected end of data" or reason.startswith("field larger than"):
        reason = f"a quote is not closed, or a cell is over {csv.field_size_limit():,} characters"
    elif reason.startswith("new-line character"):
        reason = "a line end within a cell that has no quotes"
    return f"{reason} (lines {first:,} to {last:,})" if last > first else reason
