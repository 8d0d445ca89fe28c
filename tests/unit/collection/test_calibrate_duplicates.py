"""The score from which on pairs count as copies, chosen by labelled pairs."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageEnhance
from scenes import scene

from simsearch.collection import Collection
from simsearch.errors import UsageError


@pytest.fixture
def collection(tmp_path: Path, tiny: Path) -> Iterator[Collection]:
    folder = tmp_path / "photos"
    folder.mkdir()
    one, other = scene(1), scene(2)
    pictures: dict[str, Image.Image] = {
        "a.png": one,
        "a-dark.jpg": ImageEnhance.Brightness(one).enhance(0.85),
        "a-small.jpg": one.resize((240, 180)),
        "b.png": other,
        "c.png": scene(3),
    }
    for name, picture in pictures.items():
        picture.save(folder / name)
    with Collection.create(tmp_path / "index", tiny) as made:
        made.add(folder)
        yield made


def table(collection: Collection, folder: Path, *extra: str) -> Path:
    names = sorted(Path(item.uri).name for item in collection)
    rows = [f"photos/{a},photos/{b},{int(a[0] == b[0])}" for a, b in itertools.combinations(names, 2)]
    path = folder / "pairs.csv"
    path.write_text("\n".join(["a,b,same", *rows, *extra]), encoding="utf-8")
    return path


def test_it_is_used_by_the_default_preset_alone_and_can_be_reset(collection: Collection, tmp_path: Path) -> None:
    before = collection.find_duplicates()
    assert before.calibration is None
    scores = {(pair.a, pair.b): pair.score for pair in before.pairs}
    assert len(scores) == 3
    found = collection.calibrate_duplicates(table(collection, tmp_path))
    assert found is not None
    assert (found.pairs, found.accepted, found.precision, found.recall) == (10, 3, 1.0, 1.0)
    assert 0 < found.score < min(scores.values())
    # Labels that call the weakest pair different move the threshold above it.
    weakest = min(scores, key=scores.__getitem__)
    labelled = [(a, b, (a, b) != weakest) for a, b in scores]
    stricter = collection.calibrate_duplicates(labelled, precision=1.0)
    assert stricter is not None
    assert scores[weakest] < stricter.score < sorted(scores.values())[1]
    after = collection.find_duplicates()
    assert after.calibration == stricter
    assert weakest not in {(pair.a, pair.b) for pair in after.pairs if pair.via is None}
    assert collection.find_duplicates(preset="strict").calibration is None
    assert collection.calibrate_duplicates(None) is None
    assert collection.find_duplicates().pairs == before.pairs


def test_rows_that_cannot_be_used_are_listed(collection: Collection, tmp_path: Path) -> None:
    path = table(collection, tmp_path, "photos/a.png,photos/gone.png,1", "photos/a.png,photos/b.png,perhaps")
    found = collection.calibrate_duplicates(path)
    assert found is not None
    assert found.pairs == 10
    assert {skip.path.rpartition("/")[2]: skip.reason for skip in found.skipped} == {
        "gone.png": "is no item of the collection, or has changed since it was indexed",
        "pairs.csv:13": "same='perhaps'; must be 0 or 1",
    }
    path.write_text("left,right\n1,2\n", encoding="utf-8")
    with pytest.raises(UsageError, match="no columns a, b, same; the columns are left, right; give a table with a, b"):
        collection.calibrate_duplicates(path)


def test_texts_below_the_usual_cosine_are_found_if_the_score_allows(tmp_path: Path, tiny_text: Path) -> None:
    with Collection.create(tmp_path / "index", tiny_text) as made:
        made.add_texts(["x", "y", "z"], ["red green blue one two", "red green blue one three", "seven eight nine ten"])
        assert made.find_duplicates().pairs == ()
        found = made.calibrate_duplicates([("x", "y", True), ("x", "z", False)])
        assert found is not None
        assert found.score == pytest.approx(0.416, abs=0.001)
        assert {(pair.a, pair.b) for pair in made.find_duplicates().pairs} == {("x", "y")}
        # The cosines of another encoder are other scores.
        with made.writing() as store:
            store.set_settings({"fingerprint": "another"})
        report = made.find_duplicates()
        assert (report.is_outdated, report.calibration, report.pairs) == (True, None, ())
