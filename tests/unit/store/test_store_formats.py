"""Databases of every format that was ever released: opened, migrated, and with the answers that they had."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from simsearch.collection import Collection
from simsearch.collection.entries.migrating import migrate
from simsearch.collection.places import STORE_NAME
from simsearch.errors import CollectionNotFoundError, DamagedError, StoreError
from simsearch.store import Store
from simsearch.store.exchange.formats import NEWEST, format_of

FORMATS = Path(__file__).parent.parent.parent / "fixtures" / "formats"
NUMBERS = sorted(int(path.stem) for path in FORMATS.glob("*.sql"))


def collection_of(number: int, folder: Path) -> Path:
    folder.mkdir(parents=True)
    connection = sqlite3.connect(folder / STORE_NAME)
    connection.executescript((FORMATS / f"{number}.sql").read_text(encoding="utf-8"))
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
    return folder


def test_there_is_a_fixture_of_each_format_before_the_current_one():
    assert list(range(1, NEWEST)) == NUMBERS, "run: python tests/fixtures/make_formats.py"


@pytest.mark.parametrize("number", NUMBERS)
def test_an_older_format_is_migrated_and_answers_as_it_did(tmp_path, number):
    folder = collection_of(number, tmp_path / "old")
    assert format_of(folder / STORE_NAME) == number
    with Collection.open(folder) as opened:
        assert [(item.uri, item.label, dict(item.metadata)) for item in opened.items()] == [
            ("red", "warm", {"n": 1}),
            ("rose", "warm", {"n": 2}),
            ("blue", None, {"n": 3}),
        ]
        found = opened.query(np.array([1.0, 0.0, 0.0]), 3)
        assert [(match.item.uri, match.score) for match in found] == [
            ("red", pytest.approx(1.0)),
            ("rose", pytest.approx(0.8)),
            ("blue", pytest.approx(0.0)),
        ]
        assert opened.labels() == {"Ana": 1, "Ben": 1}
        assert list(opened.store.roots()) == ["/photos"]
        assert opened.check().clean
        opened.add_vectors(["green"], [[0.0, 1.0, 0.0]])
        assert opened.remove("blue") == 1
        assert opened.check().clean
        if number > 2:
            assert opened.store.calibration().document == '{"of": "an older version"}'
    assert format_of(folder / STORE_NAME) == NEWEST


def test_a_newer_format_is_refused_in_one_line(tmp_path):
    folder = tmp_path / "new"
    Collection.create(folder, dim=3).close()
    connection = sqlite3.connect(folder / STORE_NAME)
    connection.execute("INSERT INTO migration VALUES (?, 0)", (NEWEST + 1,))
    connection.commit()
    connection.close()
    for opened in (Store.open, format_of):
        with pytest.raises(StoreError, match=f"has format {NEWEST + 1}, this simsearch reads up to {NEWEST}") as told:
            opened(folder / STORE_NAME)
        assert "\n" not in str(told.value)


def test_what_is_no_collection_has_no_format(tmp_path):
    with pytest.raises(CollectionNotFoundError):
        format_of(tmp_path / "none")
    sqlite3.connect(tmp_path / "other").execute("CREATE TABLE a (b)").connection.close()
    with pytest.raises(DamagedError, match="not one of simsearch"):
        format_of(tmp_path / "other")


def test_all_collections_are_migrated_and_reported(tmp_path, monkeypatch):
    monkeypatch.setenv("SIMSEARCH_HOME", str(tmp_path))
    for number in NUMBERS:
        collection_of(number, tmp_path / f"of-{number}")
    collection_of(1, tmp_path / "of-1.previous")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / STORE_NAME).write_bytes(b"nonsense" * 1000)
    listed = list(migrate([], dry_run=True))
    assert {(one.folder.name, one.before, one.after) for one in listed if not one.problem} == {
        *((f"of-{number}", number, NEWEST) for number in NUMBERS),
        ("of-1.previous", 1, NEWEST),
    }
    assert [one.folder.name for one in listed if one.problem] == ["broken"]
    done = list(migrate([]))
    assert {(one.folder.name, one.before, one.after) for one in done if not one.problem} == {
        (one.folder.name, one.before, one.after) for one in listed if not one.problem
    }
    assert all(one.before == NEWEST for one in migrate([]) if not one.problem)
    assert [one.before for one in migrate(["of-1"])] == [NEWEST, NEWEST]
