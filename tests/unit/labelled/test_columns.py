"""What the columns mean, by their names or as the user says."""

from __future__ import annotations

from pathlib import Path

import pytest

from simsearch.errors import TrainingError, UsageError
from simsearch.labelled.columns import Columns, find_roles, parse_columns
from simsearch.labelled.tables import LabelledTable
from simsearch.media.rows import BadRows, Row, RowError


def table(*columns: str) -> LabelledTable:
    return LabelledTable(Path("a.csv"), columns, iter(()), BadRows("a.csv"))


def test_names_in_order_or_roles() -> None:
    assert parse_columns(None) == Columns()
    assert parse_columns("q1, q2,same") == Columns(names=("q1", "q2", "same"))
    assert parse_columns("-") == Columns(names=("-",))
    assert parse_columns("text=utterance,label=the = sign") == Columns(
        roles={"text": "utterance", "label": "the = sign"}
    )


@pytest.mark.parametrize("words", ["", "a,,b", ",a"])
def test_an_empty_name_is_refused(words: str) -> None:
    with pytest.raises(UsageError, match=r"empty name; write '-' for"):
        parse_columns(words)


@pytest.mark.parametrize("words", ["text=a,b", "txt=a", "text=a,text=b", "=a"])
def test_roles_that_are_none_are_refused(words: str) -> None:
    with pytest.raises(UsageError, match="ROLE is one of path, text, label, left, right, same, different, score"):
        parse_columns(words)


def test_any_case_of_a_known_name_has_its_role() -> None:
    roles = find_roles(table("ID", "Text", "LABEL", "-"), Columns())
    assert dict(roles.names) == {"text": "Text", "label": "LABEL"}
    assert roles.others == ("ID", "-")
    assert roles.has("text", "label")
    assert not roles.has("text", "group")


def test_what_the_user_says_goes_first() -> None:
    roles = find_roles(
        table("text", "utterance", "class", "label"), Columns(roles={"text": "utterance", "label": "class"})
    )
    assert dict(roles.names) == {"text": "utterance", "label": "class"}
    swapped = find_roles(table("left", "right"), Columns(roles={"left": "right", "right": "left"}))
    assert dict(swapped.names) == {"left": "right", "right": "left"}


def test_two_names_of_one_role_leave_a_choice() -> None:
    with pytest.raises(
        TrainingError, match="'class' and 'label' both stand for label; choose with --columns label=NAME"
    ):
        find_roles(table("text", "class", "label"), Columns())


def test_a_column_that_is_not_there_lists_those_that_are() -> None:
    with pytest.raises(TrainingError, match="no column 'utterance' for text; the columns are Text, Label"):
        find_roles(table("Text", "Label"), Columns(roles={"text": "utterance"}))


@pytest.mark.parametrize("cell", ["", "  ", None])
def test_a_missing_value_is_an_error_of_its_row(cell: str | None) -> None:
    roles = find_roles(table("id", "Category"), Columns())
    assert roles.value(Row(3, 2, {"id": "7", "Category": " a "}), "label") == " a "
    with pytest.raises(RowError, match=r"^Category is missing$"):
        roles.value(Row(3, 2, {"id": "7", "Category": cell}), "label")
