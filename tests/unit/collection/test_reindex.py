"""Making a collection anew for another encoder."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from simsearch.collection import Collection, locking
from simsearch.collection.reindexing import encoder_change
from simsearch.collection.reindexing.encoder_change import reindex
from simsearch.collection.switching import COMPLETE, previous_folder, rebuilding_folder
from simsearch.encoders import open_encoder
from simsearch.errors import EncoderError, LockedError, SimsearchError, StoreError, UsageError
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
    assert reindex(folder, str(other), Silent()).lost == ()
    after, fingerprint = held(folder)
    assert after == before
    encoder = open_encoder(other)
    assert fingerprint == encoder.fingerprint
    with Collection.open(folder) as opened:
        items = list(opened.items())
        stored = opened.store.vectors_of([item.content_id for item in items])
        assert stored == pytest.approx(encoder.encode([item.uri for item in items]), abs=1e-5)
        assert opened.recognize(gallery / "1.png", threshold=0.8).label == "Ana"
    assert sorted(path.name for path in folder.parent.iterdir()) == ["gallery", "gallery.previous"]


def test_the_same_encoder_is_used_when_none_is_named(folder):
    before = held(folder)
    assert reindex(folder, None, Silent()).lost == ()
    assert held(folder) == before


def test_lost_files_are_listed(folder, other, gallery, tmp_path):
    (gallery / "5.png").unlink()
    (tmp_path / "people" / "ben.png").unlink()
    lost = reindex(folder, str(other), Silent()).lost
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
        reindex(folder, str(other), Silent())
    assert held(folder) == before
    away.rename(gallery)
    assert reindex(folder, str(other), Silent()).lost == ()
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


def test_a_reindex_that_was_stopped_goes_on(folder, other, monkeypatch):
    monkeypatch.setattr("simsearch.collection.adding.storing.TRANSACTION", 4)
    before, _ = held(folder)
    with pytest.raises(Stopped):
        reindex(folder, str(other), StopAfter(9))
    assert held(folder)[0] == before
    with Collection.open(rebuilding_folder(folder)) as begun:
        assert len(begun) == 8
        ids = {item.uri: item.id for item in begun.items()}
    assert reindex(folder, str(other), Silent()).lost == ()
    assert held(folder)[0] == before
    with Collection.open(folder) as opened:
        assert {item.uri: item.id for item in opened.items() if item.uri in ids} == ids


def test_a_reindex_that_was_begun_for_another_encoder_begins_anew(folder, other, tiny, monkeypatch):
    before = held(folder)
    with pytest.raises(Stopped):
        reindex(folder, str(other), StopAfter(9))
    assert reindex(folder, str(tiny), Silent()).lost == ()
    assert held(folder) == before


def test_a_reindex_that_goes_on_takes_what_has_changed_meanwhile(folder, other, gallery, draw, monkeypatch):
    monkeypatch.setattr("simsearch.collection.adding.storing.TRANSACTION", 4)
    with pytest.raises(Stopped):
        reindex(folder, str(other), StopAfter(9))
    with Collection.open(rebuilding_folder(folder)) as begun:
        assert {str(gallery / "0.png"), str(gallery / "1.png")} <= {item.uri for item in begun.items()}
    (gallery / "0.png").unlink()
    draw(gallery / "1.png", 71, (40, 40))
    with Collection.open(folder) as opened:
        opened.add(gallery, labels="folder")
        opened.forget("Ben")
        before = state(opened)
    lost = reindex(folder, str(other), Silent()).lost
    assert [Path(skip.path).name for skip in lost] == ["0.png"]
    (items, labels, roots), _ = held(folder)
    assert (items, labels, roots) == (before[0], {"Ana": 1}, before[2])


def test_examples_without_a_file_are_lost_and_named(folder, other, image):
    with Collection.open(folder) as opened:
        opened.enroll("Cy", [image(3)])
    lost = reindex(folder, str(other), Silent()).lost
    assert [(skip.path, skip.reason) for skip in lost] == [("an example of Cy", "it was given without a file")]


def test_own_vectors_cannot_be_encoded_again(tmp_path, other):
    Collection.create(tmp_path / "own", dim=3).close()
    with pytest.raises(UsageError, match="your own vectors"):
        reindex(tmp_path / "own", str(other), Silent())


@pytest.mark.parametrize("moved", [False, True])
def test_a_stop_in_the_middle_of_the_switch_is_mended_by_opening(folder, other, monkeypatch, moved):
    before, _ = held(folder)

    replaced = previous_folder(folder)

    def stop(_: Path) -> None:
        assert replaced.is_dir()
        raise Stopped

    monkeypatch.setattr("simsearch.collection.switching.finish_rebuild", stop)
    with pytest.raises(Stopped):
        reindex(folder, str(other), Silent())
    monkeypatch.undo()
    assert not folder.exists()
    if moved:
        rebuilding_folder(folder).rename(folder)
        assert (folder / COMPLETE).exists()
    after, fingerprint = held(folder)
    assert after == before
    assert fingerprint == open_encoder(other).fingerprint
    assert sorted(path.name for path in folder.parent.iterdir()) == ["gallery", "gallery.previous"]


def test_what_is_written_while_it_encodes_is_carried_over(folder, other, gallery, draw, monkeypatch):
    """Others may write until the switch; it takes over what they have acknowledged."""
    compare = encoder_change.compare

    def write(*states):
        with Collection.open(folder) as opened:
            opened.remove(gallery / "5.png")
            draw(gallery / "late.png", 72)
            opened.add(gallery)
            opened.enroll("Cy", [gallery / "7.png"])
            opened.forget("Ben")
        return compare(*states)

    monkeypatch.setattr(encoder_change, "compare", write)
    assert reindex(folder, str(other), Silent()).lost == ()
    (items, labels, _), fingerprint = held(folder)
    assert str(gallery / "late.png") in items
    assert labels == {"Ana": 2, "Cy": 1}
    assert fingerprint == open_encoder(other).fingerprint


def test_nobody_may_write_while_it_switches(folder, other, monkeypatch):
    def switch(_):
        with Collection.open(folder) as opened, pytest.raises(LockedError, match="is being written"):
            opened.remove(folder)
        raise Stopped

    monkeypatch.setattr(encoder_change, "replace_by_rebuilt", switch)
    with pytest.raises(Stopped):
        reindex(folder, str(other), Silent())
    assert held(folder)[0][1] == {"Ana": 2, "Ben": 1}


def test_an_open_collection_is_rebuilt_in_place(folder, other, tiny, gallery):
    (gallery / "5.png").unlink()
    with Collection.open(folder) as opened:
        before = opened.query(gallery / "1.png", 3)
        (lost,) = opened.reindex(other).lost
        assert lost.path == str(gallery / "5.png")
        assert (len(opened), opened.encoder.name) == (11, open_encoder(other).name)
        assert opened.query(gallery / "1.png", 3)[0].item.uri == before[0].item.uri
        assert opened.reindex(open_encoder(tiny)).lost == ()
        assert opened.encoder.fingerprint == open_encoder(tiny).fingerprint
        assert opened.query(gallery / "1.png", 3)[0].score == pytest.approx(before[0].score)


def test_a_collection_that_could_not_be_rebuilt_answers_as_before(folder, other, gallery):
    with Collection.open(folder) as opened:
        before = opened.query(gallery / "1.png", 3)
        with pytest.raises(EncoderError, match="No encoder 'nope'"):
            opened.reindex("nope")
        gallery.rename(gallery.with_name("away"))
        with pytest.raises(StoreError, match="is a disk away"):
            opened.reindex(other)
        assert opened.query(before[0].item, 3) == before
    with pytest.raises(UsageError, match="was closed"):
        opened.reindex(other)


def test_readers_of_the_old_state_are_answered_from_it_alone(folder, other, gallery):
    """Also the index, which is loaded when it is first needed, is that of the store that is open."""
    with Collection.open(folder) as loaded, Collection.open(folder) as waiting:
        before = loaded.query(gallery / "1.png", 5)
        expected = waiting.encoder.encode([gallery / "2.png"])
        reindex(folder, str(other), Silent())
        assert loaded.query(gallery / "1.png", 5) == before
        found, _ = waiting.search(expected, 1)
        (item,) = waiting.store.items_of(found[0].tolist())[int(found[0, 0])]
        assert item.uri.endswith("2.png")
        assert waiting.query(gallery / "1.png", 5) == before
        waiting.refresh()
        assert waiting.encoder.fingerprint == open_encoder(other).fingerprint
        after = waiting.query(gallery / "1.png", 5)
        assert after[0].item.uri == before[0].item.uri
        assert [match.score for match in after] != [match.score for match in before]
    assert held(folder)[1] == open_encoder(other).fingerprint


def test_a_writer_that_has_the_old_state_open_writes_to_the_new(folder, other, tiny, gallery):
    with Collection.open(folder) as writer:
        writer.search(writer.encoder.encode([gallery / "0.png"]))
        reindex(folder, str(other), Silent())
        assert writer.remove(gallery / "0.png") == 1
        assert writer.encoder.fingerprint == open_encoder(other).fingerprint
        assert writer.query(gallery / "1.png", 1)[0].score == pytest.approx(1.0)
    assert len(held(folder)[0][0]) == 11


def test_how_neighbors_change_is_reported(folder, other, tiny, tmp_path):
    same = reindex(folder, str(tiny), Silent())
    assert (same.change.overlap.value, same.change.k, same.change.sampled) == (1.0, 10, 12)
    changed = reindex(folder, str(other), Silent())
    overlap = changed.change.overlap
    assert overlap.low <= overlap.value <= overlap.high
    assert [path.name for path in changed.save(tmp_path / "change.png")] == ["change.png"]
    with pytest.raises(UsageError, match="cannot be"):
        changed.save(tmp_path / "change.txt")


def test_the_overlap_is_that_of_exact_neighbors(folder, other):
    def neighbors():
        with Collection.open(folder) as opened:
            items = {item.content_id: item for item in opened.items()}
            vectors = opened.store.vectors_of(list(items))
            scores = vectors @ vectors.T
            return {
                item.uri: {list(items.values())[n].uri for n in (-row).argsort()[:11].tolist()} - {item.uri}
                for item, row in zip(items.values(), scores, strict=True)
            }

    before = neighbors()
    report = reindex(folder, str(other), Silent())
    after = neighbors()
    shares = [len(before[uri] & after[uri]) / 10 for uri in before]
    assert report.change.overlap.value == pytest.approx(sum(shares) / len(shares))


def test_a_dry_run_switches_nothing_and_the_next_run_is_done_at_once(folder, other, tiny, counting):
    before = held(folder)
    with Collection.open(folder) as opened:
        report = opened.reindex(other, dry_run=True)
        assert (report.switched, report.items) == (False, 12)
        assert opened.encoder.fingerprint == open_encoder(tiny).fingerprint
    assert held(folder) == before
    counting.fingerprint = open_encoder(other).fingerprint
    assert reindex(folder, counting, Silent()).switched
    assert counting.taken() == 0
    assert held(folder)[1] == open_encoder(other).fingerprint


def test_a_roll_back_takes_along_what_has_changed_since(folder, other, tiny, gallery, draw, image):
    with Collection.open(folder) as opened:
        opened.enroll("Dee", [image(5)])
        vectors = dict(zip([e.label for e in opened.examples()], opened.store.examples()[1], strict=True))
        assert [skip.path for skip in opened.reindex(other).lost] == ["an example of Dee"]
        opened.remove(gallery / "5.png")
        draw(gallery / "late.png", 72)
        opened.add(gallery / "late.png")
        opened.rename("Ben", "Benjamin")
        opened.enroll("Eve", [gallery / "7.png"])
        after = state(opened)
        report = opened.roll_back()
        assert (report.lost, report.encoder) == ((), str(tiny))
        assert opened.encoder.fingerprint == open_encoder(tiny).fingerprint
        assert state(opened) == after
        back = dict(zip([e.label for e in opened.examples()], opened.store.examples()[1], strict=True))
        assert back["Benjamin"].tolist() == vectors["Ben"].tolist()
        assert opened.query(gallery / "late.png", 1)[0].score == pytest.approx(1.0)
        assert opened.check().clean
        assert opened.roll_back().encoder == str(other)
        assert opened.discard_previous()
        assert not opened.discard_previous()
        with pytest.raises(UsageError, match="no previous state"):
            opened.roll_back()


def test_the_same_change_again_does_not_replace_the_state_that_is_kept(folder, other, tiny):
    assert reindex(folder, str(other), Silent()).switched
    with pytest.raises(UsageError, match=r"is encoded by .* already, and its state with .* is kept for --rollback"):
        reindex(folder, str(other), Silent())
    assert held(previous_folder(folder))[1] == open_encoder(tiny).fingerprint
    assert reindex(folder, None, Silent()).switched
    assert held(previous_folder(folder))[1] == open_encoder(other).fingerprint
    assert reindex(folder, str(other), Silent()).switched


def test_a_roll_back_that_was_stopped_goes_on(folder, other, monkeypatch):
    before = held(folder)
    reindex(folder, str(other), Silent())
    with monkeypatch.context() as patch:
        patch.setattr(encoder_change, "replace_by_rebuilt", lambda _: (_ for _ in ()).throw(Stopped))
        with Collection.open(folder) as opened, pytest.raises(Stopped):
            opened.roll_back()
    assert held(folder)[1] == open_encoder(other).fingerprint
    with Collection.open(folder) as opened:
        opened.roll_back()
    assert held(folder) == before


def test_what_is_forgotten_is_forgotten_in_the_kept_states_too(folder, other, tiny, gallery):
    with Collection.open(folder) as opened:
        (vector,) = [v for e, v in zip(opened.examples(), opened.store.examples()[1], strict=True) if e.label == "Ben"]
        opened.reindex(other)
        # Before it was renamed the kept state knows it by another label.
        opened.rename("Ben", "Benjamin")
        opened.reindex(tiny, dry_run=True)
        assert not opened.forgotten("Ben").clean
        assert opened.forget("Benjamin") == 1
        assert opened.forgotten("Benjamin").clean
        assert opened.forgotten("Ben").traces == ()
        assert opened.forget_example(gallery / "0.png") == 1
    for place in (previous_folder(folder), rebuilding_folder(folder)):
        assert [path for path in place.iterdir() if vector.tobytes() in path.read_bytes()] == []
        with Collection.open(place) as kept:
            assert kept.labels() == {"Ana": 1}
    with Collection.open(folder) as opened:
        opened.roll_back()
        assert opened.labels() == {"Ana": 1}


def test_what_is_forgotten_while_it_encodes_is_not_carried_over(folder, other, tmp_path, monkeypatch):
    compare = encoder_change.compare
    vector = open_encoder(other).encode([tmp_path / "people" / "ben.png"])[0]

    def forget(old, new):
        with new.writing(), Collection.open(folder) as opened:
            assert opened.forget("Ben") == 1
        return compare(old, new)

    monkeypatch.setattr(encoder_change, "compare", forget)
    with Collection.open(folder) as opened:
        opened.reindex(other)
        assert opened.labels() == {"Ana": 2}
        assert opened.forgotten("Ben").clean
    assert [path for path in folder.iterdir() if vector.tobytes() in path.read_bytes()] == []


def test_two_that_encode_at_once_do_not_switch_to_what_is_half_there(folder, other, tiny, monkeypatch):
    compare = encoder_change.compare

    def begin_another(*states):
        monkeypatch.undo()
        with pytest.raises(Stopped):
            reindex(folder, str(tiny), StopAfter(3))
        return compare(*states)

    before = held(folder)
    monkeypatch.setattr(encoder_change, "compare", begin_another)
    with pytest.raises(StoreError, match="by another process meanwhile"):
        reindex(folder, str(other), Silent())
    assert held(folder) == before
    assert reindex(folder, str(other), Silent()).switched


def test_what_another_process_is_encoding_is_not_removed(folder, other, tiny):
    with pytest.raises(Stopped):
        reindex(folder, str(other), StopAfter(3))
    with locking.held(rebuilding_folder(folder)), pytest.raises(LockedError, match="rebuilding is being written"):
        reindex(folder, str(tiny), Silent())
    assert reindex(folder, str(other), Silent()).switched


def test_what_users_have_set_is_carried_over(folder, other):
    with Collection.open(folder) as opened:
        opened.tune(recall=0.9, memory="1GB")
        before = opened.store.chosen_settings()
        assert len(before) == 2
        opened.reindex(other)
        assert opened.store.chosen_settings() == before
        opened.tune(recall=0.95)
        opened.roll_back()
        assert opened.store.chosen_settings() == before | {"index_recall": "0.95"}


def test_other_threads_with_the_same_object_are_answered_from_one_state(folder, other, tiny, gallery):
    """While it turns to the new state, back, and forth again."""
    query = gallery / "1.png"
    scores = {}
    with Collection.open(folder) as opened:
        for encoder in (tiny, other):
            opened.reindex(encoder)
            scores[encoder] = {(m.item.uri, round(m.score, 4)) for m in opened.query(query, 5)}
        stop, wrong, answers = threading.Event(), list[object](), [0] * 4

        def ask(number):
            while not stop.is_set():
                try:
                    found = {(m.item.uri, round(m.score, 4)) for m in opened.query(query, 5)}
                    if found not in scores.values():
                        wrong.append(found)
                    opened.recognize(query)
                    answers[number] += 1
                except SimsearchError as error:
                    wrong.append(error)

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(6):
            opened.roll_back()
        stop.set()
        for thread in threads:
            thread.join()
    assert wrong == []
    assert min(answers) > 0
