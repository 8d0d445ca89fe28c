"""Values and patterns of the language, as the tree holds them."""

from __future__ import annotations

import math

from simsearch.where.tree import Wildcard

LARGEST = 2**63 - 1


def number_of(written: str) -> int | float | None:
    """The number that is written, a whole one beyond 64 bits as a fraction; None for what is no finite number."""
    try:
        whole = int(written)
    except ValueError:
        try:
            number = float(written)
        except ValueError:
            return None
        return number if math.isfinite(number) else None
    return whole if -LARGEST <= whole <= LARGEST else float(whole)


def like_pattern(written: str, escape: str | None) -> tuple[str | Wildcard, ...]:
    """The pattern of LIKE: % any characters, _ one; after the character `escape` each stands for itself.

    Raises ValueError for an escape character before nothing.
    """
    parts: list[str | Wildcard] = []
    letters = iter(written)
    for letter in letters:
        if letter == escape:
            following = next(letters, None)
            if following is None:
                raise ValueError(f"the pattern ends in its escape character {escape}")
            parts.append(following)
        else:
            parts.append({"%": Wildcard.ANY, "_": Wildcard.ONE}.get(letter, letter))
    return joined(parts)


def glob_pattern(written: str) -> tuple[str | Wildcard, ...]:
    """The pattern of GLOB as of a shell: * any characters, also slashes, ? one; there are no sets in brackets."""
    return joined([{"*": Wildcard.ANY, "?": Wildcard.ONE}.get(letter, letter) for letter in written])


def joined(parts: list[str | Wildcard]) -> tuple[str | Wildcard, ...]:
    """The same pattern with texts as long as possible, and no wildcard for any characters beside another."""
    whole: list[str | Wildcard] = []
    for part in parts:
        if whole and isinstance(part, str) and isinstance(whole[-1], str):
            whole[-1] += part
        elif not (whole and part is Wildcard.ANY and whole[-1] is Wildcard.ANY):
            whole.append(part)
    return tuple(whole)
