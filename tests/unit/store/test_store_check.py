from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from simsearch.errors import DamagedError, StoreError
from simsearch.store import NewExample, Store, Write, checking

E1 = np.array([1, 0, 0, 0], dtype=np.float32)


def filled(path: Path, count: int = 6) -> None:
    with Store.create(path, {"dim": "4"}) as store:
        store.write([Write(f"{n}", bytes([n]) * 32, 1, 2, None, None, "image", 3, 4, E1) for n in range(1, count + 1)])
        store.add_examples([("Ana", NewExample("x", b"1" * 32, E1))])
        store.remove_items(np.array([count]))


def harmed(path: Path, *statements: str | tuple[str, tuple[object, ...]]) -> None:
    other = sqlite3.connect(path)
    with other:
        for statement in statements:
            other.execute(*((statement,) if isinstance(statement, str) else statement))
    other.close()


def problems(path: Path) -> list[str]:
    with Store.open(path) as store:
        return store.check()


def vector(*numbers: float) -> bytes:
    return np.array(numbers, dtype="<f4").tobytes()


@pytest.fixture
def damaged(path: Path) -> Path:
    filled(path)
    assert problems(path) == []
    return path


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        (["DELETE FROM content WHERE id = 2"], ["1 items point to contents that are not there: 2"]),
        (["DELETE FROM item WHERE id IN (1, 4)"], ["2 contents have no item: 1, 4"]),
        (["DELETE FROM item"], ["5 contents have no item: 1, 2, 3, 4, 5"]),
        ([("UPDATE content SET vector = ? WHERE id = 3", (b"123",))], ["1 vectors in content have not 4 numbers: 3"]),
        ([("UPDATE content SET vector = ? WHERE id = 3", ("text",))], ["1 vectors in content have not 4 numbers: 3"]),
        (
            [
                ("UPDATE content SET vector = ? WHERE id = 1", (vector(1, 0, 0, float("nan")),)),
                ("UPDATE content SET vector = ? WHERE id = 2", (vector(0, 0, 0, 0),)),
                ("UPDATE content SET vector = ? WHERE id = 3", (vector(1, 1, 0, 0),)),
                ("UPDATE content SET vector = ? WHERE id = 5", (vector(float("inf"), 0, 0, 0),)),
            ],
            ["4 vectors in content are not finite or not of length one: 1, 2, 3, 5"],
        ),
        (
            [("UPDATE example SET vector = ?", (vector(0, 0, 0, 2),))],
            ["1 vectors in example are not finite or not of length one: 1"],
        ),
        (
            ["UPDATE setting SET value = '1' WHERE key = 'generation'"],
            ["1 removals are journalled outside the generations 0 to 1, of contents: 6"],
        ),
        (
            ["UPDATE setting SET value = '9' WHERE key = 'journal_floor'"],
            [
                "the journal begins at generation 9, after the current one, 2",
                "1 removals are journalled outside the generations 9 to 2, of contents: 6",
            ],
        ),
        (["UPDATE removed_content SET content_id = 2"], ["1 contents are journalled as removed and are there: 2"]),
        (["UPDATE sqlite_sequence SET seq = 3 WHERE name = 'content'"], ["content 5 has an id that was never given"]),
        (["DELETE FROM sqlite_sequence WHERE name = 'item'"], ["item 5 has an id that was never given"]),
    ],
)
def test_each_kind_of_damage_is_told(
    statements: list[str | tuple[str, tuple[object, ...]]], expected: list[str], damaged: Path
) -> None:
    harmed(damaged, *statements)
    assert problems(damaged) == expected


def test_a_lost_setting_is_told(damaged: Path) -> None:
    harmed(damaged, "UPDATE setting SET value = 'three' WHERE key = 'generation'")
    assert problems(damaged) == [
        "the setting 'generation' is 'three' instead of a number: not a collection of simsearch"
    ]
    harmed(damaged, "DELETE FROM setting WHERE key = 'dim'")
    with Store.open(damaged) as store, pytest.raises(StoreError, match="'dim' is None"):
        store.vectors_of([1])


def test_no_more_than_five_are_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "BATCH", 2)
    filled(path, 8)
    harmed(path, ("UPDATE content SET vector = ?", (vector(2, 0, 0, 0),)))
    assert problems(path) == ["7 vectors in content are not finite or not of length one: 1, 2, 3, 4, 5, …"]


def test_a_vector_of_another_length_is_not_given_out(damaged: Path) -> None:
    harmed(damaged, ("UPDATE content SET vector = ? WHERE id = 3", (b"1234" * 5,)))
    with Store.open(damaged) as store:
        with pytest.raises(StoreError, match="has not 4 numbers; look closer: simsearch check"):
            list(store.vectors())
        assert store.vectors_of([1, 2]).shape == (2, 4)


def test_overwritten_pages_are_told_and_never_crash(path: Path) -> None:
    filled(path, 250)
    whole = path.read_bytes()
    told = 0
    for page in range(1, len(whole) // 4096):
        path.write_bytes(whole[: page * 4096] + b"\xa5" * 4096 + whole[(page + 1) * 4096 :])
        try:
            found = problems(path)
        except (DamagedError, StoreError) as error:
            found = [str(error)]
        assert all("\n" not in one for one in found)
        told += bool(found)
    assert told == len(whole) // 4096 - 1


def test_a_file_that_was_cut_is_damaged(path: Path) -> None:
    filled(path, 250)
    path.write_bytes(path.read_bytes()[: 4096 * 6])
    try:
        found = problems(path)
    except DamagedError as error:
        found = [str(error)]
    assert any("malformed" in one or "damaged" in one for one in found)


def test_an_index_that_disagrees_with_its_table_is_told(path: Path) -> None:
    with Store.create(path, {"dim": "4"}) as store:
        store.write([Write("the-only-name", b"1" * 32, 1, 2, None, None, "image", 3, 4, E1)])
    whole = path.read_bytes()
    # It stands in the table and in the index; one of the two becomes another.
    assert whole.count(b"the-only-name") == 2
    path.write_bytes(whole.replace(b"the-only-name", b"the-OTHER-one", 1))
    found = problems(path)
    assert found
    assert all(one.startswith("the database is damaged: ") for one in found)
