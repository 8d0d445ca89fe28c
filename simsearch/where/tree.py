"""Conditions on items as a tree, which each engine compiles into a query of its own.

Logic has three values, as in SQL. A comparison with a missing or null value is unknown; so are its negation, an `and`
with it that is not false for another part, and an `or` with it that is not true for another part. Only items for which
the whole is true match. Values of different types are different: no comparison of them but != is true, and none is
unknown. Numbers are compared by value, whole or not; booleans are no numbers. Texts are compared by code points.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Literal, TypeAlias

Value: TypeAlias = "str | int | float | bool"
Operator: TypeAlias = Literal["=", "!=", "<", "<=", ">", ">="]


class Kind(Enum):
    """What a field holds."""

    TEXT = "text"
    NUMBER = "number"
    TIME = "date"
    """In the tree a number: nanoseconds since 1970."""


FIELDS: Mapping[str, Kind] = MappingProxyType(
    {
        "label": Kind.TEXT,
        "path": Kind.TEXT,
        "name": Kind.TEXT,
        "folder": Kind.TEXT,
        "date": Kind.TIME,
        "size": Kind.NUMBER,
        "width": Kind.NUMBER,
        "height": Kind.NUMBER,
        "kind": Kind.TEXT,
        "text": Kind.TEXT,
        "problem": Kind.TEXT,
    }
)
"""The fields of every item; any other name is a key of its metadata."""


@dataclass(frozen=True, slots=True)
class Field:
    """One of `FIELDS`. `path` is the whole path or uri, `name` and `folder` its parts; `date` is when the file was
    changed, `size` its bytes, `kind` image, text or vector."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Key:
    """A value in the metadata: of a key, or with several of a key within the object of the key before it."""

    path: tuple[str, ...]

    def __str__(self) -> str:
        return ".".join(self.path)


Column: TypeAlias = "Field | Key"


class Wildcard(Enum):
    """A part of a pattern that stands for any characters, none among them, or for exactly one."""

    ANY = "%"
    ONE = "_"


@dataclass(frozen=True, slots=True)
class Compare:
    column: Column
    operator: Operator
    value: Value


@dataclass(frozen=True, slots=True)
class OneOf:
    """Whether the value equals one of `values`; false, not unknown, for none of them."""

    column: Column
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Like:
    """Whether a text is, as a whole and with its case, as the parts of the pattern one after another."""

    column: Column
    pattern: tuple[str | Wildcard, ...]


@dataclass(frozen=True, slots=True)
class IsNull:
    """Whether the value is missing or null; never unknown."""

    column: Column


@dataclass(frozen=True, slots=True)
class Not:
    part: Condition


@dataclass(frozen=True, slots=True)
class And:
    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Or:
    parts: tuple[Condition, ...]


Condition: TypeAlias = "Compare | OneOf | Like | IsNull | Not | And | Or"


def leaves_of(condition: Condition) -> Iterator[Compare | OneOf | Like | IsNull]:
    """The comparisons of a condition, in order."""
    if isinstance(condition, Not):
        yield from leaves_of(condition.part)
    elif isinstance(condition, And | Or):
        for part in condition.parts:
            yield from leaves_of(part)
    else:
        yield condition


def columns_of(condition: Condition) -> Iterator[Column]:
    """The columns that a condition looks at, some of them repeatedly."""
    return (leaf.column for leaf in leaves_of(condition))


def kinds_of(leaf: Compare | OneOf | Like | IsNull) -> frozenset[type]:
    """The types of metadata values for which a comparison can be true: str, float for all numbers, bool.

    Empty where it can be for any.
    """
    if isinstance(leaf, IsNull) or (isinstance(leaf, Compare) and leaf.operator == "!="):
        return frozenset()
    values = ("",) if isinstance(leaf, Like) else leaf.values if isinstance(leaf, OneOf) else (leaf.value,)
    return frozenset(float if type(value) is int else type(value) for value in values)
