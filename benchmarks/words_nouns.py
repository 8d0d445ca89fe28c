"""The nouns of WordNet 3.0, read from data.noun, index.noun, cntlist.rev and noun.exc."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

UP = ("@", "@i")
INSTANCE = "@i"
PHYSICAL = "00001930"
NUMBERS = frozenset(
    ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "dozen", "hundred",
     "several", "many")
)  # fmt: skip
"""Not in the vocabulary, so that queries for a number of things are reported as not understood."""
MODERN = {
    "smartphone": "cellular telephone", "cellphone": "cellular telephone", "hoodie": "sweatshirt",
    "tshirt": "t-shirt", "tee": "t-shirt", "longsleeve": "jersey", "outerwear": "overgarment", "outwear": "overgarment",
    "trainers": "gym shoe", "sneaker": "gym shoe", "flipflops": "sandal", "webcam": "camera", "headphone": "earphone",
    "headset": "earphone", "kitty": "kitten", "doggy": "dog", "bunny": "rabbit", "suv": "sport utility",
    "motorbike": "motorcycle", "lorry": "truck", "touchscreen": "monitor", "videogame": "joystick",
    "veggie": "vegetable",
}  # fmt: skip
"""Words that WordNet 3.0 does not have, with their synonyms there."""


@dataclass(frozen=True, slots=True)
class Noun:
    """One meaning: its names, what it is a kind of (offsets), whether it is one single thing, and its gloss."""

    names: tuple[str, ...]
    above: tuple[str, ...]
    single: bool
    gloss: str


class Nouns:
    """All meanings by their offset, which is the number in ImageNet's class identifiers (n02084071)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.of: dict[str, Noun] = {}
        for line in _lines(folder / "data.noun"):
            offset, noun = _noun(line)
            self.of[offset] = noun
        self.senses = dict(_senses(line) for line in _lines(folder / "index.noun"))
        self._above: dict[str, frozenset[str]] = {}

    def above(self, offset: str) -> frozenset[str]:
        """The meaning and all that it is a kind of."""
        if offset not in self._above:
            upper = (self.above(each) for each in self.of[offset].above)
            self._above[offset] = frozenset({offset}).union(*upper)
        return self._above[offset]

    @cached_property
    def information(self) -> Mapping[str, float]:
        """-log of the share of meanings that are of this kind (Resnik 1995, here of meanings and not of uses)."""
        below = Counter(each for offset in self.of for each in self.above(offset))
        return {offset: -math.log(count / len(self.of)) for offset, count in below.items()}

    @cached_property
    def uses(self) -> Mapping[tuple[str, str], int]:
        """How often a name was found to have a meaning in WordNet's tagged texts."""
        found: Counter[tuple[str, str]] = Counter()
        for line in _lines(self.folder / "cntlist.rev"):
            key, number, count = line.split()
            name, _, rest = key.replace("_", " ").partition("%")
            meanings = self.senses.get(name, ())
            if rest.startswith("1:") and int(number) <= len(meanings):
                found[name, meanings[int(number) - 1]] += int(count)
        return found

    @cached_property
    def irregular(self) -> Mapping[str, Sequence[str]]:
        """Plurals that do not end in s, by their singular."""
        found: dict[str, list[str]] = defaultdict(list)
        for line in _lines(self.folder / "noun.exc"):
            plural, *singulars = line.split()
            for singular in singulars:
                found[singular].append(plural)
        return found

    def features(self, offset: str) -> dict[str, float]:
        """A number for each kind that it is of, so that the cosine of two meanings tells how much they share: the
        fourth root of what the kind says beyond the kinds above it, as the square is halved again."""
        gains = {
            each: self.information[each] - max((self.information[up] for up in self.of[each].above), default=0.0)
            for each in sorted(self.above(offset))
        }
        return {each: max(gain, 0.0) ** 0.25 for each, gain in gains.items()}


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="latin-1").splitlines() if line and not line.startswith("  ")]


def _noun(line: str) -> tuple[str, Noun]:
    head, _, gloss = line.partition(" | ")
    parts = head.split(" ")
    end = 4 + 2 * int(parts[3], 16)
    names = tuple(name.replace("_", " ") for name in parts[4:end:2])
    pointers = [parts[end + 1 + 4 * i : end + 3 + 4 * i] for i in range(int(parts[end]))]
    above = tuple(offset for kind, offset in pointers if kind in UP)
    single = any(kind == INSTANCE for kind, _ in pointers)
    return parts[0], Noun(names, above, single, gloss.split('; "')[0].strip())


def _senses(line: str) -> tuple[str, tuple[str, ...]]:
    parts = line.split()
    return parts[0].replace("_", " "), tuple(parts[-int(parts[2]) :])
