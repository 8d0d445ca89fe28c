"""From the tree of a filter to a condition of SQLAlchemy; every value is a bound parameter.

What each node means is stated in `where.tree`.
"""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Boolean, ColumnElement, LargeBinary, and_, not_, or_, type_coerce

from simsearch.store.filters import columns
from simsearch.store.schema import ITEM, to_bytes
from simsearch.where.tree import (
    FIELDS,
    And,
    Compare,
    Condition,
    Field,
    IsNull,
    Key,
    Kind,
    Like,
    Not,
    OneOf,
    Or,
    Value,
    Wildcard,
    columns_of,
)

OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
GLOB = {Wildcard.ANY: "*", Wildcard.ONE: "?"}
_AS_BYTES = frozenset(("path", "name", "folder"))
_AS_TEXT = frozenset(("kind", "text"))
"""How texts of fields are stored; those of the others as text where they are valid text, else as bytes."""
ESCAPED = str.maketrans({letter: f"[{letter}]" for letter in "*?["})


def compiled(condition: Condition, *, exact: bool = False) -> ColumnElement[bool]:
    """The condition on rows of ITEM, joined with CONTENT where `needs_content` is true.

    What is unknown may be false unless `exact`: for rows that are chosen both are the same, and it is quicker.
    """
    if isinstance(condition, And | Or):
        parts = [compiled(part, exact=exact) for part in condition.parts]
        return (and_ if isinstance(condition, And) else or_)(*parts)
    if isinstance(condition, Not):
        return not_(compiled(condition.part, exact=True))
    if isinstance(condition, Compare):
        return _compare(condition, exact)
    if isinstance(condition, OneOf):
        return _one_of(condition, exact)
    return _like(condition, exact) if isinstance(condition, Like) else _is_null(condition)


def needs_content(condition: Condition) -> bool:
    """Whether it looks at what the table of items does not have."""
    return any(isinstance(each, Field) and each.name in columns.OF_CONTENT for each in columns_of(condition))


def _compare(condition: Compare, exact: bool) -> ColumnElement[bool]:
    compared: ColumnElement[bool]
    compare, value, target = OPERATORS[condition.operator], condition.value, condition.column
    if isinstance(target, Key):
        compared = compare(columns.key_value(target), _of_json(value))
        return columns.by_type(
            target, {columns.TYPES[type(value)]: compared}, otherwise=condition.operator == "!=", exact=exact
        )
    if FIELDS[target.name] is Kind.TEXT and condition.operator not in ("=", "!=") and target.name not in _AS_BYTES:
        assert isinstance(value, str)
        compared = compare(columns.as_text(target), columns.text_value(value))
        return compared
    compared = compare(columns.field(target), _stored(target, value))
    if target.name == "folder" and condition.operator == "=" and str(value).strip(os.sep):
        return and_(compared, *_range((f"{value}{os.sep}",)))
    return compared


def _stored(target: Field, value: Value) -> Any:
    """A value as the column of a field has it; the types of the other columns take care of that themselves."""
    return columns.text_value(value) if target.name in _AS_TEXT and isinstance(value, str) else value


def _one_of(condition: OneOf, exact: bool) -> ColumnElement[bool]:
    target, values = condition.column, condition.values
    if isinstance(target, Field):
        return columns.field(target).in_([_stored(target, value) for value in values])
    found = columns.key_value(target)
    grouped: dict[tuple[str, ...], list[Any]] = {}
    for value in values:
        grouped.setdefault(columns.TYPES[type(value)], []).append(_of_json(value))
    return columns.by_type(target, {types: found.in_(some) for types, some in grouped.items()}, exact=exact)


def _of_json(value: Value) -> Any:
    """A value as `key_value` gives an equal one: booleans are 1 and 0."""
    return columns.text_value(value) if isinstance(value, str) else int(value) if isinstance(value, bool) else value


def _like(condition: Like, exact: bool) -> ColumnElement[bool]:
    # GLOB heeds case; LIKE does not, for the letters of ASCII alone.
    pattern = "".join(
        GLOB[part] if isinstance(part, Wildcard) else part.translate(ESCAPED) for part in condition.pattern
    )
    target = condition.column
    if isinstance(target, Key):
        return columns.by_type(target, {columns.TYPES[str]: _glob(columns.key_value(target), pattern)}, exact=exact)
    matched = _glob(columns.as_text(target), pattern)
    return and_(matched, *_range(condition.pattern)) if target.name == "path" else matched


def _glob(value: ColumnElement[Any], pattern: str) -> ColumnElement[bool]:
    return value.op("GLOB", is_comparison=True, return_type=Boolean())(columns.text_value(pattern))


def _range(pattern: Sequence[str | Wildcard]) -> list[ColumnElement[bool]]:
    """That a path is in the range of those that begin as the pattern does, for which there is an index."""
    first = pattern[0] if pattern else ""
    if isinstance(first, Wildcard) or not first:
        return []
    uri, begin = type_coerce(ITEM.c.uri, LargeBinary), to_bytes(first)
    # Before the last byte that can be one larger; behind those that cannot there is no end.
    counted = begin.rstrip(b"\xff")
    end = [uri < counted[:-1] + bytes([counted[-1] + 1])] if counted else []
    return [uri >= begin, *end]


def _is_null(condition: IsNull) -> ColumnElement[bool]:
    if isinstance(condition.column, Field):
        return columns.field(condition.column).is_(None)
    kind = columns.key_type(condition.column)
    return or_(kind.is_(None), kind == "null")
