"""Rows of tables, and the lists of bad ones."""

from __future__ import annotations

import pytest

from simsearch.errors import UsageError
from simsearch.media.rows import LISTED_AT_MOST, NO_TEXT, BadRow, BadRows, Row, RowError
from simsearch.types import JSONValue


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), ("", ""), (" \n", ""), (" a ", " a "), (True, "true"), (False, "false"), (0, "0"), (1.0, "1.0")],
)
def test_a_value_is_what_a_csv_file_would_hold(value: JSONValue, text: str) -> None:
    row = Row(2, 1, {"a": value})
    assert (row.text("a"), row.text("b"), row.is_empty) == (text, "", not text)


@pytest.mark.parametrize("value", [[], {}, ["a"]])
def test_lists_and_objects_are_no_texts(value: JSONValue) -> None:
    with pytest.raises(RowError, match="'a' is neither text nor number but"):
        Row(2, 1, {"a": value}).text("a")


def test_bad_rows_are_listed_up_to_a_limit_and_rows_without_text_counted() -> None:
    bad = BadRows("f.csv")
    for line in range(2, 250):
        bad.add(BadRow(line, NO_TEXT if line % 3 == 0 else "broken"))
    listed = bad.listed()
    assert [(skip.path, skip.reason) for skip in listed[:3]] == [
        ("f.csv:2", "broken"),
        ("f.csv:3", "no text; 83 rows in all"),
        ("f.csv:4", "broken"),
    ]
    assert len(listed) == LISTED_AT_MOST + 2
    assert sum(skip.count for skip in listed) == 248
    assert (listed[-1].path, listed[-1].reason) == ("f.csv:152", "left out for reasons like those; 65 rows in all")


def test_an_error_lists_the_first_rows() -> None:
    bad = BadRows("f.csv", listed=2)
    bad.add(BadRow(3, "broken"))
    assert str(bad.error(UsageError, "mend it")) == "f.csv:3: broken; mend it"
    for line in (4, 5, 6):
        bad.add(BadRow(line, "worse"))
    error = bad.error(UsageError, "mend them")
    assert isinstance(error, UsageError)
    assert str(error) == "f.csv: 4 bad rows; mend them"
    assert error.__notes__ == [
        "f.csv:3: broken",
        "f.csv:4: worse",
        "f.csv:5: left out for reasons like those; 2 rows in all",
    ]
