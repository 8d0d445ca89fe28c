"""Contents that were read by earlier rules are read again where the current rules may read them differently."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hash_encoder import REFUSED, HashEncoder
from PIL import Image, ImageDraw

from simsearch.collection import Collection
from simsearch.media.decoding import RULES


@pytest.fixture
def collection(tmp_path, counting) -> Iterator[Collection]:
    with Collection.create(tmp_path / "indexes" / "gallery", counting) as made:
        yield made


def drawing(path: Path, seed: int) -> Path:
    """White ink on a transparent ground."""
    page = Image.new("RGBA", (64, 64), (255, 255, 255, 0))
    ends = np.random.default_rng(seed).integers(0, 64, 8).tolist()
    ImageDraw.Draw(page).line(ends, fill=(255, 255, 255, 255), width=9)
    page.save(path)
    return path


def age(collection: Collection, *paths: Path) -> None:
    """Makes the collection one of the first rules, by which these files had the vector of a white page."""
    page = collection.encoder.encode([Image.new("RGB", (9, 9), "white")] if paths else [])
    white = page.astype("<f4").tobytes()
    names = [str(path).encode() for path in paths]
    with sqlite3.connect(collection.folder / "collection.sqlite") as other:
        other.execute("UPDATE content SET rules = 1")
        other.execute("UPDATE example SET rules = 1")
        for name in names:
            other.execute(
                "UPDATE content SET vector = ? WHERE id IN (SELECT content_id FROM item WHERE uri = ?)", (white, name)
            )
            other.execute("UPDATE example SET vector = ? WHERE uri = ?", (white, name))
    other.close()


def rules(collection: Collection) -> set[int]:
    with sqlite3.connect(collection.folder / "collection.sqlite") as other:
        found = {row[0] for row in other.execute("SELECT rules FROM content UNION SELECT rules FROM example")}
    other.close()
    return found


def test_only_what_is_read_differently_gets_a_new_vector(collection, counting, gallery, tmp_path):
    inked = [drawing(gallery / f"ink{number}.png", number) for number in range(3)]
    outside = drawing(tmp_path / "outside.png", 9)
    collection.add(gallery)
    collection.enroll("Ana", [inked[0], outside, gallery / "1.png"])
    assert rules(collection) == {RULES}
    before = {item.uri: item for item in collection.items()}
    vectors = {path: collection.store.vectors_of([before[str(path)].content_id])[0] for path in inked}
    _, examples = collection.store.examples()
    age(collection, *inked, outside)
    collection.refresh()
    counting.taken()
    report = collection.add(gallery)
    assert (report.renewed, report.unchanged, report.removed, report.added) == (3, 11, 0, 0)
    assert counting.taken() == 4
    assert rules(collection) == {RULES}
    after = {item.uri: item for item in collection.items()}
    for path in inked:
        item = after[str(path)]
        assert (item.id, item.content_id > before[str(path)].content_id) == (before[str(path)].id, True)
        np.testing.assert_allclose(collection.store.vectors_of([item.content_id])[0], vectors[path], atol=1e-6)
        assert collection.query(path, k=1)[0].item.uri == str(path)
    assert all(after[uri] == before[uri] for uri in before if "ink" not in uri)
    np.testing.assert_allclose(collection.store.examples()[1], examples, atol=1e-6)
    assert collection.check().clean
    assert collection.add(gallery).renewed == 0


def test_files_that_cannot_be_read_today_wait_for_the_next_time(collection, gallery):
    inked = drawing(gallery / "ink.png", 1)
    collection.add(gallery)
    age(collection, inked)
    away = inked.rename(gallery.parent / "away.png")
    gallery.rename(gallery.parent / "elsewhere")
    assert collection.add(gallery).renewed == 0
    assert rules(collection) == {1}
    (gallery.parent / "elsewhere").rename(gallery)
    away.rename(inked)
    assert collection.add(gallery).renewed == 1
    assert rules(collection) == {RULES}


def test_texts_that_are_refused_by_now_lose_their_items_and_are_named(tmp_path):
    table = tmp_path / "faq.csv"
    table.write_text(f"text\none\n{REFUSED}\ntwo\n")
    encoder = HashEncoder()
    with Collection.create(tmp_path / "indexes" / "faq", encoder) as collection:
        encoder.prepare, ours = lambda text: ours.__func__(encoder, text.replace(REFUSED, "x")), encoder.prepare
        assert collection.add(table).added == 3
        encoder.prepare = ours
        age(collection)
        report = collection.add(table)
        assert (report.unchanged, report.renewed) == (2, 0)
        assert [skip.reason for skip in report.skipped] == ["refused by the encoder"]
        assert [item.text for item in collection.items()] == ["one", "two"]
        assert rules(collection) == {RULES}
