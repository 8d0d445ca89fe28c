"""Copies that embeddings miss are near by a few gray levels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter
from scenes import scene

from simsearch.collection import Collection
from simsearch.collection.duplicates import pictures
from simsearch.collection.duplicates.contents import load
from simsearch.media.image_facts import SMALL, small_gray


@pytest.fixture
def collection(tmp_path: Path, tiny: Path) -> Iterator[Collection]:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(6):
        scene(number).save(folder / f"{number}.png")
    scene(0).filter(ImageFilter.GaussianBlur(6)).save(folder / "blurred.jpg")
    Image.new("RGB", (90, 60), "gray").save(folder / "plain.png")
    with Collection.create(tmp_path / "index", tiny) as made:
        made.add(folder)
        yield made


def named(collection: Collection, first: int = 0) -> set[tuple[str, str]]:
    contents = load(collection.store)
    names = {number: Path(items[0].uri).name for number, items in contents.items.items()}
    strips = pictures.more(contents, first)
    pairs = [pair for strip in strips for pair in zip(strip.left.tolist(), strip.right.tolist(), strict=True)]
    return {(min(names[a], names[b]), max(names[a], names[b])) for a, b in pairs}


def test_pairs_are_those_whose_gray_levels_are_correlated(collection: Collection) -> None:
    rows = {row.id: row.small for row in load(collection.store).rows}
    levels = {
        Path(item.uri).name: np.frombuffer(rows[item.content_id] or b"", np.uint8).astype(float) for item in collection
    }
    expected = {
        (one, other)
        for one in levels
        for other in levels
        if one < other
        and min(levels[one].std(), levels[other].std()) > 0
        and np.corrcoef(levels[one], levels[other])[0, 1] >= pictures.GRAY_ALIKE
    }
    assert named(collection) == expected
    assert ("0.png", "blurred.jpg") in expected
    assert not any("plain.png" in pair for pair in expected)


def test_only_pairs_with_a_new_one_are_looked_for_again(collection: Collection) -> None:
    everything = named(collection)
    last = len(load(collection.store).rows) - 1
    names = {n: Path(items[0].uri).name for n, items in load(collection.store).items.items()}
    assert named(collection, last) == {pair for pair in everything if names[last] in pair}


def test_images_of_an_earlier_version_have_no_pairs(collection: Collection) -> None:
    with collection.writing() as store, store._database.writing() as connection:
        connection.exec_driver_sql("UPDATE content SET small = NULL")
    assert named(collection) == set()


def test_gray_levels_are_means_of_parts() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (SMALL * 3, SMALL * 2, 1), dtype=np.uint8)
    means = pixels.reshape(SMALL, 3, SMALL, 2).mean(axis=(1, 3))
    found = np.frombuffer(small_gray(pixels), np.uint8).reshape(SMALL, SMALL)
    np.testing.assert_allclose(found, means, atol=1.0)
