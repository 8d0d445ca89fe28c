from __future__ import annotations

import os
import sqlite3
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np
import pytest
from sqlalchemy import Connection, text

from simsearch.errors import CollectionNotFoundError, DamagedError, LockedError, StoreError, UsageError
from simsearch.store import Counts, Store, Write, database, migrations, schema, writing
from simsearch.store.database import Database, can_create_file, can_write, sqlite_uri
from simsearch.store.migrations import Migration
from simsearch.store.schema import METADATA

E1 = np.array([1, 0, 0, 0], dtype=np.float32)
ONE = Write("a", b"1" * 32, 1, 2, "Ana", None, "image", 3, 4, E1)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_was_written_is_there_after_closing_in_one_file(path: Path) -> None:
    with Store.create(path, {"dim": "4"}) as store:
        store.write([ONE])
    assert names(path.parent) == [path.name]
    with Store.open(path) as store:
        assert store.counts() == Counts(1, 1, 0)
        assert store.generation() == 1
    assert names(path.parent) == [path.name]


def test_a_store_is_not_made_over_a_file(path: Path) -> None:
    path.write_bytes(b"mine")
    with pytest.raises(StoreError, match="exists already"):
        Store.create(path, {"dim": "4"})
    assert path.read_bytes() == b"mine"
    assert names(path.parent) == [path.name]


@pytest.mark.parametrize("settings", [{}, {"dim": "None"}, {"dim": "-4"}])
def test_a_store_without_the_length_of_its_vectors_is_not_made(settings: dict[str, str], path: Path) -> None:
    with pytest.raises(UsageError, match="needs the setting 'dim'"):
        Store.create(path, settings)
    assert names(path.parent) == []


def test_a_store_in_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "collection.sqlite"
    with pytest.raises(StoreError, match="cannot be opened") as caught:
        Store.create(path, {"dim": "4"})
    assert str(caught.value).startswith(f"{path}: ")


def test_the_file_is_durable_and_keeps_its_references(store: Store) -> None:
    with store._database.reading() as connection:
        found = [connection.scalar(text(f"PRAGMA {name}")) for name in ("journal_mode", "synchronous", "foreign_keys")]
    assert found == ["wal", 2, 1]


def test_the_migrations_make_the_tables_that_the_code_knows(store: Store) -> None:
    with store._database.reading() as connection:
        for table in METADATA.sorted_tables:
            rows = connection.exec_driver_sql(f"PRAGMA table_info({table.name})").all()
            there = {row.name: (row.type, bool(row.notnull) or bool(row.pk)) for row in rows}
            compiled = {
                column.name: (column.type.compile(connection.dialect), not column.nullable) for column in table.columns
            }
            assert there == compiled, table.name
        tables = connection.scalars(text("SELECT name FROM sqlite_master WHERE type='table'")).all()
        assert {name for name in tables if not name.startswith("sqlite_")} == set(METADATA.tables)
        indexes = connection.scalars(text("SELECT name FROM sqlite_master WHERE type='index' AND sql IS NOT NULL"))
        assert indexes.all() == ["item_content_id", "item_file_id", "content_rules", "item_label"]


def test_there_is_no_store_where_there_is_no_file(path: Path) -> None:
    with pytest.raises(CollectionNotFoundError, match="no database at"):
        Store.open(path)
    assert names(path.parent) == []


@pytest.mark.parametrize("content", [b"hello, I am a text and no database at all" * 50, b"\0" * 5000])
@pytest.mark.parametrize("write", [False, True])
def test_a_file_that_is_no_database_is_damage_told_in_one_line(content: bytes, write: bool, path: Path) -> None:
    path.write_bytes(content)
    with pytest.raises(DamagedError) as caught:
        Store.open(path, write=write)
    assert str(caught.value).startswith(f"{path}: file is not a database.")
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == content


def test_another_database_and_an_empty_file_are_not_stores(path: Path) -> None:
    for content in (b"x", b""):
        path.write_bytes(content)
        with pytest.raises(DamagedError, match="not one of simsearch"):
            Store.open(path)
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE mine (x)")
    other.close()
    with pytest.raises(DamagedError, match="not one of simsearch") as caught:
        Store.open(path, write=True)
    assert str(path) in str(caught.value)


RELEASED = [migration.number for migration in migrations.MIGRATIONS]
NEWEST = RELEASED[-1]


def test_a_newer_format_is_refused_with_the_cure(path: Path) -> None:
    Store.create(path, {"dim": "4"}).close()
    with sqlite3.connect(path) as other:
        other.execute("INSERT INTO migration VALUES (99, 0)")
    other.close()
    with pytest.raises(StoreError, match=r"format 99, this simsearch reads up to \d+\. Upgrade: pip install") as caught:
        Store.open(path)
    assert str(path) in str(caught.value)


NOW = [migration.number for migration in migrations.MIGRATIONS]
NEXT = NOW[-1] + 1


def add_colour(connection: Connection) -> None:
    connection.exec_driver_sql("ALTER TABLE item ADD COLUMN colour TEXT")


def fail_half_way(connection: Connection) -> None:
    add_colour(connection)
    connection.exec_driver_sql("INSERT INTO nowhere VALUES (1)")


def migrations_of(path: Path) -> tuple[list[int], bool]:
    """The numbers recorded, and whether the column of the new migration is there."""
    with sqlite3.connect(path) as other:
        numbers = [row[0] for row in other.execute("SELECT number FROM migration ORDER BY number")]
        columns = [row[1] for row in other.execute("PRAGMA table_info(item)")]
    other.close()
    return numbers, "colour" in columns


@pytest.mark.parametrize("write", [False, True])
def test_an_older_store_is_brought_up_to_date_when_it_is_opened(
    write: bool, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store.create(path, {"dim": "4"}) as store:
        store.write([ONE])
    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, Migration(NEXT, add_colour)))
    with pytest.raises(StoreError, match="made by an older simsearch") as caught:
        Database(path, write=False, immutable=True)
    assert str(path) in str(caught.value)
    assert migrations_of(path) == (NOW, False)
    for _ in range(2):
        with Store.open(path, write=write) as store:
            assert store.counts().items == 1
        assert migrations_of(path) == ([*NOW, NEXT], True)


def test_a_migration_that_fails_leaves_neither_change_nor_record(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Store.create(path, {"dim": "4"}).close()
    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, Migration(NEXT, fail_half_way)))
    with pytest.raises(StoreError, match="no such table: nowhere"):
        Store.open(path, write=True)
    assert migrations_of(path) == (NOW, False)


def test_a_store_opened_to_read_or_closed_writes_nothing(store: Store, path: Path) -> None:
    with Store.open(path) as reader, pytest.raises(StoreError, match="opened to read"):
        reader.write([ONE])
    store.close()
    store.close()
    with pytest.raises(StoreError, match="was closed"):
        store.counts()


def test_a_second_writer_is_told_that_the_file_is_locked(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.0)
    with Store.open(path, write=True) as other:
        with store._database.writing(), pytest.raises(LockedError, match="locked by another process"):
            other.write([ONE])
        other.write([ONE])
    assert store.counts().items == 1


def test_a_full_disk_is_told_and_what_was_acknowledged_stays(store: Store) -> None:
    store.write([ONE])
    with store._database.reading() as connection:
        pages = connection.scalar(text("PRAGMA page_count"))
        connection.execute(text(f"PRAGMA max_page_count = {pages}"))
    big = [Write(f"{number}" * 50, bytes([number]) * 32, 1, 2, None, None, "image", 3, 4, E1) for number in range(200)]
    with pytest.raises(StoreError, match=r"the disk is full, .* free and about 0\.1 MB needed; free") as caught:
        store.write(big)
    assert "\n" not in str(caught.value)
    assert store.counts() == Counts(1, 1, 0)
    assert store.generation() == 1
    assert store.check() == []


@pytest.mark.parametrize("lost", [False, True])
def test_an_interruption_undoes_what_was_begun_and_the_store_goes_on(lost: bool, store: Store) -> None:
    store.write([ONE])
    with pytest.raises(KeyboardInterrupt), store._database.writing() as connection:
        writing.remove_items(connection, np.array([1]))
        if lost:
            # What SQLAlchemy does when it is interrupted inside the driver: the next use connects anew.
            connection.invalidate()
        raise KeyboardInterrupt
    assert store.counts() == Counts(1, 1, 0)
    assert store.generation() == 1
    assert store.remove_items(np.array([1])) == 1
    assert store.check() == []


def test_a_store_in_a_folder_of_any_name_opens(tmp_path: Path) -> None:
    folder = tmp_path / "a b%20#é写?x" if os.name == "posix" else tmp_path / "a b%20#é写"
    folder.mkdir()
    path = folder / "collection.sqlite"
    with Store.create(path, {"dim": "4"}) as store:
        store.write([ONE])
    with Store.open(path) as store:
        assert store.counts().items == 1
    assert names(folder) == ["collection.sqlite"]


def test_the_uri_of_a_path_is_what_sqlite_understands() -> None:
    assert sqlite_uri(PurePosixPath("/a b/c?#%"), "mode=rw") == "file:///a%20b/c%3F%23%25?mode=rw"
    assert sqlite_uri(PureWindowsPath("C:\\a\\b"), "mode=rw") == "file:///C:/a/b?mode=rw"
    assert sqlite_uri(PureWindowsPath("\\\\host\\share\\b"), "mode=rw") == "file:////host/share/b?mode=rw"


def test_a_folder_that_can_be_written_is_known(tmp_path: Path) -> None:
    assert can_write(tmp_path)
    assert can_create_file(tmp_path)
    assert not can_create_file(tmp_path / "missing")
    assert names(tmp_path) == []


def test_a_name_from_another_system_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "_SURROGATES", "surrogatepass")
    assert schema.to_text(schema.to_bytes("\ud800é")) == "\ud800é"
    assert schema.to_text(b"caf\xe9") == "caf\udce9"
