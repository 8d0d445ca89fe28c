"""Removing duplicates of a collection: files and items together, undone together, whatever is interrupted."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from scenes import scene

from simsearch.collection import Collection
from simsearch.collection.locking import held
from simsearch.duplicates.removal import apply as applying
from simsearch.duplicates.removal import undo as undoing
from simsearch.duplicates.removal.plan_file import read_plan
from simsearch.errors import LockedError, PlanError, UsageError
from simsearch.store import Store
from simsearch.store.duplicates.removals import Removals

Items = dict[str, tuple[str | None, dict[str, object]]]


@pytest.fixture(scope="session")
def drawn_copies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scene, a smaller copy of it in a folder of its own, an equal file, and another scene."""
    folder = tmp_path_factory.mktemp("copies")
    for name in ("Ana", "Bela"):
        (folder / name).mkdir()
    scene(1).save(folder / "kept.png")
    scene(1).resize((240, 180)).save(folder / "Ana" / "small.png")
    shutil.copyfile(folder / "Ana" / "small.png", folder / "Ana" / "small-again.png")
    (folder / "Ana" / "small.png.xmp").write_text("notes")
    scene(2).save(folder / "Bela" / "other.png")
    for number, path in enumerate(sorted(folder.rglob("*.*"))):
        os.utime(path, (1_700_000_000 + number, 1_700_000_000 + number))
    return folder


@pytest.fixture
def photos(drawn_copies: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(drawn_copies, tmp_path / "photos"))


@pytest.fixture
def collection(photos: Path, tmp_path: Path, tiny: Path) -> Iterator[Collection]:
    with Collection.create(tmp_path / "index", tiny) as made:
        made.add(photos, labels="folder")
        made.enroll("Ana", [photos / "Ana" / "small.png"])
        with made.writing() as store:
            _describe(store, str(photos / "Ana" / "small.png"), {"place": "Rome"})
        yield made


def _describe(store: Store, uri: str, metadata: dict[str, object]) -> None:
    with store._database.writing() as connection:
        connection.exec_driver_sql(
            "UPDATE item SET metadata = ? WHERE uri = ?", (json.dumps(metadata), os.fsencode(uri))
        )


@pytest.fixture
def plan(collection: Collection, tmp_path: Path) -> Path:
    planned = collection.plan_duplicates(tmp_path / "plan.json")
    assert (planned.totals.files, planned.skipped) == (3, ())
    return tmp_path / "plan.json"


def tree(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def items(collection: Collection) -> Items:
    """Paths with labels and metadata, and the places of enrolled examples."""
    found: Items = {item.uri: (item.label, dict(item.metadata)) for item in collection}
    examples, _ = collection.store.examples()
    return found | {f"example {example.label}": (example.uri, {}) for example in examples}


def agree(collection: Collection, photos: Path) -> None:
    """The collection is sound, and has an item for each picture that there is."""
    assert collection.check().clean
    assert {item.uri for item in collection} == {str(path) for path in photos.rglob("*.png")}
    assert collection.add(photos).added == 0


def test_a_plan_names_what_goes_why_and_what_the_kept_item_takes_over(plan: Path, photos: Path) -> None:
    (group,) = read_plan(plan).groups
    assert group.kept.state.path == str(photos / "kept.png")
    assert {file.state.path: [one.role for one in file.companions] for file in group.removed} == {
        str(photos / "Ana" / "small.png"): ["sidecar"],
        str(photos / "Ana" / "small-again.png"): [],
    }
    assert {file.reason for file in group.removed} == {"the one kept has more pixels: 480x360, this 240x180"}
    assert {(one.what, one.key, one.value) for one in group.takes_over} == {
        ("label", None, "Ana"),
        ("metadata", "place", "Rome"),
        ("example", None, "Ana"),
    }


def test_items_go_with_their_files_and_come_back_with_them(
    collection: Collection, plan: Path, photos: Path, tmp_path: Path
) -> None:
    files, before = tree(photos), items(collection)
    done = collection.apply_duplicates(plan)
    assert (done.files.applied, done.items.removed, done.quarantine) == (3, 2, tmp_path / "photos.quarantine")
    kept = str(photos / "kept.png")
    assert items(collection)[kept] == ("Ana", {"place": "Rome"})
    assert items(collection)["example Ana"] == (kept, {})
    agree(collection, photos)
    again = collection.apply_duplicates(plan)
    assert (again.files.applied, again.files.already) == (0, 3)
    undone = collection.undo_duplicates()
    assert (undone.files.restored, undone.items and undone.items.restored) == (3, 2)
    assert (tree(photos), items(collection)) == (files, before)
    agree(collection, photos)
    with pytest.raises(PlanError, match="nothing to undo"):
        collection.undo_duplicates()
    assert collection.apply_duplicates(plan).files.applied == 3


def test_what_was_changed_since_is_not_taken_back(collection: Collection, plan: Path, photos: Path) -> None:
    collection.apply_duplicates(plan)
    (item,) = [item for item in collection if item.uri.endswith("kept.png")]
    with collection.writing() as store:
        store.set_labels([(item.id, "mine")])
    collection.undo_duplicates()
    assert items(collection)[item.uri] == ("mine", {})


def test_a_label_that_was_handed_over_can_be_forgotten(photos: Path, tmp_path: Path, tiny: Path) -> None:
    with Collection.create(tmp_path / "index", tiny) as made:
        made.add(photos)
        made.enroll("Zoe", [photos / "Ana" / "small.png"])
        made.plan_duplicates(tmp_path / "plan.json")
        made.apply_duplicates(tmp_path / "plan.json")
        assert not made.forgotten("Zoe").clean
        assert made.forget("Zoe") == 1
        assert made.forgotten("Zoe").traces == ()
        made.undo_duplicates()
        assert made.labels() == {}


def test_a_removal_outlives_a_rebuild(collection: Collection, plan: Path, photos: Path, other: Path) -> None:
    before = {uri: about for uri, about in items(collection).items() if not uri.startswith("example")}
    collection.apply_duplicates(plan)
    collection.reindex(other)
    undone = collection.undo_duplicates()
    assert undone.items is not None and undone.items.skipped == ()
    after = items(collection)
    assert {uri: after[uri] for uri in before} == before
    agree(collection, photos)


class Killed(BaseException):
    """Stands for the end of the process."""


def dying(patched: pytest.MonkeyPatch, at: int) -> None:
    """From the step of that number on nothing happens any more to files or store: before it, or after if it is even."""
    count = [0]

    def wrapped(function: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **named: Any) -> Any:
            count[0] += 1
            if count[0] > at or (count[0] == at and at % 2):
                raise Killed
            done = function(*arguments, **named)
            if count[0] == at:
                raise Killed
            return done

        return step

    for owner, name in (
        (applying, "take_away"),
        (undoing, "put_back"),
        (Removals, "begin"),
        (Removals, "set_aside"),
        (Removals, "restored"),
        (Removals, "set_settled"),
        (Store, "write"),
    ):
        patched.setattr(owner, name, wrapped(getattr(owner, name)))


@pytest.mark.parametrize("work", ["apply", "undo"])
def test_a_kill_at_any_step_leaves_what_the_next_run_finishes(
    work: str, collection: Collection, plan: Path, photos: Path
) -> None:
    files, before = tree(photos), items(collection)
    collection.apply_duplicates(plan)
    gone, after = tree(photos), items(collection)

    def put_back() -> None:
        while tree(photos) != files or items(collection) != before:
            collection.undo_duplicates()

    def killed(at: int) -> bool:
        if work == "undo":
            collection.apply_duplicates(plan)
        try:
            with pytest.MonkeyPatch.context() as patched:
                dying(patched, at)
                _ = collection.apply_duplicates(plan) if work == "apply" else collection.undo_duplicates()
        except Killed:
            return True
        return False

    put_back()
    for at in range(1, 50):
        went_on = not killed(at)
        if at % 3 == 0:
            # Whoever comes next brings the items into line with the files.
            collection.add(photos)
            agree(collection, photos)
        if work == "undo" or at % 3 == 1:
            put_back()
        collection.apply_duplicates(plan)
        assert (tree(photos), items(collection)) == (gone, after), at
        put_back()
        if went_on:
            break
    assert 6 < at < 49, at
    agree(collection, photos)


def test_a_plan_of_another_collection_or_an_older_state_is_refused(
    collection: Collection, plan: Path, photos: Path, tmp_path: Path, tiny: Path
) -> None:
    with Collection.create(tmp_path / "second", tiny) as second:
        second.add(photos)
        with pytest.raises(PlanError, match="the plan is for another collection"):
            second.apply_duplicates(plan)
    scene(5).save(photos / "new.png")
    collection.add(photos)
    with pytest.raises(PlanError, match="the plan was made at state 1 of the collection, which is at 2 now"):
        collection.apply_duplicates(plan)
    assert len(tree(photos)) == 6


def test_an_edited_plan_is_followed(collection: Collection, plan: Path, photos: Path) -> None:
    document = json.loads(plan.read_text())
    for file in document["groups"][0]["files"]:
        if file["path"].endswith("small.png"):
            file["action"] = "leave"
    plan.write_text(json.dumps(document))
    done = collection.apply_duplicates(plan)
    assert (done.files.applied, done.items.removed) == (1, 1)
    # Nothing is taken over from what stays.
    assert items(collection)[str(photos / "kept.png")] == ("Ana", {})
    agree(collection, photos)


@pytest.mark.parametrize("method", ["hardlink", "symlink"])
def test_what_is_linked_stays_in_the_collection(
    method: Any, collection: Collection, photos: Path, tmp_path: Path
) -> None:
    collection.plan_duplicates(tmp_path / "plan.json", preset="strict")
    files, before = tree(photos), items(collection)
    shutil.copyfile(photos / "kept.png", photos / "same.png")
    os.utime(photos / "same.png", (1, 1))
    collection.add(photos)
    collection.plan_duplicates(tmp_path / "plan.json")
    done = collection.apply_duplicates(tmp_path / "plan.json", method=method)
    assert (done.files.applied, done.items.removed) == (1, 0)
    assert {Path(skip.path).name for skip in done.files.skipped} == {"small.png", "small-again.png"}
    agree(collection, photos)
    assert collection.find_duplicates().skipped == ()
    collection.undo_duplicates()
    assert (photos / "same.png").stat().st_mtime == 1
    assert collection.find_duplicates().skipped == ()
    (photos / "same.png").unlink()
    collection.add(photos)
    assert (tree(photos), items(collection)) == (files, before)


def test_what_changed_or_vanished_stays_and_keeps_its_item(collection: Collection, plan: Path, photos: Path) -> None:
    (photos / "Ana" / "small-again.png").unlink()
    (photos / "Ana" / "small.png").chmod(0o444)
    done = collection.apply_duplicates(plan)
    assert {Path(skip.path).name: skip.reason for skip in done.files.skipped} == {
        "small-again.png": "has vanished",
        "small.png": "is read-only; make it writable and apply the plan again",
    }
    assert done.items.removed == 0
    (photos / "Ana" / "small.png").chmod(0o644)
    assert collection.apply_duplicates(plan).files.applied == 2


def test_a_full_disk_loses_nothing(
    collection: Collection, plan: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, calls = tree(photos), [0]

    def full(*arguments: Any) -> None:
        calls[0] += 1
        if calls[0] == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        take_away(*arguments)

    take_away = applying.take_away
    with monkeypatch.context() as patched:
        patched.setattr(applying, "take_away", full)
        with pytest.raises(PlanError, match="the disk is full"):
            collection.apply_duplicates(plan)
    agree(collection, photos)
    assert collection.apply_duplicates(plan).files.applied > 0
    agree(collection, photos)
    collection.undo_duplicates()
    assert tree(photos) == files


def test_what_was_begun_in_a_quarantine_folder_is_gone_on_with_there(
    collection: Collection, plan: Path, photos: Path, tmp_path: Path
) -> None:
    with pytest.MonkeyPatch.context() as patched, pytest.raises(Killed):
        dying(patched, 3)
        collection.apply_duplicates(plan, quarantine=tmp_path / "aside")
    done = collection.apply_duplicates(plan)
    assert done.quarantine == tmp_path / "aside"
    assert (done.files.skipped, done.items.removed) == ((), 2)
    agree(collection, photos)


def test_two_at_once_is_refused(collection: Collection, plan: Path) -> None:
    with held(collection.folder), pytest.raises(LockedError, match="is being written by process"):
        collection.apply_duplicates(plan)


def test_a_journal_of_another_collection_is_refused(
    collection: Collection, plan: Path, photos: Path, tmp_path: Path, tiny: Path
) -> None:
    done = collection.apply_duplicates(plan)
    assert done.files.journal is not None
    with (
        Collection.create(tmp_path / "second", tiny) as second,
        pytest.raises(UsageError, match="is not of this collection"),
    ):
        second.undo_duplicates(done.files.journal)
    assert collection.undo_duplicates(done.files.journal.parent).files.restored == 3


def picture(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    scene(seed).save(path)


def beside(path: Path, suffix: str, content: bytes) -> None:
    path.with_suffix(suffix).write_bytes(content)


@pytest.mark.parametrize(
    ("raws", "kept", "actions"),
    [
        ({"b/x.png": b"raw"}, "b/x.png", {"a/x.png": "remove"}),
        ({"a/x.png": b"raw", "b/x.png": b"raw"}, "a/x.png", {"b/x.png": "remove"}),
        ({"a/x.png": b"raw", "b/x.png": b"another"}, "a/x.png", {"b/x.png": "leave"}),
    ],
)
def test_no_raw_file_is_split_from_its_picture_or_lost(
    raws: dict[str, bytes], kept: str, actions: dict[str, str], tmp_path: Path, tiny: Path
) -> None:
    photos = tmp_path / "pictures"
    for name in ("a/x.png", "b/x.png"):
        picture(photos / name, 1)
        os.utime(photos / name, (1, 1))
    for name, content in raws.items():
        beside(photos / name, ".CR2", content)
    with Collection.create(tmp_path / "index", tiny) as made:
        made.add(photos)
        made.plan_duplicates(tmp_path / "plan.json")
    (group,) = read_plan(tmp_path / "plan.json").groups
    assert group.kept.state.path == str(photos / kept)
    others = [file for file in group.files if file.action != "keep"]
    assert {Path(file.state.path).relative_to(photos).as_posix(): file.action for file in others} == actions


def test_a_pair_of_formats_shares_its_film(tmp_path: Path, tiny: Path) -> None:
    photos = tmp_path / "pictures"
    picture(photos / "x.png", 1)
    Image.open(photos / "x.png").save(photos / "x.bmp")
    beside(photos / "x.png", ".mov", b"film")
    with Collection.create(tmp_path / "index", tiny) as made:
        made.add(photos)
        made.plan_duplicates(tmp_path / "plan.json")
    plan = read_plan(tmp_path / "plan.json")
    assert [len(file.companions) for file in plan.groups[0].files] == [0, 0]
    assert len(plan.groups[0].removed) == 1


def test_of_several_frames_none_is_lost(tmp_path: Path, tiny: Path) -> None:
    photos = tmp_path / "pictures"
    picture(photos / "first.png", 1)
    for name, second in (("a.tif", 2), ("b.tif", 3)):
        scene(1).save(photos / name, save_all=True, append_images=[scene(second)])
    with Collection.create(tmp_path / "index", tiny) as made:
        made.add(photos)
        made.plan_duplicates(tmp_path / "plan.json")
        kinds = {pair.kind for pair in made.find_duplicates().pairs}
    assert kinds == {"resized or recompressed"}
    (group,) = read_plan(tmp_path / "plan.json").groups
    actions = {Path(file.state.path).name: file.action for file in group.files}
    assert actions == {"a.tif": "keep", "b.tif": "leave", "first.png": "remove"}
