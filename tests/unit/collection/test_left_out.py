"""Files of a folder that do not count: left out and counted, remembered, and taken out where they were in."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from simsearch.collection import Collection
from simsearch.labelled.reading import read_labelled


@pytest.fixture
def collection(tmp_path, counting) -> Iterator[Collection]:
    with Collection.create(tmp_path / "indexes" / "gallery", counting) as made:
        yield made


def names(collection: Collection, root: Path) -> list[str]:
    return [Path(item.uri).relative_to(root).as_posix() for item in collection.items()]


def test_items_of_what_does_not_count_any_more_go_however_many_they_are(collection, gallery):
    for name in ("one", "two"):
        shutil.copytree(gallery, gallery.parent / "all" / name)
    root = gallery.parent / "all"
    assert collection.add(root).added + collection.add(root).unchanged == 8 + 16
    report = collection.add(root, exclude=["/one/", "two/[1-7].png"])
    assert (report.unchanged, report.removed, report.kept) == (1, 15, 0)
    assert report.left_out == {"excluded": 8}
    assert names(collection, root) == ["two/0.png"]


def test_the_choice_is_remembered_until_another_is_given_also_by_a_rebuild(collection, gallery, draw):
    draw(gallery / ".hidden.png", 90)
    assert collection.add(gallery, exclude=["[0-5].png"], include_hidden=True).added == 3
    collection.reindex(collection.encoder)
    again = collection.add(gallery)
    assert (again.unchanged, again.left_out) == (3, {"excluded": 6})
    assert names(collection, gallery) == [".hidden.png", "6.png", "7.png"]
    chosen = {"exclude": "[0-5].png", "include_hidden": "true"}
    assert collection.info().readings == {str(gallery): chosen}
    last = collection.add(gallery, exclude=[], include_hidden=False)
    assert (last.added, last.unchanged, last.removed, last.left_out) == (6, 2, 1, {"hidden": 1})


def test_training_material_has_no_thumbnails_as_classes_and_takes_patterns(tmp_path, draw):
    for name in ("cat/1.png", "cat/@eaDir/1.png/thumb.png", "dog/1.png", "dog/@eaDir/1.png/thumb.png", "old/1.png"):
        draw(tmp_path / name, 1)
    found = read_labelled(tmp_path, exclude=["old/"])
    assert found.classes == ("cat", "dog")
    assert [(skip.reason, skip.count) for skip in found.skipped] == [
        ("left out (@eaDir, 2 in all)", 2),
        ("left out (excluded)", 1),
    ]
