"""What stands in a plan, as text that is safe and readable in HTML."""

from __future__ import annotations

import os
from html import escape
from pathlib import Path

UNITS = ("bytes", "kB", "MB", "GB", "TB")


def shown(text: str) -> str:
    """The text for HTML: what cannot be seen (control characters, reversed writing, bytes of no encoding) is spelled
    out."""
    readable = os.fsencode(text).decode("utf-8", "backslashreplace") if _foreign(text) else text
    return escape("".join(c if c.isprintable() else f"\\u{{{ord(c):x}}}" for c in readable))


def path_shown(path: str, folders: tuple[str, ...]) -> str:
    """The path, from one of the folders on if it lies there, as a link to the file."""
    name = path
    for folder in folders:
        if Path(path).is_relative_to(folder) and path != folder:
            name = str(Path(path).relative_to(folder))
            break
    return f'<a href="{escape(Path(path).as_uri())}" title="{shown(path)}"><bdi>{shown(name)}</bdi></a>'


def size_shown(size: int) -> str:
    """A number of bytes, with three digits that count."""
    value, unit = float(size), 0
    while value >= 999.5 and unit < len(UNITS) - 1:
        value, unit = value / 1000, unit + 1
    digits = 0 if unit == 0 or value >= 99.95 else 1 if value >= 9.995 else 2
    return f"{value:.{digits}f} {UNITS[unit] if size != 1 else 'byte'}"


def counted(count: int, one: str, several: str | None = None) -> str:
    return f"{count:,} {one if count == 1 else several or one + 's'}"


def _foreign(text: str) -> bool:
    """Whether a name from the file system holds bytes of no encoding, which Python keeps as lone surrogates."""
    return any(0xDC80 <= ord(letter) <= 0xDCFF for letter in text)
