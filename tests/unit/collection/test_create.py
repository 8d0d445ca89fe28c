"""Making collections, with encoders that fail, and labels for what is put in."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from simsearch.collection import Collection, locking, making
from simsearch.encoders import open_encoder
from simsearch.errors import EncoderError, EncoderMismatchError, LockedError, SimsearchError, UsageError, VectorError
from simsearch.store import Store
from simsearch.types import AddReport, Skip


@pytest.fixture
def collection(tmp_path, counting) -> Iterator[Collection]:
    with Collection.create(tmp_path / "indexes" / "gallery", counting) as made:
        yield made


def test_labels_come_from_folders(collection, tmp_path, draw):
    root = tmp_path / "root"
    draw(root / "cats" / "0.png", 0)
    draw(root / "dogs" / "small" / "1.png", 1)
    draw(root / "2.png", 2)
    assert collection.add(root, labels="folder").added == 3
    labels = {Path(item.uri).name: item.label for item in collection.items()}
    assert labels == {"0.png": "cats", "1.png": "dogs/small", "2.png": None}


def test_labels_come_from_a_table_also_for_items_that_are_there(collection, counting, gallery, tmp_path):
    collection.add(gallery)
    counting.taken()
    table = tmp_path / "labels.csv"
    table.write_text("path,label\ngallery/0.png,cat\ngallery/1.png,dog\ngallery/none.png,bird\n", encoding="utf-8")
    assert collection.add(gallery, labels=str(table)) == AddReport(unchanged=8)
    assert counting.taken() == 0
    labels = {Path(item.uri).name: item.label for item in collection.items()}
    assert labels == {f"{n}.png": {0: "cat", 1: "dog"}.get(n) for n in range(8)}
    assert collection.add(gallery) == AddReport(unchanged=8)
    assert {item.label for item in collection.items()} == {"cat", "dog", None}


def test_a_file_on_its_own_has_the_name_of_its_folder(collection, tmp_path, draw):
    path = draw(tmp_path / "birds" / "0.png", 0)
    assert collection.add(path, labels="folder").added == 1
    assert [item.label for item in collection.items()] == ["birds"]


@pytest.mark.parametrize("text", [None, "file,class\na,b\n", "\x00"])
def test_a_table_without_its_columns_is_refused(collection, gallery, tmp_path, text):
    table = tmp_path / "labels.csv"
    if text is not None:
        table.write_text(text)
    with pytest.raises(UsageError, match=r"labels\.csv"):
        collection.add(gallery, labels=str(table))
    assert len(collection) == 0


class Failing:
    """An encoder that gives no vector for pictures whose first pixel has this colour."""

    def __init__(self, inner) -> None:
        self.inner, self.name, self.fingerprint = inner, inner.name, inner.fingerprint
        self.modality, self.dim = inner.modality, inner.dim

    def prepare(self, source):
        return self.inner.prepare(source)

    def embed(self, prepared):
        if any((one.pixels == 255).all() for one in prepared):
            raise VectorError("a white picture")
        return self.inner.embed(prepared)


def test_a_picture_without_a_vector_is_skipped_alone(tmp_path, tiny, gallery, draw):
    from PIL import Image

    Image.new("RGB", (9, 9), "white").save(gallery / "4-white.png")
    with Collection.create(tmp_path / "col", Failing(open_encoder(tiny))) as made:
        report = made.add(gallery)
        assert report == AddReport(added=8, skipped=(Skip(str(gallery / "4-white.png"), "a white picture"),))
        assert made.check().clean


def test_creating_needs_an_encoder_or_a_length_and_a_free_place(tmp_path, tiny, collection):
    with pytest.raises(UsageError, match="either"):
        Collection.create(tmp_path / "x")
    with pytest.raises(UsageError, match="either"):
        Collection.create(tmp_path / "x", tiny, dim=3)
    with pytest.raises(UsageError, match="already"):
        Collection.create(collection.folder, tiny)
    with pytest.raises(EncoderError, match="No encoder 'nope'"):
        Collection.create(tmp_path / "x", "nope")
    (tmp_path / "file").write_text("")
    with pytest.raises(SimsearchError, match="cannot be made"):
        Collection.create(tmp_path / "file" / "x", tiny)
    assert not (tmp_path / "x").exists()


def test_a_closed_collection_says_so(collection, gallery):
    collection.close()
    with pytest.raises(UsageError, match="was closed"):
        collection.query(gallery / "0.png")


def test_open_or_create_makes_a_collection_once(tmp_path, tiny, other, gallery):
    folder = tmp_path / "indexes" / "gallery"
    with Collection.open_or_create(folder, tiny) as made:
        assert made.add(gallery).added == 8
    for encoder in (tiny, str(tiny), open_encoder(tiny), None):
        with Collection.open_or_create(folder, encoder) as opened:
            assert len(opened) == 8
    for encoder in (other, open_encoder(other)):
        with pytest.raises(EncoderMismatchError, match=r"not with other .*Collection\.reindex"):
            Collection.open_or_create(folder, encoder)
    with pytest.raises(UsageError, match=r"was built with encoder .*tiny, which dim=24 does not fit"):
        Collection.open_or_create(folder, dim=24)


def test_open_or_create_of_own_vectors_asks_for_the_same_length(tmp_path, tiny):
    for _ in range(2):
        with Collection.open_or_create(tmp_path / "own", dim=3) as own:
            assert own.dim == 3
            own.add_vectors(["a"], [[1, 0, 0]])
    with pytest.raises(UsageError, match="holds vectors of 3, which dim=4 does not fit"):
        Collection.open_or_create(tmp_path / "own", dim=4)
    with pytest.raises(EncoderMismatchError, match="holds your own vectors"):
        Collection.open_or_create(tmp_path / "own", tiny)
    with pytest.raises(UsageError, match="needs either"):
        Collection.open_or_create(tmp_path / "new")


def test_an_empty_collection_is_bound_to_what_is_given_next(tmp_path, tiny, other, gallery):
    folder = tmp_path / "col"
    Collection.create(folder, tiny).close()
    with Collection.open_or_create(folder, dim=5) as own:
        assert (own.dim, own.info().encoder, own.info().modality) == (5, "", "vector")
    with Collection.open(folder) as early, Collection.open_or_create(folder, other) as late:
        late.add(gallery)
        assert (late.dim, late.info().encoder) == (24, str(other))
        assert late.query(gallery / "3.png", 1)[0].item.uri == str(gallery / "3.png")
        assert late.check().clean
        assert early.info().encoder == str(other)


def test_what_was_opened_before_the_binding_changed_cannot_be_written_by_the_old_encoder(
    tmp_path, tiny, other, gallery
):
    with Collection.create(tmp_path / "col", open_encoder(tiny)) as early:
        assert early.encoder.fingerprint == open_encoder(tiny).fingerprint
        with Collection.open_or_create(tmp_path / "col", other):
            pass
        with pytest.raises(EncoderMismatchError, match="is loaded"):
            early.add(gallery)
        with pytest.raises(EncoderMismatchError, match="is loaded"):
            early.enroll("Ana", [gallery / "0.png"])
        assert len(early) == 0


def test_an_encoder_that_was_moved_is_found_at_the_place_given_and_remembered(tmp_path, tiny, other, gallery):
    old, new = tmp_path / "old", tmp_path / "new"
    shutil.copytree(tiny, old)
    with Collection.create(tmp_path / "col", old) as made:
        made.add(gallery)
    old.rename(new)
    outside = (gallery / "0.png").read_bytes()
    with (
        Collection.open(tmp_path / "col") as lost,
        pytest.raises(EncoderError, match=rf"{old} .*not there any more.*--encoder FOLDER"),
    ):
        lost.query(outside)
    with Collection.open(tmp_path / "col", other) as wrong, pytest.raises(EncoderMismatchError):
        wrong.query(outside)
    with Collection.open(tmp_path / "col", new) as found:
        assert found.query(outside, 1)[0].score == pytest.approx(1)
    with Collection.open(tmp_path / "col") as remembered:
        assert remembered.info().encoder == str(new)
        assert remembered.query(outside, 1)[0].score == pytest.approx(1)
    shutil.copytree(new, tmp_path / "copy")
    with Collection.open(tmp_path / "col", tmp_path / "copy") as copied:
        assert copied.query(outside, 1)[0].score == pytest.approx(1)
        assert copied.info().encoder == str(new), "the recorded place is good, so it stays"


def test_of_two_that_make_one_collection_both_get_the_same(tmp_path, tiny):
    folder, barrier = tmp_path / "col", threading.Barrier(2)

    def make():
        encoder = open_encoder(tiny)
        barrier.wait()
        with Collection.open_or_create(folder, encoder) as made:
            return made.info().fingerprint

    with ThreadPoolExecutor(2) as pool:
        found = [each.result() for each in [pool.submit(make), pool.submit(make)]]
    assert found == [open_encoder(tiny).fingerprint] * 2


def test_who_makes_a_collection_is_told(tmp_path, tiny, monkeypatch):
    folder = tmp_path / "col"
    folder.mkdir()
    monkeypatch.setattr(making, "PATIENCE", 0)
    with locking.held(folder):
        with pytest.raises(LockedError, match=f"being written by process {os.getpid()}"):
            Collection.open_or_create(folder, tiny)
        Store.create(folder / "collection.sqlite", making.pin(tiny, None)[1]).close()
        with pytest.raises(UsageError, match="already"):
            Collection.create(folder, tiny)


def test_a_collection_is_withdrawn_only_when_it_is_empty_and_free(tmp_path, tiny, gallery):
    folder = tmp_path / "col"
    Collection.create(folder, tiny).close()
    with locking.held(folder):
        making.withdraw(folder)
        assert (folder / "collection.sqlite").exists()
    (folder / "notes.txt").write_text("mine")
    making.withdraw(folder)
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]
    (folder / "notes.txt").unlink()
    with Collection.create(folder, tiny) as made:
        made.enroll("Ana", [gallery / "0.png"])
    making.withdraw(folder)
    with Collection.open(folder) as kept:
        assert kept.labels() == {"Ana": 1}
        kept.forget("Ana")
    making.withdraw(folder)
    assert not folder.exists()
