"""Texts with ids, labels and metadata: the rows of a table, or the lines of another text file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, astuple, dataclass, field, replace
from typing import TYPE_CHECKING

from simsearch.errors import MediaError, UsageError
from simsearch.media.encodings import check_encoding
from simsearch.media.lines import read_lines
from simsearch.media.rows import NO_TEXT, BadRow, Row, RowError, is_missing, printable
from simsearch.media.tables import TABLE_SUFFIXES, open_table, shown, suffix_of
from simsearch.media.texts import MOST_OVERLAP, paragraphs

if TYPE_CHECKING:
    from simsearch.types import Metadata


@dataclass(frozen=True, slots=True)
class Reading:
    """How files become items. None keeps an earlier setting, or is the default.

    `by` is "file" (the default), "line" or "paragraph" for files that are no tables. Of a table `text` is the column
    with the text (default: text), `id` the one with the id (default: id where there is one, else rows are numbered) and
    `label` the one with the label (default: none). `encoding` is that of files without a byte order mark (default:
    UTF-8), `overlap` the number of words that the parts of a long paragraph share. Raises UsageError for other values.
    """

    by: str | None = None
    text: str | None = None
    id: str | None = None
    label: str | None = None
    encoding: str | None = None
    overlap: int | None = None

    def __post_init__(self) -> None:
        if self.by not in (None, "file", "line", "paragraph"):
            raise UsageError(f"by must be 'file', 'line' or 'paragraph', not {self.by!r}")
        if self.overlap is not None and not 0 <= self.overlap <= MOST_OVERLAP:
            raise UsageError(f"an overlap of {self.overlap} words: must be from 0 to {MOST_OVERLAP}")
        check_encoding(self.encoding)

    @classmethod
    def unpacked(cls, packed: str | None) -> Reading:
        """The inverse of `packed`; no settings for an empty text."""
        return cls(**json.loads(packed)) if packed else cls()

    def packed(self) -> str:
        """The settings as JSON, without encoding and overlap if none is given, as older versions wrote them."""
        older = {"by": self.by, "text": self.text, "id": self.id, "label": self.label}
        newer = {"encoding": self.encoding, "overlap": self.overlap}
        return json.dumps(older | {name: value for name, value in newer.items() if value is not None})

    def given(self) -> dict[str, str]:
        """The given settings by name."""
        return {name: str(value) for name, value in asdict(self).items() if value is not None}

    def over(self, before: Reading) -> Reading:
        """These settings, with the earlier ones where these are None."""
        return Reading(
            *(mine if mine is not None else theirs for mine, theirs in zip(astuple(self), astuple(before), strict=True))
        )

    def of_rows(self, path: str) -> Reading | None:
        """The settings that affect a file that is read row by row; None for one that is a single text."""
        if suffix_of(path) in TABLE_SUFFIXES:
            return replace(self, by=None, overlap=None)
        if self.by == "paragraph":
            return Reading(by=self.by, encoding=self.encoding, overlap=self.overlap)
        return Reading(by="line", encoding=self.encoding) if self.by == "line" else None


@dataclass(frozen=True, slots=True)
class TextRow:
    """One text of a file, which begins in `line`. `key` is unique in the file: its id, or else its number."""

    key: str
    text: str
    line: int
    label: str | None = None
    metadata: Metadata = field(default_factory=dict)


def read_rows(path: str, how: Reading) -> Iterator[TextRow | BadRow]:
    """The rows of a table, or the lines that are not blank, or paragraphs, of a file without the suffix of a table.

    Streams. What is wrong with one row comes as a BadRow, and the next row follows. Raises MediaError with the reason
    alone for what is wrong with the whole file, also after some rows were given.
    """
    if suffix_of(path) not in TABLE_SUFFIXES:
        yield from _of_lines(path, how)
        return
    with open_table(path, encoding=how.encoding) as table:
        if table.columns is not None:
            _check_columns(table.columns, how)
        for row in table.rows:
            if isinstance(row, BadRow):
                yield row
                continue
            try:
                yield _text_row(row, how)
            except RowError as error:
                yield BadRow(row.line, printable(str(error)))


def _of_lines(path: str, how: Reading) -> Iterator[TextRow | BadRow]:
    lines = read_lines(path, how.encoding)
    if how.by == "paragraph":
        for part in paragraphs(lines, how.overlap):
            yield part if isinstance(part, BadRow) else TextRow(*part)
        return
    for line in lines:
        if isinstance(line, BadRow):
            yield line
        elif line[1].strip():
            yield TextRow(str(line[0]), line[1], line[0])


def _check_columns(columns: Sequence[str], how: Reading) -> None:
    for name, option in ((how.text or "text", "text"), (how.id, "id"), (how.label, "label")):
        if name is not None and name not in columns:
            raise MediaError(f"no column {name!r} (--{option}-column); the columns are {shown(columns)}")


def _text_row(row: Row, how: Reading) -> TextRow:
    name, key = how.text or "text", how.id or "id"
    if row.values and name not in row.values:
        raise RowError(f"no field {name!r} (--text-column); it has {shown(list(row.values))}")
    text = row.text(name)
    if not text:
        raise RowError(NO_TEXT)
    number = row.text(key) if how.id or key in row.values else str(row.number)
    if not number:
        raise RowError("no id")
    label = row.text(how.label).strip() or None if how.label else None
    others = {
        column: value
        for column, value in row.values.items()
        if column not in (name, key, how.label) and not is_missing(value)
    }
    return TextRow(number, text, row.line, label, others)
