"""Texts in files, and how files become texts: each as a whole, by its lines, or by the rows of a table."""

from __future__ import annotations

import codecs
import json
import os
from collections import Counter
from dataclasses import asdict, astuple, dataclass, field, replace
from typing import TYPE_CHECKING

from simsearch.errors import MediaError, UsageError
from simsearch.media.files import read_head
from simsearch.types import Skip

if TYPE_CHECKING:
    from simsearch.types import Metadata

TEXT_SUFFIXES = frozenset((".txt", ".md"))
TABLE_SUFFIXES = frozenset((".csv", ".tsv", ".jsonl"))
MAX_TEXT_BYTES = 4 * 2**20
LISTED_AT_MOST = 100
NO_TEXT = "no text"
_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"), (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"), (codecs.BOM_UTF16_BE, "UTF-16"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reading:
    """How files become items. None means that nothing was said: then what was said before holds, or the default.

    `by` is "file" (the default) or "line" for files that are no tables. Of a table `text` is the column with the
    text (default: text), `id` the one with the id (default: id where there is one, else rows are numbered) and
    `label` the one with the label (default: none). Raises UsageError for another `by`.
    """

    by: str | None = None
    text: str | None = None
    id: str | None = None
    label: str | None = None

    def __post_init__(self) -> None:
        if self.by not in (None, "file", "line"):
            raise UsageError(f"by {self.by!r}: 'file' or 'line' is possible")

    @classmethod
    def unpacked(cls, packed: str | None) -> Reading:
        """What `packed` gave; of nothing, that nothing was said."""
        return cls(**json.loads(packed)) if packed else cls()

    def packed(self) -> str:
        return json.dumps(asdict(self))

    def said(self) -> dict[str, str]:
        """What was said, by its name."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def over(self, before: Reading) -> Reading:
        """This, and where it says nothing, what was said before."""
        return Reading(
            *(mine if mine is not None else theirs for mine, theirs in zip(astuple(self), astuple(before), strict=True))
        )

    def of_rows(self, path: str) -> Reading | None:
        """What of this matters for a file that is read row by row; None for one that is a single text."""
        if os.path.splitext(path)[1].lower() in TABLE_SUFFIXES:  # noqa: PTH122
            return replace(self, by=None)
        return Reading(by="line") if self.by == "line" else None


@dataclass(frozen=True, slots=True)
class TextRow:
    """One text of a file, which begins in `line`. `key` tells it from the others: its id, or else its number."""

    key: str
    text: str
    line: int
    label: str | None = None
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that holds no item, and why."""

    line: int
    reason: str


class BadRows:
    """The rows of a file that were left out: the first 100 one by one, the others and those without text counted."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._listed: list[BadRow] = []
        self._first: dict[str, int] = {}
        self._counts: Counter[str] = Counter()

    def add(self, bad: BadRow) -> None:
        if bad.reason != NO_TEXT and len(self._listed) < LISTED_AT_MOST:
            self._listed.append(bad)
            return
        kind = NO_TEXT if bad.reason == NO_TEXT else "left out for reasons like those"
        self._first.setdefault(kind, bad.line)
        self._counts[kind] += 1

    def listed(self) -> list[Skip]:
        """What was left out, by rising line."""
        rows = [(bad.line, bad.reason, 1) for bad in self._listed]
        for kind, number in self._counts.items():
            rows.append((self._first[kind], f"{kind}; {number:,} rows in all" if number > 1 else kind, number))
        return [Skip(f"{self._path}:{line}", reason, number) for line, reason, number in sorted(rows)]


def decode_text(content: bytes) -> str:
    """The text in at most 4 MiB of UTF-8, without a byte order mark, otherwise unchanged.

    Raises MediaError with the reason.
    """
    if len(content) > MAX_TEXT_BYTES:
        raise MediaError(f"over the limit of {MAX_TEXT_BYTES // 2**20} MiB for one text; --by line takes each line")
    content = without_mark(content)
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise MediaError(
            f"not UTF-8 (byte {content[error.start]:#04x} at {error.start:,}); save it as UTF-8"
        ) from error
    if not text.strip():
        raise MediaError(NO_TEXT if content else "empty file")
    return text


def read_text_bytes(path: str | os.PathLike[str]) -> bytes:
    """What `decode_text` takes, of a file; no more than it needs to see that it is too long. Raises MediaError."""
    return read_head(path, MAX_TEXT_BYTES + 1)


def without_mark(head: bytes) -> bytes:
    """The bytes without the mark of UTF-8. Raises MediaError when they begin with that of another encoding."""
    for mark, name in _MARKS:
        if head.startswith(mark):
            raise MediaError(f"{name}, not UTF-8; save it as UTF-8")
    return head.removeprefix(codecs.BOM_UTF8)
