"""Rows of CSV, TSV and JSON Lines files, one at a time; whatever is wrong is told with file and line."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from simsearch.errors import TrainingError
from simsearch.media.files import why

if TYPE_CHECKING:
    from _csv import Reader

TABLE_SUFFIXES = frozenset((".csv", ".tsv", ".tab", ".txt", ".jsonl", ".ndjson"))
JSON_SUFFIXES = frozenset((".jsonl", ".ndjson"))
MAX_LINE = 16 * 2**20
"""Bytes of the longest line that is read: a file without line ends must not fill the memory."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: `line` is where it starts, counted from 1; `cells` are in the order of the table's columns."""

    line: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """The names of the columns, and the rows, which can be gone through once."""

    file: Path
    columns: tuple[str, ...]
    rows: Iterator[Row]

    def wrong(self, row: Row, what: str) -> TrainingError:
        return TrainingError(f"{self.file}, line {row.line}: {what}")


@contextmanager
def open_table(file: Path, names: Sequence[str] = ()) -> Iterator[Table]:
    """The table in a file: .jsonl holds JSON Lines, .tsv, .tab and .txt cells between tabs, any other name is CSV.

    `names` are the columns of a file that has no header; a first row that says the same is taken for a header.
    A CSV file may have semicolons or tabs in place of commas. Between tabs a quotation mark is a letter like any
    other. Wholly empty rows are left out. Raises TrainingError, with the line, for a row that has not as many
    cells as there are columns, for quotes that do not close and for anything that is no text in UTF-8.
    """
    with open_lines(file) as lines:
        if file.suffix.lower() in JSON_SUFFIXES:
            yield _json_table(file, lines, names)
        else:
            yield _delimited_table(file, lines, names)


@contextmanager
def open_lines(file: Path) -> Iterator[Iterator[str]]:
    """The lines of a text file in UTF-8, with their ends, without a byte order mark; raises TrainingError."""
    try:
        stream = file.open("rb")
    except OSError as error:
        raise TrainingError(f"{file}: {why(error)}") from error
    with stream:
        yield _decoded(file, stream)


def _decoded(file: Path, stream: BinaryIO) -> Iterator[str]:
    number = 0
    while True:
        number += 1
        try:
            line = stream.readline(MAX_LINE + 1)
        except OSError as error:
            raise TrainingError(f"{file}, line {number}: {why(error)}") from error
        if not line:
            return
        if len(line) > MAX_LINE:
            raise TrainingError(
                f"{file}, line {number}: over {MAX_LINE // 2**20} MiB in one line; is this a text file?"
            )
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if b"\0" in line:
            raise TrainingError(f"{file}, line {number}: a NUL character; save the file as text in UTF-8")
        try:
            yield line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise TrainingError(
                f"{file}, line {number}: byte {line[error.start]:#04x} at position {error.start + 1} is not UTF-8; "
                "save the file in UTF-8"
            ) from error


def _delimited_table(file: Path, lines: Iterator[str], names: Sequence[str]) -> Table:
    first = next(lines, "")
    tabs = file.suffix.lower() in (".tsv", ".tab", ".txt")
    reader = csv.reader(
        chain([first], lines), strict=True, delimiter="\t" if tabs else delimiter(first),
        quoting=csv.QUOTE_NONE if tabs else csv.QUOTE_MINIMAL,
    )  # fmt: skip
    rows = _csv_rows(file, reader)
    head = next(rows, None)
    if head is None:
        raise TrainingError(f"{file}: an empty file; a row of column names and rows below it are needed")
    cells = tuple(cell.strip() for cell in head.cells)
    columns = tuple(names) or cells
    twice = [name for name in columns if name and columns.count(name) > 1 and name != "-"]
    if twice:
        raise TrainingError(f"{file}, line {head.line}: two columns are named {twice[0]!r}; rename one")
    if names and [cell.lower() for cell in cells] != [name.lower() for name in names]:
        rows = chain([head], rows)
    return Table(file, columns, _whole(file, columns, rows, named=bool(names)))


def delimiter(line: str) -> str:
    """What parts the columns that a CSV file names in its first line."""
    return next((sign for sign in (",", ";", "\t") if sign in line), ",")


def _csv_rows(file: Path, reader: Reader) -> Iterator[Row]:
    start = 1
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise TrainingError(f"{file}, line {start}: {_csv_reason(error)}") from error
        if any(cell.strip() for cell in cells):
            yield Row(start, tuple(cells))
        start = reader.line_num + 1


def _csv_reason(error: csv.Error) -> str:
    if "field larger than" in str(error):
        return "a cell of over 131,072 characters; does a quote never close?"
    if "unexpected end of data" in str(error):
        return "a quote that never closes"
    if "new-line character" in str(error):
        return "a line end that is neither LF nor CR LF; save the file with one of these"
    return f"no row of a CSV file: {error}"


def _whole(file: Path, columns: tuple[str, ...], rows: Iterator[Row], *, named: bool) -> Iterator[Row]:
    for row in rows:
        if len(row.cells) != len(columns):
            where = "--columns names" if named else "the header has"
            raise TrainingError(
                f"{file}, line {row.line}: {len(row.cells)} cells, but {where} {len(columns)}: {shown(columns)}; "
                f"the row begins {row.cells[0][:40]!r}"
            )
        yield row


def shown(columns: Sequence[str]) -> str:
    """Names of columns for a message: on one line, and not the whole of a text that was taken for a header."""
    names = (" ".join(name.split()) for name in columns)
    clean = ", ".join("".join(letter for letter in name if letter.isprintable()) for name in names)
    return clean if len(clean) <= 200 else f"{clean[:199]}…"


def _json_table(file: Path, lines: Iterator[str], names: Sequence[str]) -> Table:
    if names:
        raise TrainingError(f"{file}: the rows of JSON Lines name their columns; write --columns ROLE=NAME,...")
    rows = _json_rows(file, lines)
    first = next(rows, None)
    if first is None:
        raise TrainingError(f"{file}: an empty file; one JSON object a line is needed")
    columns = tuple(first[1])
    return Table(file, columns, (_of_object(file, columns, *row) for row in chain([first], rows)))


def _json_rows(file: Path, lines: Iterator[str]) -> Iterator[tuple[int, dict[str, str]]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise TrainingError(f"{file}, line {number}: not JSON: {error}") from error
        if not isinstance(found, dict):
            raise TrainingError(f"{file}, line {number}: one JSON object a line is needed, not {line.strip()[:40]!r}")
        yield number, {key: _json_cell(file, number, key, value) for key, value in found.items()}


def _json_cell(file: Path, line: int, key: str, value: object) -> str:
    """A value as a CSV file would hold it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if not isinstance(value, str | int | float):
        return json.dumps(value)
    text = str(value)
    if any("\ud800" <= letter <= "\udfff" for letter in text) or "\0" in text:
        raise TrainingError(f"{file}, line {line}: {key}={text!r} is no text: it has half a character, or NUL")
    return text


def _of_object(file: Path, columns: tuple[str, ...], line: int, cells: dict[str, str]) -> Row:
    new = sorted(cells.keys() - set(columns))
    if new:
        raise TrainingError(f"{file}, line {line}: {new[0]!r} is not in the first object; give that one all the keys")
    return Row(line, tuple(cells.get(name, "") for name in columns))
