"""The rows of a table (CSV, TSV, JSON lines) or the lines of a file, read as a stream."""

from __future__ import annotations

import csv
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO, NoReturn

from simsearch.errors import MediaError
from simsearch.media.files import opened
from simsearch.media.tables import delimiter
from simsearch.media.texts import MAX_TEXT_BYTES, NO_TEXT, BadRow, Reading, TextRow, without_mark

if TYPE_CHECKING:
    from simsearch.types import JSONValue


def read_rows(path: str, how: Reading) -> Iterator[TextRow | BadRow]:
    """The rows of a table, or for a file that is no table by its name its lines that are not blank.

    Streams: holds a row at a time. What is wrong with one row comes as a BadRow, and the next row follows. Raises
    MediaError with the reason alone for what is wrong with the whole file, also after some rows were given.
    """
    suffix = os.path.splitext(path)[1].lower()  # noqa: PTH122
    with opened(path) as stream:
        lines = _Lines(stream)
        if suffix == ".csv":
            yield from _table(lines, _comma_separated, how)
        elif suffix == ".tsv":
            # By its registration (IANA, text/tab-separated-values) a TSV file knows no quotes.
            yield from _table(lines, _tab_separated, how)
        else:
            yield from _by_line(lines, _object if suffix == ".jsonl" else _line, how)


class _RowError(MediaError):
    """One row is wrong; the file goes on."""


class _Lines:
    """The lines of a stream, each with its end. Bytes that are no UTF-8 become surrogates, for the row to be told."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.number = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._stream.readline(MAX_TEXT_BYTES + 1)
        if not line:
            raise StopIteration
        self.number += 1
        if self.number == 1:
            line = without_mark(line)
        if len(line) > MAX_TEXT_BYTES:
            while line and not line.endswith(b"\n"):
                line = self._stream.readline(MAX_TEXT_BYTES)
            raise _RowError(f"a line over the limit of {MAX_TEXT_BYTES // 2**20} MiB")
        return line.decode("utf-8", "surrogateescape")


def _comma_separated(lines: _Lines) -> Iterator[list[str]]:
    first = next(lines, "")
    return csv.reader(chain([first] if first else [], lines), strict=True, delimiter=delimiter(first))


def _tab_separated(lines: _Lines) -> Iterator[list[str]]:
    return csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)


def _table(lines: _Lines, reading: Callable[[_Lines], Iterator[list[str]]], how: Reading) -> Iterator[TextRow | BadRow]:
    try:
        reader = reading(lines)
        layout = _Layout.of(next(reader, None), how)
    except (_RowError, csv.Error) as error:
        raise MediaError(f"line 1: {error}") from error
    number = 0
    while True:
        first = lines.number + 1
        try:
            fields = next(reader, None)
            if fields is None:
                return
            if not fields:
                continue
            row: TextRow | BadRow = layout.row(fields, number + 1, first)
        except (_RowError, csv.Error) as error:
            row = BadRow(first, _told(error, first, lines.number))
        number += 1
        yield row


def _told(error: MediaError | csv.Error, first: int, last: int) -> str:
    """The reason why a row could not be read; a quote that is not closed takes the lines that follow with it."""
    reason = _printable(str(error))
    if reason == "unexpected end of data" or reason.startswith("field larger than"):
        reason = f"a quote is not closed, or a field is over {csv.field_size_limit():,} characters"
    return f"{reason} (lines {first:,} to {last:,})" if last > first and reason != NO_TEXT else reason


def _printable(reason: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in reason)


@dataclass(frozen=True, slots=True)
class _Layout:
    """Which field of a row holds what, by position."""

    count: int
    text: int
    id: int | None
    label: int | None
    others: tuple[tuple[str, int], ...]

    @classmethod
    def of(cls, names: Sequence[str] | None, how: Reading) -> _Layout:
        """The layout under these names. Raises MediaError for a column that is not there, or there twice."""
        if not names:
            raise MediaError("empty file" if names is None else "no names of columns in line 1")
        _check_utf8(names)
        twice = [name for name, count in Counter(names).items() if name and count > 1]
        if twice:
            raise MediaError(f"two columns are named {twice[0]!r}")
        text = _position(names, how.text or "text", "--text-column")
        key = _position(names, how.id, "--id-column") if how.id else names.index("id") if "id" in names else None
        label = _position(names, how.label, "--label-column") if how.label else None
        # A column without a name is what a trailing comma makes.
        others = tuple((name, place) for place, name in enumerate(names) if name and place not in (text, key, label))
        return cls(len(names), text, key, label, others)

    def row(self, fields: Sequence[str], number: int, line: int) -> TextRow:
        """The row in these fields. Raises MediaError."""
        if len(fields) != self.count:
            raise _RowError(f"{len(fields)} fields instead of {self.count}")
        _check_utf8(fields)
        key = str(number) if self.id is None else fields[self.id]
        label = (fields[self.label] or None) if self.label is not None else None
        return _checked(
            TextRow(key, fields[self.text], line, label, {name: fields[place] for name, place in self.others})
        )


def _position(names: Sequence[str], name: str, option: str) -> int:
    if name not in names:
        raise MediaError(f"no column {name!r} ({option}); the columns are {', '.join(names)}")
    return names.index(name)


def _check_utf8(fields: Sequence[str], reason: str = "not UTF-8; save the file as UTF-8") -> None:
    for content in fields:
        if not content.isascii():
            try:
                content.encode()
            except UnicodeEncodeError as error:
                raise _RowError(reason) from error


def _checked(row: TextRow) -> TextRow:
    if not row.text.strip():
        raise _RowError(NO_TEXT)
    if not row.key:
        raise _RowError("no id")
    return row


def _by_line(lines: _Lines, parse: Callable[[str, int, Reading], TextRow], how: Reading) -> Iterator[TextRow | BadRow]:
    while True:
        try:
            content = next(lines, None)
            if content is None:
                return
            if not content.strip():
                continue
            row: TextRow | BadRow = parse(content, lines.number, how)
        except _RowError as error:
            row = BadRow(lines.number, _printable(str(error)))
        yield row


def _line(content: str, line: int, how: Reading) -> TextRow:
    del how
    _check_utf8([content])
    return TextRow(str(line), content.rstrip("\r\n"), line)


def _object(content: str, line: int, how: Reading) -> TextRow:
    _check_utf8([content])
    document = _parsed(content)
    name, key, label = how.text or "text", how.id or "id", how.label
    if name not in document:
        raise _RowError(f"no field {name!r} (--text-column); it has {', '.join(document) or 'none'}")
    text = document.pop(name)
    if not (text is None or isinstance(text, str)):
        raise _RowError(f"{name!r} is no text but {json.dumps(text)[:40]}")
    given = document.pop(key, "" if how.id else line)
    marked = document.pop(label, None) if label else None
    row = TextRow(_as_word(key, given), text or "", line, _as_word(label or "", marked) or None, document)
    _check_utf8([row.key, row.text, row.label or ""], "half of a character (a lone surrogate) in a text")
    return _checked(row)


def _parsed(content: str) -> dict[str, JSONValue]:
    try:
        document = json.loads(content.strip(), parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise _RowError(f"not JSON ({error.msg} in column {error.colno})") from error
    except (ValueError, RecursionError) as error:
        raise _RowError(f"not JSON ({error})") from error
    if not isinstance(document, dict):
        raise _RowError(f"not a JSON object but {content.strip()[:40]}")
    return document


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number in JSON")


def _as_word(name: str, value: JSONValue) -> str:
    """An id or a label as text; "" for none."""
    if value is None:
        return ""
    if isinstance(value, (str, int, float)):
        return json.dumps(value) if isinstance(value, bool) else str(value)
    raise _RowError(f"{name!r} is no text or number but {json.dumps(value)[:40]}")
