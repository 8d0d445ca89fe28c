"""Printing of results and messages: for people by default, one JSON object per line with --json."""

from __future__ import annotations

import json
import math
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from simsearch.errors import UsageError
from simsearch.progress import Bar, Progress, Silent

if TYPE_CHECKING:
    from simsearch.types import Item, Match, Remark, Skip

LISTED = 20
"""Maximum number of files that are listed one by one for the same reason."""
MINIMUM_WIDTH = 40
"""Minimum number of characters of a text that are shown, however narrow the terminal."""


def shown(text: str) -> str:
    """The text with control and undecodable characters escaped, so that a name stays on its line."""
    return "".join(c if c.isprintable() and not "\ud800" <= c <= "\udfff" else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def print_status(text: str) -> None:
    """Prints a line on standard error."""
    click.echo(shown(text), err=True)


def print_line(text: str) -> None:
    """Prints a line on standard output."""
    click.echo(shown(text))


def print_json(record: Mapping[str, object]) -> None:
    """Prints a JSON object on a line, characters outside ASCII escaped, so that any file name survives any terminal.

    A number that is not finite, which JSON has no word for, is null.
    """
    click.echo(json.dumps(_finite(record), allow_nan=False))


def _finite(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    return [_finite(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def wants_json() -> bool:
    """Whether --json is among the arguments of this program, also where they cannot be parsed."""
    given = sys.argv[1:]
    return "--json" in (given[: given.index("--")] if "--" in given else given)


def print_failure(message: str, notes: Sequence[str] = ()) -> None:
    """Prints why the command failed on standard error, and with --json an object on standard output too."""
    print_status(f"Error: {message}")
    for note in notes:
        print_status(f"  {note}")
    if wants_json():
        print_json({"error": "\n".join([message, *notes])})


def counted(number: int, thing: str, things: str | None = None) -> str:
    """As "1 item", "2,000 items", or with the plural `things`."""
    return f"{number:,} {thing if number == 1 else things or f'{thing}s'}"


def progress(quiet: bool) -> Progress:
    return Silent() if quiet else Bar()


def print_skipped(skipped: Sequence[Skip]) -> None:
    """Prints the skipped files and why, on standard error; of many for one reason the first and their number."""
    by_reason: dict[str, list[Skip]] = {}
    for skip in skipped:
        by_reason.setdefault(skip.reason, []).append(skip)
    for reason, skips in by_reason.items():
        if len(skips) > LISTED:
            print_status(f"skipped {skips[0].path} and {len(skips) - 1:,} more: {reason}")
        else:
            for skip in skips:
                print_status(f"skipped {skip.path}: {skip.reason}")


def print_remarks(remarks: Sequence[Remark]) -> None:
    """Prints what is remarkable about stored items, on standard error, as `print_skipped` does."""
    by_text: dict[str, list[Remark]] = {}
    for remark in remarks:
        by_text.setdefault(remark.text, []).append(remark)
    for text, same in by_text.items():
        number = sum(remark.count for remark in same)
        if number > LISTED:
            print_status(f"{same[0].path} and {number - 1:,} more: {text}")
        else:
            for remark in same:
                print_status(f"{remark.path}: {text}")


def print_unanswered(query: Skip, as_json: bool) -> None:
    """Prints why a query cannot be answered, on standard error, and with --json as an object in its place."""
    print_skipped([query])
    if as_json:
        print_json({"query": query.path, "error": query.reason})


def match_record(query: str, match: Match, score_kind: str) -> dict[str, object]:
    """The JSON record of a match."""
    item = match.item
    return {
        "query": query,
        "rank": match.rank,
        "score": round(match.score, 6),
        "score_kind": score_kind,
        "id": item.id,
        "path": item.uri,
        "label": item.label,
        "metadata": dict(item.metadata),
        "text": item.text,
        "problem": item.problem,
        "copies": match.copies,
    }


def item_record(item: Item) -> dict[str, object]:
    """The JSON record of an item."""
    return {
        "id": item.id,
        "path": item.uri,
        "label": item.label,
        "size": item.size,
        "mtime_ns": item.mtime_ns,
        "metadata": dict(item.metadata),
        "text": item.text,
        "problem": item.problem,
    }


def on_a_line(text: str, width: int = 200) -> str:
    """The text on one line, truncated with … to `width` characters."""
    if len(text) <= width and text.isprintable():
        return text
    # Texts can be long: what is truncated is not processed.
    words = " ".join(text[: 4 * width].split())
    return words if len(words) <= width and len(text) <= 4 * width else f"{words[: width - 1]}…"


def print_table(rows: Sequence[Sequence[object]], right: Sequence[int] = (), *, shortened: bool = False) -> None:
    """Prints rows in columns as wide as their contents; the columns in `right` are aligned to the right.

    With `shortened` the last column is truncated so that each row fits on a line of the terminal.
    """
    if shortened:
        used = max(sum(len(shown(str(cell))) + 2 for cell in row[:-1]) for row in rows)
        room = max(MINIMUM_WIDTH, shutil.get_terminal_size().columns - used - 1)
        rows = [(*row[:-1], on_a_line(str(row[-1]), room)) for row in rows]
    cells = [[shown(str(cell)) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        line = [
            cell.rjust(width) if number in right else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        click.echo("  ".join(line).rstrip())


def read_standard_input() -> bytes:
    """All of standard input. Raises UsageError when the program was started without one."""
    if sys.stdin is None:
        raise UsageError("- stands for standard input, which is closed")
    return sys.stdin.buffer.read()
