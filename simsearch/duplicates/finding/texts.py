"""Near duplicates of texts: what an embedding holds for the same must also agree in its words, numbers and names."""

from __future__ import annotations

import html
import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

TextKind: TypeAlias = Literal["exact", "normalized", "near"]

NORMALIZED = 0.999
"""The score of texts that differ in case, accents, punctuation or spaces alone."""
WORDS, COSINE = 0.5, 0.9
"""The least agreement of words and the least cosine of near duplicates: on 7,309 pairs of records of papers (1,327 of
them true) precision 0.986 and recall 0.996 with the encoder text. The cosine ranks pairs better than the words do."""
_ENOUGH = 3
"""Letters from which on one word may stand for another that it begins, or differ by one letter."""
_WORD = re.compile(r"[^\W_]+")
_CODE = re.compile(r"&\s*#\s*(\d+)\s*;")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


@dataclass(frozen=True, slots=True)
class TextPair:
    """The kind of a pair of texts, a score from 0 to 1, and in words what speaks against it (empty where nothing)."""

    kind: TextKind | None
    score: float
    reason: str = ""


def normalized(text: str) -> str:
    """The text in lower case, without accents and punctuation, single spaces between words."""
    plain = "".join(
        letter for letter in unicodedata.normalize("NFKD", _unescaped(text)) if not unicodedata.combining(letter)
    )
    return " ".join(_WORD.findall(plain.casefold()))


def numbers(text: str) -> Counter[str]:
    """The numbers in a text and how often each occurs; 1,000 and 1.000 are one, leading zeros are none."""
    found = (re.sub(r"[.,]", "", number).lstrip("0") or "0" for number in _NUMBER.findall(_unescaped(text)))
    return Counter(found)


def names(text: str) -> set[str]:
    """The words written with a capital letter other than at the beginning of the text, normalized."""
    words = [match.group() for match in _WORD.finditer(text)]
    capital = [word for word in words[1:] if word[0].isupper()]
    if 2 * len(capital) > len(words):
        return set()  # A title or a text in capitals: case says nothing.
    return {normalized(word) for word in capital}


def weights(texts: Iterable[str]) -> Mapping[str, float]:
    """For each word of the texts its inverse document frequency, log(1 + n / count)."""
    counts: Counter[str] = Counter()
    total = 0
    for text in texts:
        counts.update(set(normalized(text).split()))
        total += 1
    return {word: math.log(1 + total / count) for word, count in counts.items()}


def agreement(left: str, right: str, weigh: Mapping[str, float] | None = None) -> float:
    """The share of the words of both, weighted, that the other has too (Dice 1945): from 0 to 1.

    Abbreviated words and words with one other letter count as the same.
    """
    one, other = normalized(left).split(), normalized(right).split()
    if not one or not other:
        return 1.0 if one == other else 0.0
    found = sum(_found(words, rest, weigh) for words, rest in ((one, other), (other, one)))
    total = sum(_weight(word, weigh) for word in (*one, *other))
    return found / total


def compare(
    left: str, right: str, cosine: float, weigh: Mapping[str, float] | None = None, least: float = COSINE
) -> TextPair:
    """Whether two texts whose embeddings have this cosine are one: the same words, the same numbers and names.

    A number that only one of the two has speaks against it only if the other has another in its place: records often
    lack a year, but two years are two papers.
    """
    if left == right:
        return TextPair("exact", 1.0)
    if normalized(left) == normalized(right):
        return TextPair("normalized", NORMALIZED) if numbers(left) == numbers(right) else _refused(left, right)
    if _differ(numbers(left), numbers(right)):
        return _refused(left, right)
    ours, theirs = names(left), names(right)
    if _foreign(ours, right) and _foreign(theirs, left):
        return TextPair(None, 0.0, f"names differ: {_listed(ours - theirs)} and {_listed(theirs - ours)}")
    share = agreement(left, right, weigh)
    if share < WORDS or cosine < least:
        return TextPair(None, 0.0, f"{share:.0%} of the words agree, at a cosine of {cosine:.2f}")
    return TextPair("near", NORMALIZED * min(1.0, cosine))


def _unescaped(text: str) -> str:
    """The text with letters for their HTML codes: the number of a code is no number of the text."""
    return html.unescape(_CODE.sub(r"&#\1;", text)) if "&" in text else text


def _differ(one: Counter[str], other: Counter[str]) -> bool:
    return bool(one - other) and bool(other - one)


def _refused(left: str, right: str) -> TextPair:
    one, other = numbers(left), numbers(right)
    return TextPair(None, 0.0, f"numbers differ: {_listed(one - other)} and {_listed(other - one)}")


def _foreign(some: set[str], text: str) -> bool:
    """Whether the text lacks one of the names, also in small letters and abbreviated."""
    words = normalized(text).split()
    return any(not any(_alike(name, word) for word in words) for name in some)


def _found(words: Sequence[str], others: Sequence[str], weigh: Mapping[str, float] | None) -> float:
    rest, total = Counter(others), 0.0
    by_letter = defaultdict(list)
    for other in rest:
        by_letter[other[0]].append(other)
    for word in words:
        match = word if rest[word] else next((o for o in by_letter[word[0]] if rest[o] and _alike(word, o)), "")
        if match:
            rest[match] -= 1
            total += _weight(word, weigh)
    return total


def _alike(one: str, other: str) -> bool:
    """Whether the words are equal, the one abbreviates the other, or both differ by one letter; numbers never."""
    if one == other:
        return True
    if one.isdigit() or other.isdigit() or one[0] != other[0]:
        return False
    short, long = sorted((one, other), key=len)
    if long.startswith(short):
        return len(short) == 1 or len(short) >= _ENOUGH
    return len(short) > _ENOUGH and _one_edit(short, long)


def _one_edit(short: str, long: str) -> bool:
    """Whether one letter replaced, left out or swapped with its neighbor makes the one the other."""
    if len(long) - len(short) > 1:
        return False
    place = next((i for i, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    if len(short) < len(long):
        return short[place:] == long[place + 1 :]
    swapped = short[:place] + short[place : place + 2][::-1] + short[place + 2 :]
    return short[place + 1 :] == long[place + 1 :] or swapped == long


def _weight(word: str, weigh: Mapping[str, float] | None) -> float:
    return 1.0 if weigh is None else weigh.get(word, max(weigh.values(), default=1.0))


def _listed(words: Iterable[str]) -> str:
    return ", ".join(sorted(words)[:5]) or "none"
