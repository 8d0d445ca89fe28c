"""The reader of tables: CSV, TSV, JSON Lines and JSON arrays, in any encoding."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from simsearch.errors import MediaError
from simsearch.media.delimited import delimited_table
from simsearch.media.files import opened
from simsearch.media.json_rows import MAX_ARRAY, json_array, json_lines
from simsearch.media.lines import Lines
from simsearch.media.rows import BadRow, Row

TABLE_SUFFIXES = frozenset((".csv", ".tsv", ".tab", ".jsonl", ".ndjson", ".json"))


@dataclass(frozen=True, slots=True)
class Table:
    """The columns, or None for JSON, whose rows name their own, and an iterator over the rows."""

    columns: tuple[str, ...] | None
    rows: Iterator[Row | BadRow]


def suffix_of(path: str | os.PathLike[str]) -> str:
    """The suffix of a file's name in lower case."""
    return os.path.splitext(path)[1].lower()  # noqa: PTH122


@contextmanager
def open_table(
    path: str | os.PathLike[str], *, encoding: str | None = None, names: Sequence[str] = ()
) -> Iterator[Table]:
    """The table in a file: JSON Lines in .jsonl and .ndjson, a JSON array in .json, cells between tabs in .tsv, .tab
    and .txt, CSV in any other.

    Streams: holds a row at a time, but for a JSON array, which may have 64 MiB. What is wrong with one row comes as a
    BadRow, and the next row follows. `names` are the columns of a file without a header. Raises MediaError with the
    reason alone for what is wrong with the whole file, also after some rows were given.
    """
    suffix = suffix_of(path)
    if names and suffix in (".jsonl", ".ndjson", ".json"):
        raise MediaError("the rows of JSON name their columns; give --columns ROLE=NAME,...")
    with opened(path) as stream:
        if suffix == ".json":
            content = stream.read(MAX_ARRAY + 1)
            if len(content) > MAX_ARRAY:
                raise MediaError(f"over the limit of {MAX_ARRAY // 2**20} MiB for a JSON array; .jsonl has no limit")
            yield Table(None, json_array(content, encoding))
        elif suffix in (".jsonl", ".ndjson"):
            yield Table(None, json_lines(Lines(stream, encoding)))
        else:
            tabs = suffix in (".tsv", ".tab", ".txt")
            yield Table(*delimited_table(Lines(stream, encoding, quoted=not tabs), names, tabs=tabs))


def shown(columns: Sequence[str]) -> str:
    """Names of columns for a message, on one line and truncated to 200 characters."""
    names = (" ".join(name.split()) for name in columns)
    clean = ", ".join("".join(letter for letter in name if letter.isprintable()) for name in names)
    return clean if len(clean) <= 200 else f"{clean[:199]}…"
