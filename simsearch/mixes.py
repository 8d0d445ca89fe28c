"""Queries that are sums of others: `photo.png + 0.5*"red" - other.png`, and more like these, not like those."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from simsearch.errors import UsageError

QUERY, LIKE, UNLIKE = 1.0, 0.75, 0.25
"""The weights of a query, of what is like it and of what is not, for Rocchio's formula."""
_WEIGHT = re.compile(r"(\d+\.?\d*|\.\d+)\s*\*\s*")
_QUOTED = re.compile(r"\"((?:[^\"]|\"\")*)\"|'((?:[^']|'')*)'")
_PLAIN = re.compile(r"[^\s\"'+-]\S*")
_SIGN = re.compile(r"\s*([+-])\s+|\s*$")
CURE = 'write it as photo.png + 0.5*"red" - other.png, with spaces around + and -'


@dataclass(frozen=True, slots=True, eq=False)
class Mix:
    """A query whose vector is the sum of those of its terms, each times its weight, with length one.

    A term is whatever can be a query by itself. Scores are cosines with that sum: its terms are not found with 1, and
    sums of words and images have scores between those of the two.
    """

    terms: tuple[tuple[float, Any], ...]

    def __init__(self, terms: Iterable[tuple[float, Any]]) -> None:
        object.__setattr__(self, "terms", tuple(map(_checked, terms)))
        if not self.terms:
            raise UsageError(
                "a mix needs a term; give pairs of a weight and a query, as [(1, 'a.png'), (-0.5, 'b.png')]"
            )

    @classmethod
    def parse(cls, expression: str) -> Mix:
        """The sum that an expression states: terms with + or - between them, each perhaps with NUMBER* before it.

        A name with spaces, quotes or a sign at its beginning stands in double or single quotes, a quote in it doubled.
        """
        if not isinstance(expression, str):
            raise UsageError(f"the expression of a mix is a text, not {expression!r}; {CURE}")
        return cls(_terms(expression))

    @classmethod
    def of_examples(cls, like: Sequence[Any], unlike: Sequence[Any] = (), query: Any = None) -> Mix:
        """More like these, not like those: the query, plus 0.75 times the mean of `like`, minus 0.25 times that of
        `unlike` (Rocchio 1971; the weights are those of Salton and Buckley 1990).

        Each example is a vector of length one. Raises UsageError where there is nothing but `unlike`.
        """
        if query is None and not like:
            raise UsageError("there is nothing to be like; give a query or an example that is alike as well")
        terms = [] if query is None else [(QUERY, query)]
        terms += [(LIKE / len(like), example) for example in like]
        return cls([*terms, *((-UNLIKE / len(unlike), example) for example in unlike)])

    def __str__(self) -> str:
        words = []
        for number, (weight, source) in enumerate(self.terms):
            sign = "- " if weight < 0 else "+ " if number else ""
            factor = "" if abs(weight) == 1 else f"{abs(weight):.4g}*"
            words.append(f"{sign}{factor}{_name(source)}")
        return " ".join(words)


def _checked(term: Any) -> tuple[float, Any]:
    try:
        weight, source = term
        number = float(weight)
    except (TypeError, ValueError):
        raise UsageError(f"{term!r} is no term; give a pair of a weight and a query, as (0.5, 'a.png')") from None
    if not math.isfinite(number) or number == 0:
        raise UsageError(f"a term has the weight {weight}; give a number other than 0")
    return number, source


def _name(source: object) -> str:
    name = getattr(source, "uri", source)
    if not isinstance(name, str) and not hasattr(name, "__fspath__"):
        return "(given)"
    plain = str(name)
    return plain if _PLAIN.fullmatch(plain) and not _WEIGHT.match(plain) else '"' + plain.replace('"', '""') + '"'


def _terms(expression: str) -> list[tuple[float, str]]:
    terms, place = list[tuple[float, str]](), 0
    sign = _SIGN.match(expression)
    if sign is not None and sign[1] is not None:
        place = sign.end()
    while True:
        direction = -1.0 if sign is not None and sign[1] == "-" else 1.0
        weight, source, place = _term(expression, place)
        terms.append((direction * weight, source))
        sign = _SIGN.match(expression, place)
        if sign is None:
            raise _unreadable(expression, place)
        if sign[1] is None:
            return terms
        place = sign.end()


def _term(expression: str, place: int) -> tuple[float, str, int]:
    """The weight and name of the term that begins at a place, and where it ends."""
    while expression[place : place + 1].isspace():
        place += 1
    factor = _WEIGHT.match(expression, place)
    weight = 1.0 if factor is None else float(factor[1])
    place = place if factor is None else factor.end()
    quoted = _QUOTED.match(expression, place)
    if quoted is not None:
        double, single = quoted[1], quoted[2]
        name = double.replace('""', '"') if double is not None else single.replace("''", "'")
        return weight, name, quoted.end()
    plain = _PLAIN.match(expression, place)
    if plain is None:
        raise _unreadable(expression, place)
    return weight, plain[0], plain.end()


def _unreadable(expression: str, place: int) -> UsageError:
    rest = expression[place:].strip()
    what = f"at {rest[:40]!r}" if rest else "at its end, where a term is missing"
    return UsageError(f"the mix {expression[:80]!r} cannot be read {what}; {CURE}")
