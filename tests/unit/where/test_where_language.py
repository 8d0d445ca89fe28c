"""The language of filters: what is written is what is understood, and what is not is refused with its place."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from where_oracle import conditions, written

from simsearch.errors import UsageError
from simsearch.where import parse
from simsearch.where.times import span_of
from simsearch.where.tree import And, Compare, Condition, Field, IsNull, Key, Like, Not, OneOf, Or, Wildcard, columns_of


def flat(condition: Condition) -> Condition:
    """With chains of the same operator as one, as they are read."""
    if isinstance(condition, Not):
        return Not(flat(condition.part))
    if isinstance(condition, And | Or):
        return type(condition)(tuple(map(flat, condition.parts)))
    return condition


@settings(max_examples=150, deadline=None)
@given(condition=conditions)
def test_a_written_tree_is_read_as_that_tree(condition: Condition) -> None:
    if any(column == Field("date") for column in columns_of(condition)):
        # Dates are written as dates and held as numbers.
        return
    assert parse(written(condition)) == flat(condition)


def test_names_are_fields_or_keys_of_the_metadata() -> None:
    def column(text: str) -> object:
        return next(columns_of(parse(text)))

    assert column("label = 'a'") == column("LABEL = 'a'") == column("\"label\" = 'a'") == Field("label")
    assert column("price = 1") == column("metadata.price = 1") == Key(("price",))
    assert column("metadata.label = 1") == Key(("label",))
    assert column('"Label" = 1') == column('metadata."Label" = 1') == Key(("Label",))
    assert column('"two words" = 1') == Key(("two words",))
    assert column('"a.b" = 1') == Key(("a.b",))
    assert column("exif.camera.lens.made.by = 1") == Key(("exif", "camera", "lens", "made", "by"))
    assert column('"metadata" = 1') == Key(("metadata",))
    assert column("größe = 1") == Key(("größe",))
    assert column("order = 1") == Key(("order",))


def test_operators_of_sql_have_their_precedence() -> None:
    a, b, c = (Compare(Key((name,)), "=", 1) for name in "abc")
    assert parse("a = 1 or b == 1 and not c = 1") == Or((a, And((b, Not(c)))))
    assert parse("(a = 1 or b = 1) and c = 1") == And((Or((a, b)), c))
    assert parse("a <> 1") == parse("a != 1") == Compare(Key(("a",)), "!=", 1)
    assert parse("3 < size") == parse("size > 3")
    assert parse("size between 1 and 2") == parse("size >= 1 and size <= 2")
    assert parse("a not in (1, 'x', true)") == Not(OneOf(Key(("a",)), (1, "x", True)))
    assert parse("a is not null") == Not(IsNull(Key(("a",))))
    assert parse("label not like 'a%'") == Not(Like(Field("label"), ("a", Wildcard.ANY)))
    assert parse("label like 'a%%b_\\%' escape '\\'") == Like(
        Field("label"), ("a", Wildcard.ANY, "b", Wildcard.ONE, "%")
    )
    assert parse("path glob '*/c?t[1]%'") == Like(Field("path"), (Wildcard.ANY, "/c", Wildcard.ONE, "t[1]%"))
    assert parse("a = 'it''s' -- a remark") == Compare(Key(("a",)), "=", "it's")
    assert parse("a = -1.5e3") == Compare(Key(("a",)), "=", -1500.0)
    assert parse(f"a = {2**70}") == Compare(Key(("a",)), "=", float(2**70))
    assert parse(" or ".join(["a = 1"] * 300)) == Or((a,) * 300)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "where is empty"),
        ('label = "cat"', r"character 9: a value is needed, not the name cat; text needs single quotes"),
        ("label = 3", r"character 9: label is a text; write it in single quotes: '3'"),
        ("size = '3'", "character 8: size is a number"),
        ("date > 2024-01-01", "dates need single quotes"),
        ("date = '2024-02-30'", "character 8: date is compared with an ISO date"),
        ("date = 3", "ISO date"),
        ("x = null", "write is null"),
        ("x is true", "write = TRUE in place of is"),
        ("x > true", "true and false have no order"),
        ("x between false and true", "true and false have no order"),
        ("x = 1e400", "1e400 is no finite number"),
        ("label", "a name alone is no condition: label"),
        ("not label", "a name alone is no condition: label"),
        ("x in ()", "in needs values"),
        ("x in (1, y)", "a value is needed, not the name y"),
        ("size like '1%'", "size is a number, and like takes texts"),
        ("label like 3", "like needs a pattern in single quotes"),
        ("label like 'a\\' escape '\\'", "ends in its escape character"),
        ("label like 'a' escape 'xx'", "escape needs one character"),
        ("label = 'a", "a quote is not closed"),
        ("(label = 'a'", r"\) is missing there"),
        ("size >", 'after "size >": something is missing there'),
        ("and x = 1", "cannot be read"),
        ("x = 1 y = 2", 'after "x = 1 y"'),
        ("x = 1; drop table item", 'after "x = 1; drop"'),
        ("x = 1 order by y", "cannot be read"),
        ("x = 1 union select 2", "cannot be read|not part of the language"),
        ("x in (select 1)", "not part of the language"),
        ("exists (select 1)", "not part of the language"),
        ("lower(label) = 'a'", "not part of the language"),
        ("load_extension('x') = 1", "not part of the language"),
        ("size + 1 = 3", "not part of the language"),
        ("x = 'a' || 'b'", "not part of the language"),
        ("x = 'a' collate nocase", "not part of the language"),
        ("label ilike 'a'", "not part of the language"),
        ("x = ?", "not part of the language"),
        ("x = y", "a value is needed, not the name y"),
        ("1 = 1", "not part of the language"),
        ("true", "not part of the language"),
        ("case when x = 1 then true end", "not part of the language"),
        ("a = 1 = 2", "not part of the language"),
        ("a.* = 1", "not part of the language"),
        ("(" * 2000 + "x = 1" + ")" * 2000, "nested too deeply"),
        (" and ".join(["x = 1"] * 301), "over 300 comparisons"),
        (f"label like '{'a' * 5001}'", "at most 5,000 characters"),
        (f"x in ({', '.join(['1'] * 20_001)})", "over 20,000 values"),
        (f"x = '{'a' * 1_000_000}'", "at most 1,000,000 are read"),
    ],
    ids=lambda text: text[:30],
)
def test_what_the_language_has_not_is_refused_in_one_line(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        parse(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_filter_that_is_no_text_is_refused() -> None:
    with pytest.raises(UsageError, match="where is 3; give a text"):
        parse(3)  # type: ignore[arg-type]


# -- dates -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if not hasattr(time, "tzset"):
        pytest.skip("the zone of this system cannot be set")
    with monkeypatch.context() as patched:
        patched.setitem(os.environ, "TZ", "Europe/Berlin")
        time.tzset()
        yield
    time.tzset()


def moment(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * 1_000_000_000


@pytest.mark.usefixtures("berlin")
@pytest.mark.parametrize(
    ("text", "first", "end"),
    [
        ("2024", "2024-01-01T00:00+01:00", "2025-01-01T00:00+01:00"),
        ("2024-02", "2024-02-01T00:00+01:00", "2024-03-01T00:00+01:00"),
        ("2024-12", "2024-12-01T00:00+01:00", "2025-01-01T00:00+01:00"),
        ("2024-02-29", "2024-02-29T00:00+01:00", "2024-03-01T00:00+01:00"),
        # Clocks go forward: a day of 23 hours.
        ("2024-03-31", "2024-03-31T00:00+01:00", "2024-04-01T00:00+02:00"),
        ("2024-07-01 14:30", "2024-07-01T14:30+02:00", "2024-07-01T14:31+02:00"),
        ("2024-07-01T14:30:10", "2024-07-01T14:30:10+02:00", "2024-07-01T14:30:11+02:00"),
        ("2024-07-01T14:30Z", "2024-07-01T14:30+00:00", "2024-07-01T14:31+00:00"),
        ("2024-07-01 14:30+05:30", "2024-07-01T14:30+05:30", "2024-07-01T14:31+05:30"),
    ],
)
def test_a_date_is_a_span_of_local_time(text: str, first: str, end: str) -> None:
    assert span_of(text) == (moment(first), moment(end))


def test_fractions_of_seconds_are_exact() -> None:
    whole = int(datetime(2024, 7, 1, 14, 30, 10, tzinfo=UTC).timestamp()) * 1_000_000_000
    assert span_of("2024-07-01T14:30:10.25Z") == (whole + 250_000_000, whole + 260_000_000)
    assert span_of("2024-07-01T14:30:10.000001Z") == (whole + 1_000, whole + 2_000)


@pytest.mark.parametrize("text", ["", "24-01-01", "2024-1-1", "2024-13", "2024-00-01", "2023-02-29", "2024-01-01 25:00",
                                  "2024-01-01 10", "9999", "2024-01-01T10:00:00.1234567", "yesterday"])  # fmt: skip
def test_what_is_no_date_is_none(text: str) -> None:
    assert span_of(text) is None


def test_comparisons_with_a_date_mean_the_whole_of_it() -> None:
    day = span_of("2024-05-31")
    assert day is not None
    field = Field("date")
    within = And((Compare(field, ">=", day.first), Compare(field, "<", day.end)))
    assert parse("date = '2024-05-31'") == within
    assert parse("date != '2024-05-31'") == Or((Compare(field, "<", day.first), Compare(field, ">=", day.end)))
    assert parse("date < '2024-05-31'") == Compare(field, "<", day.first)
    assert parse("date <= '2024-05-31'") == Compare(field, "<", day.end)
    assert parse("date > '2024-05-31'") == Compare(field, ">=", day.end)
    assert parse("'2024-05-31' <= date") == Compare(field, ">=", day.first)
    assert parse("date between '2024-05-31' and '2024-05-31'") == within
    assert parse("date in ('2024-05-31')") == Or((within,))
    assert parse("taken > '2024-05-31'") == Compare(Key(("taken",)), ">", "2024-05-31")
