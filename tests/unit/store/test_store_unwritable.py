"""A store in a folder that cannot be written."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from simsearch.errors import DiskFullError, StoreError
from simsearch.store import Store, Write, database

E1 = np.array([1, 0, 0, 0], dtype=np.float32)
ONE = Write("a", b"1" * 32, 1, 2, "Ana", None, "image", 3, 4, E1)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


CHILD = """
import os, sys
from pathlib import Path
from simsearch.errors import SimsearchError
from simsearch.store import Store

# What is imported late is imported now: the other user may not be let into the folder of the library.
with Store.create(Path(sys.argv[3]), {"dim": "4"}) as store:
    print(store.counts().items, store.generation(), list(store.iterate_items()))
if os.geteuid() == 0:
    os.setuid(65534)
path = Path(sys.argv[1])
try:
    with Store.open(path, write=sys.argv[2] == "write") as store:
        print(store.counts().items, store.generation(), [item.uri for page in store.iterate_items() for item in page])
except SimsearchError as error:
    print(type(error).__name__, error)
print(sorted(os.listdir(path.parent)))
"""


@pytest.fixture
def sealed() -> Iterator[Path]:
    """A folder that everybody can come to; the test takes the right to write away. (`tmp_path` is for its owner.)"""
    folder = Path(tempfile.mkdtemp(prefix="simsearch-"))
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


def seen_by_another_user(path: Path, mode: str) -> list[str]:
    """What a process sees that may not write where permissions forbid it; root, which may, becomes another user."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", CHILD, str(path), mode, str(Path(folder) / "other.sqlite")]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    first, *rest = done.stdout.splitlines()
    assert first == "0 0 []", done.stderr
    return rest


if os.name == "posix":

    def test_a_folder_that_cannot_be_written_is_read_without_leaving_anything(sealed: Path) -> None:
        path = sealed / "collection.sqlite"
        with Store.create(path, {"dim": "4"}) as store:
            store.write([ONE])
        sealed.chmod(0o555)
        assert seen_by_another_user(path, "read") == ["1 1 ['a']", "['collection.sqlite']"]

    def test_a_folder_that_cannot_be_written_is_not_opened_to_write(sealed: Path) -> None:
        path = sealed / "collection.sqlite"
        Store.create(path, {"dim": "4"}).close()
        sealed.chmod(0o555)
        answer, left = seen_by_another_user(path, "write")
        assert answer == f"StoreError {sealed} cannot be written; make it writable, or copy it to where you can write"
        assert left == "['collection.sqlite']"

    def test_changes_that_lie_beside_the_file_are_not_overlooked(sealed: Path) -> None:
        path = sealed / "collection.sqlite"
        with Store.create(path, {"dim": "4"}) as store:
            store.write([ONE])
            sealed.chmod(0o555)
            answer, _ = seen_by_another_user(path, "read")
            assert answer.startswith(f"StoreError {path} cannot be read here")
            assert "collection.sqlite-wal" in answer
            assert answer.endswith(f"simsearch check --index {sealed}")
            sealed.chmod(0o755)
        sealed.chmod(0o555)
        assert seen_by_another_user(path, "read")[0] == "1 1 ['a']"

    def test_a_file_that_cannot_be_read_is_told(sealed: Path) -> None:
        path = sealed / "collection.sqlite"
        Store.create(path, {"dim": "4"}).close()
        path.chmod(0o000)
        answer = seen_by_another_user(path, "read")[0]
        assert answer == f"StoreError {path}: it cannot be opened; look at the permissions of the file and its folder"


@pytest.mark.parametrize("journal", [False, True])
def test_on_a_full_disk_everything_is_read_and_the_writer_told(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, journal: bool
) -> None:
    with Store.create(path, {"dim": "4"}) as store:
        store.write([ONE])
        if journal:
            # As a killed writer leaves it: the latest changes lie beside the database.
            (tmp_path / "left").mkdir()
            for file in path.parent.glob("*.sqlite*"):
                shutil.copy(file, tmp_path / "left")
    path = tmp_path / "left" / path.name if journal else path
    connect = database._connect

    def without_shared_memory(uri: str, alone: bool) -> sqlite3.Connection:
        if alone or "immutable" in uri:
            return connect(uri, alone)
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR_SHMSIZE
        raise error

    monkeypatch.setattr(database, "_connect", without_shared_memory)
    with Store.open(path) as first:
        assert [item.uri for page in first.iterate_items() for item in page] == ["a"]
        assert first.check() == []
        if not journal:
            with Store.open(path) as second:
                assert second.counts().items == 1
    with pytest.raises(DiskFullError, match=r"the disk is full, .* MB are free and about 0\.1 MB needed"):
        Store.open(path, write=True)


def test_where_nothing_can_be_written_the_file_is_taken_as_unchanging(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store.create(path, {"dim": "4"}) as store:
        store.write([ONE])
        monkeypatch.setattr(database, "can_write", lambda folder: False)
        with pytest.raises(StoreError, match=r"latest changes lie in collection\.sqlite-wal"):
            Store.open(path)
        with pytest.raises(StoreError, match="make it writable"):
            Store.open(path, write=True)
    with Store.open(path) as store:
        assert [found.uri for found in store.items(np.array([1]))] == ["a"]
        assert store.check() == []
    assert names(path.parent) == [path.name]
