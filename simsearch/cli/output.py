"""What the commands print: for people by default, one JSON object a line with --json."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from simsearch.errors import UsageError
from simsearch.progress import Bar, Progress, Silent

if TYPE_CHECKING:
    from simsearch.types import Match, Skip

LEAST_ROOM = 40
"""Letters of a text that are shown however narrow the terminal is."""


def shown(text: str) -> str:
    """The text with control and undecodable characters escaped, so that a name stays on its line."""
    return "".join(c if c.isprintable() and not "\ud800" <= c <= "\udfff" else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def tell(text: str) -> None:
    """A line on standard error."""
    click.echo(shown(text), err=True)


def say(text: str) -> None:
    """A line on standard output."""
    click.echo(shown(text))


def say_json(record: Mapping[str, object]) -> None:
    """One JSON object on a line; characters outside ASCII are escaped, so any file name survives any terminal."""
    click.echo(json.dumps(record))


def counted(number: int, thing: str) -> str:
    """As "1 item", "2,000 items"."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def progress(quiet: bool) -> Progress:
    return Silent() if quiet else Bar()


def tell_skipped(skipped: Sequence[Skip]) -> None:
    """Every file that was left out with its reason, on standard error."""
    for skip in skipped:
        tell(f"skipped {skip.path}: {skip.reason}")


def skip_records(skipped: Sequence[Skip]) -> list[dict[str, object]]:
    """What was left out as programs get it."""
    return [{"path": skip.path, "reason": skip.reason} for skip in skipped]


def match_record(query: str, match: Match, score_kind: str) -> dict[str, object]:
    """A match as programs get it."""
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
    }


def on_a_line(text: str, width: int = 200) -> str:
    """The text on one line, cut with … where it is longer than `width`."""
    if len(text) <= width and text.isprintable():
        return text
    # Texts can be long: what is cut off is not looked at.
    words = " ".join(text[: 4 * width].split())
    return words if len(words) <= width and len(text) <= 4 * width else f"{words[: width - 1]}…"


def table(rows: Sequence[Sequence[object]], right: Sequence[int] = (), *, shortened: bool = False) -> None:
    """Rows in columns as wide as their contents; the columns in `right` are aligned to the right.

    With `shortened` the last column is cut so that each row stays on a line of the terminal.
    """
    if shortened:
        used = max(sum(len(shown(str(cell))) + 2 for cell in row[:-1]) for row in rows)
        room = max(LEAST_ROOM, shutil.get_terminal_size().columns - used - 1)
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
