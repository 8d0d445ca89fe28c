"""Texts on a page: the kept text, and another with the words marked that differ from it."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

from simsearch.duplicates.report.names import shown
from simsearch.media.files import read_head

LONGEST = 2_000
"""Letters of a text that are shown."""
_PARTS = re.compile(r"\w+|\s+|[^\w\s]")


def read_text(path: str) -> str:
    """The beginning of the text in a file. Raises MediaError where it cannot be read."""
    # A letter has at most four bytes, and one may be cut at the end.
    text = read_head(path, 4 * LONGEST + 4).decode("utf-8-sig", "replace")
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"


def quoted(text: str) -> str:
    return f"<blockquote>{_lines(text)}</blockquote>"


def compared(kept: str, other: str) -> str:
    """The other text: what only it has is marked as inserted, what only the kept one has as deleted."""
    ours, theirs = _PARTS.findall(kept), _PARTS.findall(other)
    pieces = []
    for what, a, b, c, d in SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
        gone, new = _lines("".join(ours[a:b])), _lines("".join(theirs[c:d]))
        if what == "equal":
            pieces.append(new)
            continue
        pieces += [f"<del>{gone}</del>" if gone else "", f"<ins>{new}</ins>" if new else ""]
    return f"<blockquote>{''.join(pieces)}</blockquote>"


def _lines(text: str) -> str:
    return "\n".join(shown(line) for line in text.replace("\r\n", "\n").replace("\t", " ").split("\n"))
