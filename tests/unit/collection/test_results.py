"""Results as records, as a table in a notebook, and as a contact sheet; what objects say of themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from simsearch.collection import Collection
from simsearch.collection.results import ROWS_AT_MOST, Matches, sheet, to_records
from simsearch.errors import UsageError
from simsearch.types import Evidence, Example, Item, Match, Recognition, Text


@pytest.fixture
def collection(tmp_path, counting, gallery):
    with Collection.create(tmp_path / "indexes" / "gallery", counting) as made:
        made.add(gallery)
        yield made


def match(rank=1, **fields):
    return Match(rank, 0.5, Item(**{"id": 7, "uri": "/x/cat.jpg", "content_id": 3} | fields))


ANA = Evidence(0.75, Example(1, "Ana", "ana.jpg"))
KNOWN = Recognition("Ana", 0.75, 0.7, Evidence(0.25, Example(2, "Ben", "ben.jpg")), (ANA,))


def test_matches_become_records(collection, gallery):
    found = collection.query(gallery / "2.png", 3)
    records = to_records(found)
    assert [list(record) for record in records] == [["rank", "score", "id", "uri", "label"]] * 3
    assert [record["uri"] for record in records] == [match.item.uri for match in found]
    many = to_records(collection.query_many([gallery / "0.png", gallery / "1.png"], 2))
    assert [(record["query"], record["rank"]) for record in many] == [(0, 1), (0, 2), (1, 1), (1, 2)]
    assert to_records([]) == to_records([[]]) == []


def test_metadata_has_columns_of_its_own_and_takes_no_others():
    (record,) = to_records([match(text="words", metadata={"year": 1960, "label": "song", "query": 1})])
    assert record == {
        "rank": 1,
        "score": 0.5,
        "id": 7,
        "uri": "/x/cat.jpg",
        "label": None,
        "text": "words",
        "year": 1960,
        "metadata.label": "song",
        "metadata.query": 1,
    }


def test_recognitions_become_records():
    record = {
        "label": "Ana",
        "score": 0.75,
        "threshold": 0.7,
        "uri": "ana.jpg",
        "runner_up": "Ben",
        "runner_up_score": 0.25,
    }
    assert to_records(KNOWN) == [record]
    alone = Recognition(None, 0.75, None, None, (ANA,))
    assert to_records([KNOWN, alone]) == [
        {"query": 0} | record,
        {"query": 1} | record | {"label": None, "threshold": None, "runner_up": None, "runner_up_score": None},
    ]


def test_a_notebook_shows_a_table_with_the_pictures_that_can_be_read(collection, gallery):
    found = collection.query(gallery / "2.png", 3)
    (gallery / "2.png").unlink()
    page = found._repr_html_()
    assert page.count("<tr>") == 4
    assert page.count('<img src="data:image/') == 2
    assert "<th>image</th><th>uri</th></tr>" in page
    assert isinstance(found, list) and found == list(found)


def test_what_a_notebook_shows_is_escaped_and_bounded():
    page = Matches([match(uri="<b>/\udcff.jpg", label="<i>&", text="<script>" + "x" * 5000)])._repr_html_()
    assert "<b>" not in page and "<i>" not in page and "<script>" not in page
    assert "&lt;i&gt;&amp;" in page and "\\udcff" in page
    assert len(page.encode()) < 1000
    page = Matches([match(rank) for rank in range(1, ROWS_AT_MOST + 4)])._repr_html_()
    assert page.count("<tr>") == ROWS_AT_MOST + 1 and page.endswith("<p>and 3 more</p>")
    assert Matches()._repr_html_() == "<p>no match</p>"


def test_matches_know_what_was_asked(collection, gallery, image):
    (gallery / "new.png").write_bytes((gallery / "5.png").read_bytes())
    vector, picture = np.ones(24), image(3)
    asked = [gallery / "2.png", str(gallery / "new.png"), vector, picture]
    stored, new, by_vector, by_image = collection.query_many(asked, 1)
    assert stored.query == collection.store.item_by_uri(str(gallery / "2.png"))
    assert new.query == gallery / "new.png"
    assert by_vector.query is vector and by_image.query is picture


def test_a_sheet_shows_queries_and_matches(collection, gallery, image):
    pixels = np.asarray(image(3))
    asked = [gallery / "2.png", pixels, image(4), (gallery / "1.png").read_bytes(), np.ones(24)]
    answers = collection.query_many(asked, 2)
    one, several, large = sheet(answers[0]), sheet(answers), sheet(answers, tile=200)
    assert one.width == several.width < large.width
    assert several.height > 4 * one.height * 0.8
    without_query = sheet([match for match in answers[0] if match.rank == 1])
    assert without_query.width < one.width
    with pytest.raises(UsageError, match="a contact sheet needs at least one image"):
        sheet([])


def test_words_and_lost_files_are_tiles_without_a_picture(gallery):
    missing = match(uri=str(gallery / "gone.png"))
    assert sheet(Matches([missing], Text("a cat"))).size == sheet(Matches([missing], gallery / "0.png")).size


@pytest.mark.parametrize(
    "thing, shown",
    [
        (Item(7, "/x/cat.jpg", 3), "Item(7, '/x/cat.jpg')"),
        (
            Item(7, "faq.csv#7", 3, "bank", 9, 9, {"year": 1960}, "lost " * 100),
            f"Item(7, 'faq.csv#7', label='bank', text='{('lost ' * 100)[:59]}…', metadata={{'year': 1960}})",
        ),
        (match(2, label="cat"), "Match(2, 0.500, '/x/cat.jpg', label='cat')"),
        (KNOWN, "Recognition('Ana', 0.750, threshold=0.7, runner_up=('Ben', 0.250))"),
        (Recognition(None, 0.75, None, None, (ANA,)), "Recognition(None, 0.750)"),
    ],
)
def test_results_say_what_they_are(thing, shown):
    assert repr(thing) == shown


def test_a_collection_says_what_it_is_also_when_it_is_closed_or_broken(tmp_path, collection):
    assert repr(collection) == f"<Collection {collection.folder}: 8 items, encoder {collection.encoder.name}>"
    collection.close()
    assert repr(collection) == f"<Collection {collection.folder}: closed>"
    with Collection.create(tmp_path / "own", dim=3) as own:
        assert repr(own) == f"<Collection {tmp_path / 'own'}: 0 items, own vectors>"
    with Collection.open(tmp_path / "own") as own:
        own.store._database.close()
        assert repr(own).startswith(f"<Collection {tmp_path / 'own'}: ") and "was closed" in repr(own)


def test_a_collection_is_a_container_of_its_items(collection, gallery, tmp_path, monkeypatch):
    assert [item.uri for item in collection] == [item.uri for item in collection.items()]
    assert gallery / "2.png" in collection and next(iter(collection)) in collection
    assert Path("2.png") not in collection and "x" not in collection
    monkeypatch.chdir(gallery)
    assert "2.png" in collection


def test_words_and_texts_are_drawn_as_words(gallery):
    item = match(uri=str(gallery / "0.png"))
    blank, words = (sheet(Matches([item], Text(text))) for text in ("a", "a red dress"))
    differ = np.argwhere((np.asarray(blank) != np.asarray(words)).any(axis=2))
    assert len(differ) > 50
    text, other = (sheet(Matches([match(text=text)])) for text in ("where is my card", "here"))
    assert (np.asarray(text) != np.asarray(other)).any()


def test_a_lost_file_says_why_in_its_tile(gallery):
    gone, folder = (sheet([match(uri=str(gallery / name), label="x")]) for name in ("gone.png", ""))
    assert gone.size == folder.size
    assert (np.asarray(gone) != np.asarray(folder)).any(), "no such file; is a folder"
