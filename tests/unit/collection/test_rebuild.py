"""Making a collection anew for another encoder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from simsearch.collection import Collection, rebuilding
from simsearch.collection.rebuilding import rebuild
from simsearch.collection.switching import COMPLETE, rebuilding_folder, replaced_folder
from simsearch.encoders import open_encoder
from simsearch.errors import EncoderError, LockedError, StoreError, UsageError
from simsearch.progress import Silent


@pytest.fixture
def folder(tmp_path, tiny, gallery, draw):
    """A closed collection of twelve items, four with labels, and three examples of two identities."""
    for seed in range(4):
        draw(gallery / "cats" / f"{seed}.png", 20 + seed)
    place = tmp_path / "indexes" / "gallery"
    with Collection.create(place, tiny) as made:
        made.add(gallery, labels="folder")
        made.enroll("Ana", [gallery / "0.png", gallery / "1.png"])
        made.enroll("Ben", [draw(tmp_path / "people" / "ben.png", 40)])
    return place


def state(collection):
    """Everything that must survive, by uri."""
    items = {item.uri: (item.label, dict(item.metadata), item.size, item.mtime_ns) for item in collection.items()}
    return items, collection.labels(), collection.info().roots


def held(folder: Path):
    with Collection.open(folder) as opened:
        assert opened.check().clean
        return state(opened), opened.store.setting("fingerprint")


def test_everything_but_the_vectors_is_kept(folder, other, gallery):
    before, _ = held(folder)
    assert rebuild(folder, str(other), Silent()) == ()
    after, fingerprint = held(folder)
    assert after == before
    encoder = open_encoder(other)
    assert fingerprint == encoder.fingerprint
    with Collection.open(folder) as opened:
        items = list(opened.items())
        stored = opened.store.vectors_of([item.content_id for item in items])
        assert stored == pytest.approx(encoder.encode([item.uri for item in items]), abs=1e-5)
        assert opened.recognize(gallery / "1.png", threshold=0.8).label == "Ana"
    assert sorted(path.name for path in folder.parent.iterdir()) == ["gallery"]


def test_the_same_encoder_is_used_when_none_is_named(folder):
    before = held(folder)
    assert rebuild(folder, None, Silent()) == ()
    assert held(folder) == before


def test_lost_files_are_listed(folder, other, gallery, tmp_path):
    (gallery / "5.png").unlink()
    (tmp_path / "people" / "ben.png").unlink()
    lost = rebuild(folder, str(other), Silent())
    assert [(Path(skip.path).name, skip.reason) for skip in lost] == [
        ("5.png", "no such file"),
        ("ben.png", "no such file"),
    ]
    (items, labels, _), _ = held(folder)
    assert len(items) == 11
    assert labels == {"Ana": 2}


def test_when_the_files_are_away_the_old_collection_stays(folder, other, gallery):
    before = held(folder)
    away = gallery.with_name("away")
    gallery.rename(away)
    with pytest.raises(StoreError, match="is a disk away"):
        rebuild(folder, str(other), Silent())
    assert held(folder) == before
    away.rename(gallery)
    assert rebuild(folder, str(other), Silent()) == ()
    assert held(folder)[0] == before[0]


class Stopped(BaseException):
    """Stands for a kill."""


class StopAfter(Silent):
    """Progress that stops the work when it has advanced so far."""

    def __init__(self, left: int) -> None:
        self.left = left

    def advance(self, n: int = 1) -> None:
        self.left -= n
        if self.left < 0:
            raise Stopped


def test_a_rebuild_that_was_stopped_goes_on(folder, other, monkeypatch):
    monkeypatch.setattr("simsearch.collection.adding.storing.TRANSACTION", 4)
    before, _ = held(folder)
    with pytest.raises(Stopped):
        rebuild(folder, str(other), StopAfter(9))
    assert held(folder)[0] == before
    with Collection.open(rebuilding_folder(folder)) as begun:
        assert len(begun) == 8
        ids = {item.uri: item.id for item in begun.items()}
    assert rebuild(folder, str(other), Silent()) == ()
    assert held(folder)[0] == before
    with Collection.open(folder) as opened:
        assert {item.uri: item.id for item in opened.items() if item.uri in ids} == ids


def test_a_rebuild_that_was_begun_for_another_encoder_begins_anew(folder, other, tiny, monkeypatch):
    before = held(folder)
    with pytest.raises(Stopped):
        rebuild(folder, str(other), StopAfter(9))
    assert rebuild(folder, str(tiny), Silent()) == ()
    assert held(folder) == before


def test_a_rebuild_that_goes_on_takes_what_has_changed_meanwhile(folder, other, gallery, draw, monkeypatch):
    monkeypatch.setattr("simsearch.collection.adding.storing.TRANSACTION", 4)
    with pytest.raises(Stopped):
        rebuild(folder, str(other), StopAfter(9))
    with Collection.open(rebuilding_folder(folder)) as begun:
        assert {str(gallery / "0.png"), str(gallery / "1.png")} <= {item.uri for item in begun.items()}
    (gallery / "0.png").unlink()
    draw(gallery / "1.png", 71, (40, 40))
    with Collection.open(folder) as opened:
        opened.add(gallery, labels="folder")
        opened.forget("Ben")
        before = state(opened)
    lost = rebuild(folder, str(other), Silent())
    assert [Path(skip.path).name for skip in lost] == ["0.png"]
    (items, labels, roots), _ = held(folder)
    assert (items, labels, roots) == (before[0], {"Ana": 1}, before[2])


def test_examples_without_a_file_are_lost_and_named(folder, other, image):
    with Collection.open(folder) as opened:
        opened.enroll("Cy", [image(3)])
    lost = rebuild(folder, str(other), Silent())
    assert [(skip.path, skip.reason) for skip in lost] == [("an example of Cy", "it was given without a file")]


def test_own_vectors_cannot_be_encoded_again(tmp_path, other):
    Collection.create(tmp_path / "own", dim=3).close()
    with pytest.raises(UsageError, match="your own vectors"):
        rebuild(tmp_path / "own", str(other), Silent())


@pytest.mark.parametrize("moved", [False, True])
def test_a_stop_in_the_middle_of_the_switch_is_mended_by_opening(folder, other, monkeypatch, moved):
    before, _ = held(folder)

    replaced = replaced_folder(folder)

    def stop(_: Path) -> None:
        assert replaced.is_dir()
        raise Stopped

    monkeypatch.setattr("simsearch.collection.switching.finish_rebuild", stop)
    with pytest.raises(Stopped):
        rebuild(folder, str(other), Silent())
    monkeypatch.undo()
    assert not folder.exists()
    if moved:
        rebuilding_folder(folder).rename(folder)
        assert (folder / COMPLETE).exists()
    after, fingerprint = held(folder)
    assert after == before
    assert fingerprint == open_encoder(other).fingerprint
    assert sorted(path.name for path in folder.parent.iterdir()) == ["gallery"]


def test_nobody_may_write_meanwhile(folder, other, monkeypatch):
    def write(*_: object) -> None:
        with Collection.open(folder) as opened, pytest.raises(LockedError, match="is being written"):
            opened.remove(folder)
        raise Stopped

    monkeypatch.setattr(rebuilding, "_copy", write)
    with pytest.raises(Stopped):
        rebuild(folder, str(other), Silent())
    shutil.rmtree(rebuilding_folder(folder))
    assert held(folder)[0][1] == {"Ana": 2, "Ben": 1}


def test_an_open_collection_is_rebuilt_in_place(folder, other, tiny, gallery):
    (gallery / "5.png").unlink()
    with Collection.open(folder) as opened:
        before = opened.query(gallery / "1.png", 3)
        (lost,) = opened.rebuild(other)
        assert lost.path == str(gallery / "5.png")
        assert (len(opened), opened.encoder.name) == (11, open_encoder(other).name)
        assert opened.query(gallery / "1.png", 3)[0].item.uri == before[0].item.uri
        assert opened.rebuild(open_encoder(tiny)) == ()
        assert opened.encoder.fingerprint == open_encoder(tiny).fingerprint
        assert opened.query(gallery / "1.png", 3)[0].score == pytest.approx(before[0].score)


def test_a_collection_that_could_not_be_rebuilt_answers_as_before(folder, other, gallery):
    with Collection.open(folder) as opened:
        before = opened.query(gallery / "1.png", 3)
        with pytest.raises(EncoderError, match="No encoder 'nope'"):
            opened.rebuild("nope")
        gallery.rename(gallery.with_name("away"))
        with pytest.raises(StoreError, match="is a disk away"):
            opened.rebuild(other)
        assert opened.query(before[0].item, 3) == before
    with pytest.raises(UsageError, match="was closed"):
        opened.rebuild(other)
