"""Pictures of decisions: each query beside the examples that decided."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from hash_encoder import HashEncoder
from PIL import Image

from simsearch.collection import Collection
from simsearch.collection.identities.evidence import KNOWN, UNKNOWN, evidence_sheets
from simsearch.errors import UsageError
from simsearch.media.sheets import Tile, drawing
from simsearch.types import Text


@pytest.fixture
def people(tmp_path, counting, gallery):
    with Collection.create(tmp_path / "people", counting) as made:
        made.enroll("Ana", [gallery / "0.png", gallery / "1.png"])
        made.enroll("Ben", [gallery / "2.png"])
        yield made


@pytest.fixture
def tiles(monkeypatch: pytest.MonkeyPatch) -> list[Tile]:
    """The tiles that are drawn."""
    drawn: list[Tile] = []
    original = drawing._draw_tile
    monkeypatch.setattr(
        drawing, "_draw_tile", lambda sheet, tile, *rest: (drawn.append(tile), original(sheet, tile, *rest))
    )
    return drawn


def test_the_query_stands_beside_the_best_example_of_each_label(people, gallery, tiles):
    query = gallery / "0.png"
    (answer,) = people.recognize_many([query], threshold=0.1)
    (page,) = evidence_sheets(people, [query], [answer])
    asked, first, second = tiles
    assert (asked.content, asked.border) == (query.read_bytes(), KNOWN)
    assert asked.caption == ("0.png", "Ana", f"{answer.score:.3f}", "threshold 0.100")
    assert (first.content, first.border) == (query.read_bytes(), KNOWN)
    assert first.caption == ("Ana", f"{answer.evidence[0].score:.3f}", "0.png")
    assert (second.content, second.border) == ((gallery / "2.png").read_bytes(), None)
    assert page.size > (3 * 160, 160)


def test_an_unknown_query_has_a_frame_of_its_own(people, gallery, tiles):
    answers = people.recognize_many([gallery / "5.png"], threshold=0.999)
    evidence_sheets(people, [gallery / "5.png"], answers)
    assert [tile.border for tile in tiles] == [UNKNOWN, None, None]
    assert tiles[0].caption[1] == "unknown"


def test_examples_without_a_file_are_named_as_such(people, gallery, image, tiles):
    people.enroll("Cy", [image(40)])
    (gallery / "2.png").unlink()
    answers = people.recognize_many([(gallery / "3.png").read_bytes()])
    evidence_sheets(people, [(gallery / "3.png").read_bytes()], answers)
    reasons = {tile.caption[0]: getattr(tile.content, "reason", None) for tile in tiles[1:]}
    assert reasons == {"Ana": None, "Ben": "no such file", "Cy": "enrolled without a file"}


def test_texts_are_drawn_as_texts(tmp_path, tiles):
    (tmp_path / "asked.txt").write_text("a question in a file")
    sources = [Text("a question"), tmp_path / "asked.txt", b"from a pipe"]
    with Collection.create(tmp_path / "texts", HashEncoder()) as texts:
        texts.enroll("one", [Text("first example")])
        evidence_sheets(texts, sources, texts.recognize_many(sources))
    shown = ["a question", "first example", "a question in a file", "first example", "from a pipe", "first example"]
    assert [tile.content for tile in tiles] == shown


def test_one_file_for_all_or_a_folder_with_one_for_each(people, gallery, tmp_path):
    sources = [gallery / "0.png", (gallery / "1.png").read_bytes()]
    answers = people.recognize_many(sources)
    (sheet,) = people.save_evidence(tmp_path / "sheet.png", sources, answers)
    folder = tmp_path / "each"
    folder.mkdir()
    files = people.save_evidence(folder, sources, answers)
    assert [file.name for file in files] == ["1-0.png", "2.png"]
    with Image.open(sheet) as whole, Image.open(files[0]) as first:
        assert whole.height > first.height
    # What was saved before may be replaced, other files not.
    assert people.save_evidence(folder, sources, answers) == files
    shutil.copy(gallery / "0.png", files[1])
    before = files[0].stat().st_mtime_ns
    with pytest.raises(UsageError, match="is not a contact sheet by simsearch"):
        people.save_evidence(folder, sources, answers)
    assert files[0].stat().st_mtime_ns == before
    assert people.save_evidence(folder, sources, answers, force=True) == files


def test_what_cannot_be_drawn_or_saved_is_refused(people, gallery, tmp_path):
    answers = people.recognize_many([gallery / "0.png"])
    with pytest.raises(
        UsageError, match=r"nowhere: there is no such folder; make it first, or give a file as .*nowhere\.png"
    ):
        people.save_evidence(tmp_path / "nowhere", [gallery / "0.png"], answers)
    with pytest.raises(UsageError, match="2 sources and 1 answers"):
        people.save_evidence(tmp_path / "sheet.png", [gallery / "0.png", gallery / "1.png"], answers)
    with Collection.create(tmp_path / "vectors", dim=2) as vectors:
        vectors.enroll("a", np.eye(2))
        found = vectors.recognize_many([np.ones(2)])
        with pytest.raises(UsageError, match="this collection holds vectors"):
            vectors.save_evidence(tmp_path / "sheet.png", [np.ones(2)], found)
