"""Which index: by the number of vectors, their dimension, the memory that may be used and the recall that is wanted."""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING

from simsearch.errors import DamagedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simsearch.types import JSONValue

KINDS = ("flat", "lists")
DEFAULT_RECALL = 0.99
FLAT_NUMBERS = 1 << 22
"""Up to so many numbers (vectors x dimension) every vector is compared: that is exact, and fast enough."""
FEWEST = 4096
"""Of fewer vectors than this, lists would have no rows to be trained on."""
LISTS_OF = 4.0
"""Lists by the square root of the number of vectors, rounded to a power of two."""
ROWS_OF_LIST = 40
"""Vectors of a list on average, at least."""
MOST_LISTS = 65_536
ID_BYTES = 8
SAMPLE = 40
"""Vectors that lists are trained on, for each of them; FAISS asks for 39 or more."""
CARRYING, TRAINING = 2, 1.5
"""Lists are in memory and in what is written of them; training takes its sample and half as much again."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a collection is to keep to: recall@10, and bytes of memory while building and searching, or None."""

    recall: float = DEFAULT_RECALL
    memory: int | None = None

    def __post_init__(self) -> None:
        if not 0.5 <= self.recall <= 1.0:
            raise UsageError(f"a recall of {self.recall} cannot be aimed at; give one from 0.5 to 1")
        if self.memory is not None and self.memory < 1 << 20:
            raise UsageError(f"{self.memory} bytes of memory are too few; give 1MB or more")


@dataclass(frozen=True, slots=True)
class Design:
    """What an index is, and why.

    `kind` is "flat", which compares with every vector, or "lists". Of lists: the code of their vectors, how many lists
    there are, how many of them are read (`probes`), how many candidates are scored for each neighbor (`factor`), the
    score below which a query is far from all lists (`near`), how many vectors there were when they were trained, and
    the recall that they were tuned for.
    """

    kind: str
    code: str = ""
    lists: int = 0
    probes: int = 0
    factor: int = 0
    near: float = -1.0
    trained: int = 0
    target: float = 1.0
    reason: str = ""

    def document(self) -> dict[str, JSONValue]:
        return asdict(self)


def design_of(document: Mapping[str, JSONValue]) -> Design:
    """The design that a manifest records. Raises DamagedError for what is none."""
    try:
        design = Design(**document)  # type: ignore[arg-type]
    except TypeError as error:
        raise DamagedError(f"the manifest records no kind of index ({error})") from error
    for field in fields(Design):
        value = getattr(design, field.name)
        if type(value).__name__ != field.type:
            raise DamagedError(f"the manifest records {field.name} as {value!r}, which is not of type {field.type}")
    if design.kind not in KINDS:
        raise DamagedError(f"the manifest records an index of kind {design.kind!r}, which this simsearch does not read")
    return design


_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


def memory_of(given: int | str) -> int | None:
    """The bytes that "2GB", "500MB", "1.5GiB" or a number mean; None for "any"."""
    written = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*", str(given))
    if str(given).strip().lower() == "any":
        return None
    if written is None or written[2].upper() not in _UNITS:
        raise UsageError(f"{given!r} is no amount of memory; give one such as 500MB or 2GB, or any")
    return int(float(written[1]) * _UNITS[written[2].upper()])


def chosen(count: int, dim: int, wish: Wish) -> Design:
    """The index for so many vectors; its lists are not trained and tuned yet."""
    if wish.recall >= 1.0:
        return Design("flat", reason="a recall of 1 is wanted, so a query is compared with every vector")
    if count * dim <= FLAT_NUMBERS or count < FEWEST:
        return Design("flat", reason=f"comparing with each of {count:,} vectors is exact and fast")
    lists = lists_for(count)
    codes = fitting(count, dim, wish)
    if codes:
        size = count * (_bytes_of(codes[0], dim) + ID_BYTES) / 1e6
        reason = f"for {count:,} vectors, codes of {size:,.0f} MB"
        return Design("lists", codes[0], lists, target=wish.recall, reason=reason)
    assert wish.memory is not None
    smallest = min(_needed(code, count, dim) for code in _codes(dim)) / 1e6
    return Design("flat", reason=f"making lists takes {smallest:,.0f} MB, and {wish.memory / 1e6:,.0f} MB may be used")


def lists_for(count: int) -> int:
    """How many lists so many vectors get."""
    return int(2 ** int(math.log2(min(MOST_LISTS, LISTS_OF * math.sqrt(2 * count), max(2, count / ROWS_OF_LIST)))))


def fitting(count: int, dim: int, wish: Wish) -> tuple[str, ...]:
    """The codes that the memory allows, the fastest first; a later one is more exact."""
    return tuple(code for code in _codes(dim) if wish.memory is None or _needed(code, count, dim) <= wish.memory)


def _codes(dim: int) -> tuple[str, ...]:
    return ("pq4", "sq8") if dim % 2 == 0 else ("sq8",)


def _bytes_of(code: str, dim: int) -> int:
    """The bytes of a vector's code: four bits for each pair of numbers, or eight for each number."""
    return (dim + 3) // 4 if code == "pq4" else dim


def _needed(code: str, count: int, dim: int) -> int:
    """The bytes of memory that making lists takes."""
    lists = lists_for(count)
    codes, sample = count * (_bytes_of(code, dim) + ID_BYTES), min(count, SAMPLE * lists) * dim * 4
    return lists * dim * 4 + max(CARRYING * codes, int(TRAINING * sample))
