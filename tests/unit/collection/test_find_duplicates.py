"""Duplicates of a collection: their kinds and groups, what is kept and why, and that nothing is compared twice."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageEnhance, ImageOps
from scenes import scene

from simsearch.collection import Collection
from simsearch.collection.duplicates import comparing
from simsearch.collection.duplicates.report import DuplicateReport
from simsearch.duplicates.finding import proving, screening
from simsearch.errors import MissingExtraError, UsageError


def save(folder: Path, name: str, picture: Image.Image, **options: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    picture.save(folder / name, **options)
    return folder / name


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copies of two scenes, and two others."""
    folder = tmp_path_factory.mktemp("drawn")
    one, other = scene(1), scene(2)
    save(folder, "one.png", one)
    shutil.copyfile(folder / "one.png", folder / "one-again.png")
    save(folder, "one.bmp", one)
    save(folder, "one-small.jpg", one.resize((240, 180)), quality=85)
    save(folder, "one-dark.jpg", ImageEnhance.Brightness(one).enhance(0.85), quality=92)
    save(folder, "other.jpg", other, quality=95)
    save(folder, "other-framed.png", ImageOps.expand(other, 12, "white"))
    save(folder, "third.png", scene(3))
    save(folder, "fourth.png", scene(4))
    for number, path in enumerate(sorted(folder.iterdir())):
        os.utime(path, (1_700_000_000 + number, 1_700_000_000 + number))
    return folder


@pytest.fixture
def photos(drawn: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(drawn, tmp_path / "photos"))


@pytest.fixture
def collection(photos: Path, tmp_path: Path, tiny: Path) -> Iterator[Collection]:
    with Collection.create(tmp_path / "index", tiny) as made:
        made.add(photos)
        yield made


def pairs(report: DuplicateReport) -> dict[tuple[str, str], str]:
    return {(Path(pair.a).name, Path(pair.b).name): pair.kind for pair in report.pairs}


def groups(report: DuplicateReport) -> list[tuple[str, set[str]]]:
    return [
        (Path(group.kept.item.uri).name, {Path(copy.item.uri).name for copy in group.copies}) for group in report.groups
    ]


@pytest.fixture
def examined(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts the pairs whose pictures are compared."""
    counts = [0]

    def counting(left: screening.Sketch, rights: Sequence[screening.Sketch]) -> list[bool]:
        counts[0] += len(rights)
        return screening.promising(left, rights)

    monkeypatch.setattr(proving, "promising", counting)
    return counts


def test_each_copy_is_found_with_its_kind_and_tied_to_the_one_that_is_kept(collection: Collection) -> None:
    report = collection.find_duplicates()
    assert groups(report) == [
        ("one-again.png", {"one.png", "one.bmp", "one-small.jpg", "one-dark.jpg"}),
        ("other.jpg", {"other-framed.png"}),
    ]
    found = pairs(report)
    assert len(found) == len(report.pairs) == 11
    assert found["one-again.png", "one.png"] == "exact"
    assert found["one.bmp", "one.png"] == found["one-again.png", "one.bmp"] == "same pixels"
    assert found["one-small.jpg", "one.bmp"] == "resized or recompressed"
    assert found["one-dark.jpg", "one.bmp"] == "exposure or color"
    assert found["other-framed.png", "other.jpg"] == "overlaid"
    scores = {pair.kind: pair.score for pair in report.pairs}
    assert scores["exact"] == 1 > scores["same pixels"] > scores["exposure or color"] >= 0.6
    assert {stage.name: stage.pairs for stage in report.stages} == {
        "equal bytes": 1,
        "equal pixels": 2,
        "candidates by embedding and gray levels": report.stages[2].pairs,
        "edited copies, proved by their geometry": 8,
        "near, not proved": 0,
    }
    framed = report.groups[1].copies[0]
    assert framed.transformation is not None and framed.overlap is not None
    assert [round(row[2]) for row in framed.transformation] == [12, 12]
    assert framed.overlap[0] > 0.96 > framed.overlap[1]
    assert framed.reason == "the one kept is without the border or bars around this"


def test_finding_changes_no_item_and_is_remembered(collection: Collection, examined: list[int]) -> None:
    before, generation = list(collection), collection.info().generation
    first = collection.find_duplicates()
    assert examined[0] > 0
    examined[0] = 0
    again = collection.find_duplicates()
    assert (again.groups, again.pairs, examined[0]) == (first.groups, first.pairs, 0)
    assert (list(collection), collection.info().generation) == (before, generation)


def test_only_what_is_new_is_compared(collection: Collection, photos: Path, examined: list[int]) -> None:
    collection.find_duplicates()
    save(photos, "third-small.jpg", scene(3).resize((240, 180)))
    collection.add(photos)
    examined[0] = 0
    report = collection.find_duplicates()
    assert ("third.png", {"third-small.jpg"}) in groups(report)
    assert 0 < examined[0] <= 8


def test_an_interrupted_search_goes_on(
    collection: Collection, monkeypatch: pytest.MonkeyPatch, examined: list[int]
) -> None:
    monkeypatch.setattr(comparing, "BATCH", 1)
    add = type(collection.store.comparisons).add
    calls = [0]

    def interrupted(self: Any, *rows: Any) -> None:
        calls[0] += 1
        if calls[0] == 4:
            raise KeyboardInterrupt
        add(self, *rows)

    with monkeypatch.context() as patched:
        patched.setattr(type(collection.store.comparisons), "add", interrupted)
        with pytest.raises(KeyboardInterrupt):
            collection.find_duplicates()
    stored = len(list(collection.store.comparisons.all()))
    assert stored == 3
    report = collection.find_duplicates()
    assert len(report.pairs) == 11
    assert len(list(collection.store.comparisons.all())) > stored


@pytest.mark.parametrize(
    ("keep", "folders", "kept"),
    [
        (("smallest",), (), "one-small.jpg"),
        (("format", "newest"), (), "one.png"),
        ((), ("aside",), "one-again.png"),
    ],
)
def test_the_policy_says_what_is_kept(
    keep: tuple[str, ...], folders: tuple[str, ...], kept: str, collection: Collection, photos: Path
) -> None:
    if folders:
        (photos / "aside").mkdir()
        (photos / "one-again.png").rename(photos / "aside" / "one-again.png")
        collection.add(photos)
    report = collection.find_duplicates(keep=keep, folders=[str(photos / name) for name in folders])
    assert groups(report)[0][0] == kept


def test_what_counts_is_a_choice(collection: Collection) -> None:
    counts = [len(collection.find_duplicates(preset=preset).pairs) for preset in ("loose", "default", "strict")]
    assert counts == sorted(counts, reverse=True)
    with pytest.raises(UsageError, match="preset 'sloppy': it can be strict, default, loose"):
        collection.find_duplicates(preset="sloppy")
    with pytest.raises(UsageError, match="no criterion 'beauty'"):
        collection.find_duplicates(keep=["beauty"])


def test_files_that_are_not_as_indexed_take_no_part(collection: Collection, photos: Path) -> None:
    (photos / "one-again.png").unlink()
    save(photos, "one-small.jpg", scene(9))
    report = collection.find_duplicates()
    assert {Path(skip.path).name for skip in report.skipped} == {"one-again.png", "one-small.jpg"}
    assert groups(report)[0] == ("one.png", {"one.bmp", "one-dark.jpg"})
    collection.add(photos)
    assert collection.find_duplicates().skipped == ()


def test_copies_of_a_reference_are_found_and_what_lies_in_it_is_left_out(
    collection: Collection, photos: Path, tmp_path: Path, tiny: Path, examined: list[int]
) -> None:
    originals = photos / "originals"
    save(originals, "one-original.png", scene(1))
    save(originals, "far.png", scene(8))
    collection.add(photos)
    with Collection.create(tmp_path / "reference", tiny) as reference:
        reference.add(originals)
        before = reference.info()
        report = collection.find_duplicates(against=reference)
        count, examined[0] = examined[0], 0
        again = collection.find_duplicates(against=reference)
        assert reference.info() == before
        with pytest.raises(UsageError, match="cannot be its own reference"):
            reference.find_duplicates(against=reference)
    assert groups(report) == [
        ("one-original.png", {"one.png", "one-again.png", "one.bmp", "one-small.jpg", "one-dark.jpg"})
    ]
    assert {copy.reason for copy in report.groups[0].copies} == {"the one kept is in the reference"}
    assert (again.groups, examined[0], count > 0) == (report.groups, 0, True)


def test_a_reference_of_another_encoder_is_refused(collection: Collection, tmp_path: Path, other: Path) -> None:
    with (
        Collection.create(tmp_path / "reference", other) as reference,
        pytest.raises(UsageError, match="built with the encoder"),
    ):
        collection.find_duplicates(against=reference)


def test_vectors_of_your_own_are_refused(tmp_path: Path) -> None:
    with Collection.create(tmp_path / "own", dim=3) as own, pytest.raises(UsageError, match="among pictures and texts"):
        own.find_duplicates()


def test_a_missing_library_is_told(collection: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "cv2", None)
    with pytest.raises(MissingExtraError, match=r"pip install \"simsearch\[dedupe\]\""):
        collection.find_duplicates()


Texts = Callable[..., Collection]


@pytest.fixture
def texts(tmp_path: Path, tiny_text: Path) -> Iterator[Collection]:
    folder = tmp_path / "texts"
    folder.mkdir()
    for name, text in {
        "a.txt": "the red fox jumps over the dog in 2019",
        "b.txt": "The red fox jumps, over the dog in 2019!",
        "c.txt": "the red fox jumps over the dog in 2020",
        "d.txt": "the red fox jumps over the dog in 2019",
        "e.txt": "bread and butter for everyone",
    }.items():
        (folder / name).write_text(text)
    with Collection.create(tmp_path / "index", tiny_text) as made:
        made.add(folder)
        yield made


def test_texts_that_differ_in_a_number_are_two(texts: Collection) -> None:
    report = texts.find_duplicates()
    assert pairs(report) == {
        ("a.txt", "b.txt"): "normalized",
        ("a.txt", "d.txt"): "exact",
        ("b.txt", "d.txt"): "normalized",
    }
    assert [stage.pairs for stage in report.stages][:2] == [1, 2]


def test_rows_of_a_table_are_found_by_their_names(texts: Collection, tmp_path: Path) -> None:
    table = tmp_path / "texts" / "faq.csv"
    table.write_text("id,text\n1,bread and butter for everyone\n2,something else entirely\n")
    texts.add(tmp_path / "texts")
    assert ("e.txt", "faq.csv#1") in pairs(texts.find_duplicates())


def test_the_report_and_the_pairs_name_what_implies_them(collection: Collection, photos: Path) -> None:
    report = collection.find_duplicates()
    group = report.groups[0]
    assert group.members[0] is group.kept and len(group.members) == 5
    for pair in report.pairs:
        if pair.via is not None:
            assert pair.via == group.kept.item.uri not in (pair.a, pair.b)
    assert {pair.group for pair in report.pairs} == {1, 2}
    assert report.apart == ()
