"""The expressions of sqlglot: how a filter becomes one, and what can be asked of one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from simsearch.errors import UsageError

if TYPE_CHECKING:
    from sqlglot.expressions import Expression

ESCAPED = "text needs single quotes, and a quote in it is doubled: 'it''s'"


def expression_of(text: str) -> Expression:
    """What sqlglot makes of a text. Raises UsageError, with the place, for what is no expression of SQL."""
    import sqlglot
    from sqlglot import errors

    try:
        parsed: Any = sqlglot.parse_one(text, into=sqlglot.exp.Condition, dialect="sqlite")
    except errors.ParseError as error:
        where = error.errors[0] if error.errors else {}
        near = " ".join(f"{where.get('start_context') or ''}{where.get('highlight') or ''}".split())[-40:]
        place = f' after "{near}"' if near else ""
        raise UsageError(f"where cannot be read{place}: {_reason(where, text)}") from None
    except errors.TokenError:
        raise UsageError(f"where cannot be read: a quote is not closed in {text[:80]!r}; {ESCAPED}") from None
    assert isinstance(parsed, sqlglot.exp.Expression)
    return parsed


def _reason(where: dict[str, Any], text: str) -> str:
    description, last = str(where.get("description") or ""), str(where.get("highlight") or "")
    if description.startswith("Expecting"):
        return f"{description.removeprefix('Expecting ')} is missing there"
    if "Required keyword" in description or (last and text.rstrip().endswith(last)):
        return "something is missing there"
    return "combine comparisons by and, or, not; names with special characters need double quotes"


def is_column(node: Expression) -> bool:
    """Whether it is a name, dotted or not."""
    return names_of(node) is not None


def is_text(node: Expression) -> bool:
    """Whether it is a text in single quotes."""
    return type(node).__name__ == "Literal" and bool(node.is_string)


def names_of(node: Expression) -> list[tuple[str, bool]] | None:
    """The parts of a dotted name and whether each was quoted; None for what is no name."""
    kind = type(node).__name__
    if kind == "Dot":
        before, last = names_of(node.this), node.expression
        return (
            None
            if before is None or type(last).__name__ != "Identifier"
            else [*before, (str(last.this), _quoted(last))]
        )
    if kind != "Column":
        return None
    parts: Iterable[Expression | None] = (node.args.get(name) for name in ("catalog", "db", "table", "this"))
    found = [part for part in parts if part]
    if any(type(part).__name__ != "Identifier" for part in found):
        return None
    return [(str(part.this), _quoted(part)) for part in found]


def _quoted(identifier: Expression) -> bool:
    return bool(identifier.args.get("quoted"))


def written(node: Expression) -> str:
    """A name as it was written."""
    return ".".join(name for name, _ in names_of(node) or ())


def place_of(node: Expression, text: str) -> str:
    """Where in the text a node begins, as ", character 7"; empty where that is not known."""
    starts = [start for part in node.walk() if isinstance(start := part.meta.get("start"), int)]
    return f", character {min(starts) + 1}" if starts and min(starts) < len(text) else ""
