"""From the expressions of sqlglot to the tree: only what is listed here is let through."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from simsearch.errors import UsageError
from simsearch.where.expressions import ESCAPED, is_column, is_text, names_of, place_of, written
from simsearch.where.literals import glob_pattern, like_pattern, number_of
from simsearch.where.times import Span, span_of
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
    Operator,
    Or,
    Value,
    Wildcard,
)

if TYPE_CHECKING:
    from sqlglot.expressions import Expression

MOST = 300
"""Comparisons of a filter: SQLite takes a depth of 1000."""
MOST_VALUES = 20_000
"""Values of all `in`: SQLite takes some 32,000 parameters."""
PATTERN_LONGEST = 5_000
FLIPPED: dict[str, Operator] = {"=": "=", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
OPERATORS: dict[str, Operator] = {"EQ": "=", "NEQ": "!=", "LT": "<", "LTE": "<=", "GT": ">", "GTE": ">="}


class Reader:
    """Turns the nodes of sqlglot into those of the tree, each kind by its own method; all others are refused."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._count = self._values = 0

    def condition(self, node: Expression) -> Condition:
        name = type(node).__name__
        if name in OPERATORS:
            return self._comparison(node, OPERATORS[name])
        readers: dict[str, Callable[[Expression], Condition]] = {
            "And": lambda node: And(tuple(map(self.condition, self._chain(node)))),
            "Or": lambda node: Or(tuple(map(self.condition, self._chain(node)))),
            "Not": lambda node: Not(self.condition(node.this)),
            "Paren": lambda node: self.condition(node.this),
            "In": self._one_of,
            "Between": self._between,
            "Is": self._is_null,
            "Like": lambda node: self._like(node, None),
            "Escape": self._escaped_like,
            "Glob": self._glob,
        }
        if name not in readers:
            raise self._refused(node)
        return readers[name](node)

    def _chain(self, node: Expression) -> list[Expression]:
        """The parts of a chain of the same operator, in order; long ones are deep on their left side."""
        parts, kind = [], type(node)
        while isinstance(node, kind):
            self._only(node, "this", "expression")
            parts.append(node.expression)
            node = node.this
        return [node, *reversed(parts)]

    # -- comparisons -------------------------------------------------------------------------------------------

    def _comparison(self, node: Expression, operator: Operator) -> Condition:
        self._only(node, "this", "expression")
        column, value = node.this, node.expression
        if not is_column(column) and is_column(value):
            column, value, operator = value, column, FLIPPED[operator]
        return self._bound(self._column(column), operator, value)

    def _bound(self, target: Column, operator: Operator, value: Expression) -> Condition:
        given = self._value(value, target)
        if isinstance(given, Span):
            return _of_time(target, operator, given)
        if isinstance(given, bool) and operator not in ("=", "!="):
            raise self._error(value, "true and false have no order; compare them by = or !=")
        return Compare(target, operator, given)

    def _between(self, node: Expression) -> Condition:
        self._only(node, "this", "low", "high")
        target = self._column(node.this)
        low, high = self._bound(target, ">=", node.args["low"]), self._bound(target, "<=", node.args["high"])
        return And((low, high))

    def _one_of(self, node: Expression) -> Condition:
        self._only(node, "this", "expressions")
        target = self._column(node.this)
        values = [self._value(value, target) for value in node.expressions]
        if not values:
            raise self._error(node.this, "in needs values in parentheses, as in ('a', 'b')")
        self._values += len(values)
        if self._values > MOST_VALUES:
            raise UsageError(f"where has over {MOST_VALUES:,} values; ask for fewer at once")
        spans = [value for value in values if isinstance(value, Span)]
        if spans:
            self._count += len(spans)
            self._check_count()
            return Or(tuple(_of_time(target, "=", span) for span in spans))
        return OneOf(target, tuple(value for value in values if not isinstance(value, Span)))

    def _is_null(self, node: Expression) -> Condition:
        self._only(node, "this", "expression")
        if type(node.expression).__name__ != "Null":
            raise self._error(node.this, f"write = {node.expression.sql('sqlite')} in place of is")
        return IsNull(self._column(node.this))

    # -- patterns ----------------------------------------------------------------------------------------------

    def _escaped_like(self, node: Expression) -> Condition:
        escape = node.expression
        if type(node.this).__name__ != "Like" or not is_text(escape) or len(escape.this) != 1:
            raise self._error(node.this.this, "escape needs one character after a like, as like '10\\%' escape '\\'")
        return self._like(node.this, str(escape.this))

    def _like(self, node: Expression, escape: str | None) -> Condition:
        self._only(node, "this", "expression", "negate")
        try:
            found = self._pattern(node, "like", lambda written: like_pattern(written, escape))
        except ValueError as error:
            raise self._error(node.this, str(error)) from None
        return Not(found) if node.args.get("negate") else found

    def _glob(self, node: Expression) -> Condition:
        self._only(node, "this", "expression")
        return self._pattern(node, "glob", glob_pattern)

    def _pattern(self, node: Expression, operator: str, read: Callable[[str], tuple[str | Wildcard, ...]]) -> Condition:
        target = self._column(node.this)
        if isinstance(target, Field) and FIELDS[target.name] is not Kind.TEXT:
            raise self._error(node.this, f"{target} is a {FIELDS[target.name].value}, and {operator} takes texts")
        if not is_text(node.expression):
            raise self._error(node.expression, f"{operator} needs a pattern in single quotes, as '%cats%'")
        if len(node.expression.this) > PATTERN_LONGEST:
            raise self._error(node.expression, f"a pattern has at most {PATTERN_LONGEST:,} characters")
        return Like(target, read(str(node.expression.this)))

    # -- leaves ------------------------------------------------------------------------------------------------

    def _column(self, node: Expression) -> Column:
        names = names_of(node)
        if names is None:
            raise self._refused(node)
        self._count += 1
        self._check_count()
        (first, quoted), *rest = names
        plain = first if quoted else first.lower()
        if not rest and plain in FIELDS:
            return Field(plain)
        if rest and plain == "metadata":
            return Key(tuple(name for name, _ in rest))
        return Key(tuple(name for name, _ in names))

    def _check_count(self) -> None:
        if self._count > MOST:
            raise UsageError(f"where has over {MOST} comparisons; use in ('a', 'b', ...) for many values")

    def _value(self, node: Expression, target: Column) -> Value | Span:
        """The value of a literal, of the type that the field has."""
        value = self._literal(node)
        kind = FIELDS[target.name] if isinstance(target, Field) else None
        if kind is Kind.TIME:
            span = span_of(value) if isinstance(value, str) else None
            if span is None:
                raise self._error(
                    node, f"{target} is compared with an ISO date in quotes, as '2024-05-31' or '2024-05-31 14:30'"
                )
            return span
        if kind is Kind.TEXT and not isinstance(value, str):
            raise self._error(node, f"{target} is a text; write it in single quotes: '{node.sql('sqlite')}'")
        if kind is Kind.NUMBER and (isinstance(value, (str, bool))):
            raise self._error(node, f"{target} is a number; write it without quotes, as 1000")
        return value

    def _literal(self, node: Expression) -> Value:
        kind = type(node).__name__
        if is_text(node):
            return str(node.this)
        if kind == "Boolean":
            return bool(node.this)
        negative = kind == "Neg"
        inner = node.this if negative else node
        if type(inner).__name__ == "Literal" and not inner.is_string:
            number = number_of(f"{'-' if negative else ''}{inner.this}")
            if number is None:
                raise self._error(inner, f"{inner.this} is no finite number")
            return number
        if kind == "Null":
            raise UsageError("where compares with null, which is never true; write is null or is not null")
        if is_column(node):
            raise self._error(node, f"a value is needed, not the name {written(node)}; {ESCAPED}")
        if kind == "Sub":
            raise self._error(node, "dates need single quotes, as '2024-05-31'")
        raise self._refused(node)

    # -- refusals ----------------------------------------------------------------------------------------------

    def _only(self, node: Expression, *names: str) -> None:
        """Refuses a node with arguments that are not listed."""
        if any(value and name not in names for name, value in node.args.items()):
            raise self._refused(node)

    def _refused(self, node: Expression) -> UsageError:
        written = node.sql("sqlite")
        what = "a name alone is no condition" if is_column(node) else "this is not part of the language"
        return self._error(
            node,
            f"{what}: {written[:80]}. Comparisons are NAME OPERATOR VALUE with =, !=, <, <=, >, >=, in, like, glob, "
            "between, is null, combined by and, or, not",
        )

    def _error(self, node: Expression, reason: str) -> UsageError:
        return UsageError(f"where{place_of(node, self._text)}: {reason}")


def _of_time(target: Column, operator: str, span: Span) -> Condition:
    """A date stands for the whole of it: = is within, < before its beginning, > after its end."""
    bounds: dict[str, Condition] = {
        "=": And((Compare(target, ">=", span.first), Compare(target, "<", span.end))),
        "!=": Or((Compare(target, "<", span.first), Compare(target, ">=", span.end))),
        "<": Compare(target, "<", span.first),
        "<=": Compare(target, "<", span.end),
        ">": Compare(target, ">=", span.end),
        ">=": Compare(target, ">=", span.first),
    }
    return bounds[operator]
