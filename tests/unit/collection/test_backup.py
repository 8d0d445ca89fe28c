"""Backups: consistent while others write, checked, whole or not there."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from simsearch.collection import Collection
from simsearch.collection.places import STORE_NAME
from simsearch.errors import DamagedError, UsageError


@pytest.fixture
def own(tmp_path):
    with Collection.create(tmp_path / "own", dim=4) as made:
        made.add_vectors([f"v{n}" for n in range(9)], np.random.default_rng(0).normal(size=(9, 4)))
        made.enroll("Ana", [[1.0, 2.0, 3.0, 4.0]])
        yield made


def test_a_backup_is_a_collection_with_the_same_answers(own, tmp_path):
    done = own.backup(tmp_path / "copies" / "one")
    assert (done.items, done.contents, done.examples) == (9, 9, 1)
    assert sorted(path.name for path in done.folder.iterdir()) == ["backup.json", STORE_NAME]
    with Collection.open(done.folder) as copy:
        query = np.array([1.0, 0.5, 0.0, -1.0])
        assert [(m.item, m.score) for m in copy.query(query, 9)] == [(m.item, m.score) for m in own.query(query, 9)]
        assert copy.labels() == {"Ana": 1}
        assert copy.check().clean
    own.remove("v0")
    assert own.backup(tmp_path / "copies" / "one").items == 8
    assert [path.name for path in (tmp_path / "copies").iterdir()] == ["one"]


def test_a_backup_replaces_backups_only(own, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="no backup"):
        own.backup(tmp_path / "mine", force=True)
    Collection.create(tmp_path / "other", dim=2).close()
    with pytest.raises(UsageError, match="--force"):
        own.backup(tmp_path / "other")
    assert own.backup(tmp_path / "other", force=True).items == 9
    with pytest.raises(UsageError, match="the collection itself"):
        own.backup(own.folder)


def test_a_backup_that_fails_leaves_the_one_before(own, tmp_path, monkeypatch):
    own.backup(tmp_path / "one")
    before = (tmp_path / "one" / STORE_NAME).read_bytes()

    def fail(path):
        raise DamagedError(f"{path}: for the test")

    monkeypatch.setattr("simsearch.collection.exchange.backing_up.verified", fail)
    with pytest.raises(DamagedError, match="for the test"):
        own.backup(tmp_path / "one")
    assert (tmp_path / "one" / STORE_NAME).read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "own"]


def test_backups_are_of_one_moment_while_a_writer_works(own, tmp_path):
    """The writer adds a pair in each transaction: half of one in a backup would be a torn copy."""
    stop, failed = threading.Event(), []

    def write():
        rng, n = np.random.default_rng(1), 0
        with Collection.open(own.folder) as writer:
            while not stop.is_set() and n < 400:
                try:
                    writer.add_vectors([f"a{n}", f"b{n}"], rng.normal(size=(2, 4)))
                    if n % 3 == 0:
                        with writer.writing() as store:
                            store.remove_items(
                                np.array([i.id for u in (f"a{n}", f"b{n}") if (i := store.item_by_uri(u))])
                            )
                except Exception as error:  # noqa: BLE001
                    failed.append(error)
                    return
                n += 1

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for number in range(6):
            done = own.backup(tmp_path / f"copy{number}")
            with Collection.open(done.folder) as copy:
                names = {item.uri for item in copy.items()}
                assert {name[1:] for name in names if name[0] == "a"} == {name[1:] for name in names if name[0] == "b"}
                assert copy.check().clean
    finally:
        stop.set()
        thread.join()
    assert failed == []
