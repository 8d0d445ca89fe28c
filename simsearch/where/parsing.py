"""From the text of a filter to a tree."""

from __future__ import annotations

from simsearch.errors import UsageError
from simsearch.where.expressions import expression_of
from simsearch.where.reader import Reader
from simsearch.where.tree import Condition

LONGEST = 1_000_000
"""Characters of a filter, most of them values of an `in`."""


def parse(text: str) -> Condition:
    """The conditions that a filter states. Raises UsageError, with the place, for what the language has not.

    Names that are no field are keys of the metadata; whether there is such a key is not known here.
    """
    if not isinstance(text, str):
        raise UsageError(f"where is {text!r}; give a text as \"label = 'cat' and size > 1000\"")
    if not text.strip():
        raise UsageError("where is empty; give a condition as \"label = 'cat'\", or leave it out")
    if len(text) > LONGEST:
        raise UsageError(f"where has {len(text):,} characters; at most {LONGEST:,} are read")
    try:
        return Reader(text).condition(expression_of(text))
    except RecursionError:
        raise UsageError("where is nested too deeply; use fewer parentheses") from None
