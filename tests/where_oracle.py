"""Filters for tests: random ones, as text and as tree, and what they mean, said again in plain Python."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from simsearch.where.tree import (
    FIELDS,
    And,
    Column,
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
)

Row = Mapping[str, Any]
"""The fields of an item by name, and its metadata."""
ORDER = {"<": (-1,), "<=": (-1, 0), ">": (1,), ">=": (1, 0)}
KEYS = ("price", "tags", "größe", "two words", "label", 'with "quotes"', "back\\slash", "a.b", "")


def holds(condition: Condition, row: Row) -> bool | None:
    """True, False or, for unknown, None."""
    if isinstance(condition, Not):
        inner = holds(condition.part, row)
        return None if inner is None else not inner
    if isinstance(condition, And | Or):
        deciding = isinstance(condition, Or)
        parts = [holds(part, row) for part in condition.parts]
        return deciding if deciding in parts else None if None in parts else not deciding
    value = value_of(condition.column, row)
    if isinstance(condition, IsNull):
        return value is None
    if value is None:
        return None
    if isinstance(condition, OneOf):
        return any(compared(value, other) == 0 for other in condition.values)
    if isinstance(condition, Like):
        return isinstance(value, str) and re.fullmatch(expression(condition), value, re.DOTALL) is not None
    if condition.operator in ("=", "!="):
        return (compared(value, condition.value) == 0) is (condition.operator == "=")
    return compared(value, condition.value) in ORDER[condition.operator]


def value_of(column: Column, row: Row) -> Any:
    if isinstance(column, Field):
        return row[column.name]
    value: Any = row["metadata"]
    for part in column.path:
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def compared(one: Any, other: Any) -> int | None:
    """-1, 0 or 1 for values of one type, None for others."""
    if isinstance(one, str) and isinstance(other, str):
        one, other = one.encode("utf-8", "surrogateescape"), other.encode("utf-8", "surrogateescape")
    elif isinstance(one, bool) or isinstance(other, bool):
        if not (isinstance(one, bool) and isinstance(other, bool)):
            return None
    elif not (isinstance(one, int | float) and isinstance(other, int | float)):
        return None
    return (one > other) - (one < other)


def expression(condition: Like) -> str:
    wild = {Wildcard.ANY: ".*", Wildcard.ONE: "."}
    return "".join(wild[part] if isinstance(part, Wildcard) else re.escape(part) for part in condition.pattern)


def row_of(path: str, **fields: Any) -> Row:
    """A row as an item of that path has it."""
    # The paths of items may be any names: pathlib would change them.
    folder, name = os.path.split(path)
    plain = dict.fromkeys(FIELDS) | {"path": path, "name": name, "folder": folder}
    return plain | {"metadata": {}} | fields


# -- random ones -----------------------------------------------------------------------------------------------------

# Few letters, so that texts meet: case, wildcards of LIKE and GLOB, a quote, two bytes, four bytes.
LETTERS = "aA%_*?[]'/é𝔄"
texts = st.text(LETTERS, max_size=4)
names = st.text(LETTERS + "\udcff", min_size=1, max_size=6)
"""What also may hold a byte that is no text."""
numbers = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([0.5, -0.5, 1.0, 2.5, 1e300, 2**53, 2**53 + 1, float(2**53), 2**63 - 1, -(2**63 - 1)]),
)
values = st.one_of(texts, numbers, st.booleans())


def documents(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)


json_values = st.recursive(
    st.one_of(st.none(), values), lambda inner: st.one_of(st.lists(inner, max_size=2), documents(inner)), max_leaves=4
)
keys = st.lists(st.sampled_from(KEYS), min_size=1, max_size=2).map(lambda path: Key(tuple(path)))
fields_of = {kind: [name for name, of in FIELDS.items() if of is kind] for kind in Kind}
text_fields = st.sampled_from(fields_of[Kind.TEXT]).map(Field)
number_fields = st.sampled_from(fields_of[Kind.NUMBER]).map(Field)
operators = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
patterns = st.lists(st.one_of(st.sampled_from(list(Wildcard)), texts.filter(bool)), max_size=4)


def _compare(column: Column, operator: str, value: Value) -> Condition:
    return Compare(column, "=" if isinstance(value, bool) and operator not in ("=", "!=") else operator, value)  # type: ignore[arg-type]


def _pattern(parts: list[str | Wildcard]) -> tuple[str | Wildcard, ...]:
    from simsearch.where.literals import joined

    return joined(parts)


leaves = st.one_of(
    st.builds(_compare, text_fields, operators, texts),
    st.builds(_compare, number_fields, operators, numbers),
    st.builds(_compare, keys, operators, values),
    st.builds(OneOf, text_fields, st.lists(texts, min_size=1, max_size=3).map(tuple)),
    st.builds(OneOf, number_fields, st.lists(numbers, min_size=1, max_size=3).map(tuple)),
    st.builds(OneOf, keys, st.lists(values, min_size=1, max_size=4).map(tuple)),
    st.builds(Like, st.one_of(text_fields, keys), patterns.map(_pattern)),
    st.builds(IsNull, st.one_of(text_fields, number_fields, keys)),
)


def _several(inner: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    some = st.lists(inner, min_size=2, max_size=3).map(tuple)
    return st.one_of(st.builds(Not, inner), st.builds(And, some), st.builds(Or, some))


conditions: st.SearchStrategy[Condition] = st.recursive(leaves, _several, max_leaves=6)


def written(condition: Condition) -> str:
    """The condition in the language of filters."""
    if isinstance(condition, Not):
        return f"not ({written(condition.part)})"
    if isinstance(condition, And | Or):
        word = " and " if isinstance(condition, And) else " or "
        return word.join(f"({written(part)})" for part in condition.parts)
    name = condition.column.name if isinstance(condition.column, Field) else _key(condition.column)
    if isinstance(condition, IsNull):
        return f"{name} is null"
    if isinstance(condition, OneOf):
        return f"{name} in ({', '.join(map(_literal, condition.values))})"
    if isinstance(condition, Like):
        wild = {Wildcard.ANY: "%", Wildcard.ONE: "_"}
        escape = str.maketrans({letter: f"\\{letter}" for letter in "%_\\"})
        parts = (wild[part] if isinstance(part, Wildcard) else part.translate(escape) for part in condition.pattern)
        return f"{name} like {_literal(''.join(parts))} escape '\\'"
    return f"{name} {condition.operator} {_literal(condition.value)}"


def _key(key: Key) -> str:
    parts = [part.replace('"', '""') for part in key.path]
    return ".".join(["metadata", *(f'"{part}"' for part in parts)])


def _literal(value: Value) -> str:
    if isinstance(value, str):
        doubled = value.replace("'", "''")
        return f"'{doubled}'"
    return str(value).lower() if isinstance(value, bool) else repr(value)
