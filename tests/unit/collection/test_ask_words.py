"""What an argument means: a file, a stored item or words; and questions to collections of texts and of pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hash_encoder import HashEncoder, direction

from simsearch.collection import Collection
from simsearch.errors import MediaError, UsageError
from simsearch.store import Write
from simsearch.types import Text

TEXTS = {"a": "red dress", "b": "blue shirt", "c": "straw hat"}


@pytest.fixture
def encoder():
    return HashEncoder()


@pytest.fixture
def collection(tmp_path, encoder, monkeypatch):
    """Three texts in files and in a table, in the current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes").mkdir()
    for name, text in TEXTS.items():
        (tmp_path / "notes" / f"{name}.txt").write_text(text)
    (tmp_path / "f.csv").write_text("id,text\n7,green scarf\n")
    with Collection.create(tmp_path / "col", encoder) as made:
        made.add(["notes", "f.csv"])
        encoder.taken()
        yield made


def best(matches):
    return Path(matches[0].item.uri).name, pytest.approx(matches[0].score, abs=1e-5)


def test_words_files_items_and_vectors_are_asked_with(collection, encoder, tmp_path):
    words = collection.query("red dress", 4)
    scores = np.sort([direction("red dress") @ direction(text) for text in [*TEXTS.values(), "green scarf"]])[::-1]
    assert [match.score for match in words] == pytest.approx(scores, abs=1e-5)
    assert words[0].item.text == "red dress"
    (tmp_path / "asked.txt").write_text("red dress")
    item = collection.store.item_by_uri(str(tmp_path / "notes" / "a.txt"))
    for source in ("asked.txt", tmp_path / "asked.txt", Text("red dress"), b"red dress", item, direction("red dress")):
        assert collection.query(source, 4) == words, source
    assert encoder.taken() == ["red dress"] * 5


def test_a_stored_text_needs_no_encoding_and_can_be_left_out(collection, encoder, tmp_path):
    for source in ("notes/b.txt", tmp_path / "notes" / "b.txt", "f.csv#7", f"{tmp_path}/f.csv#7"):
        found = collection.query(source, 4)
        assert best(found) == (Path(source).name, 1.0)
        assert Path(source).name not in [Path(m.item.uri).name for m in collection.query(source, 4, exclude_self=True)]
    assert encoder.taken() == []
    (tmp_path / "notes" / "b.txt").write_text("straw hat")
    assert best(collection.query("notes/b.txt", 1)) == ("c.txt", 1.0)


def test_a_file_wins_over_words_and_what_is_said_wins_over_both(collection, encoder, tmp_path):
    (tmp_path / "straw hat").write_text("red dress")
    assert best(collection.query("straw hat", 1)) == ("a.txt", 1.0)
    assert best(collection.query(Text("straw hat"), 1)) == ("c.txt", 1.0)
    (tmp_path / "blue shirt").mkdir()
    assert best(collection.query("blue shirt", 1)) == ("b.txt", 1.0)
    assert collection.query(Text("notes/a.txt"), 1)[0].score < 0.99
    with pytest.raises(MediaError, match=r"^missing\.txt: no such file$"):
        collection.query(Path("missing.txt"))
    assert encoder.taken() == ["blue shirt", "notes/a.txt", "red dress", "straw hat"]


@pytest.mark.parametrize("words", ["a\0b", "x" * 5000, "é" * 300, "a/b\\c", "日本"])
def test_any_words_can_be_asked(collection, words):
    assert len(collection.query(words, 4)) == 4


def test_what_is_no_text_is_refused(collection, tmp_path, image):
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    for source, said in (("latin.txt", r"^latin\.txt: not UTF-8"), (b"\xff", "^not UTF-8"), (" ", "^no text")):
        with pytest.raises(MediaError, match=said):
            collection.query(source)
    with pytest.raises(UsageError, match="holds texts, and an Image is none; give a text"):
        collection.query(image(1))


def test_texts_are_enrolled_and_recognised(collection, encoder, tmp_path):
    report = collection.enroll("clothes", ["red dress", "notes/b.txt", "f.csv#7", Text("new words"), b"piped"])
    assert (report.added, report.existing) == (5, 0)
    assert encoder.taken() == ["new words", "piped"]
    assert [(each.uri, each.text) for each in collection.store.examples()[0]] == [
        ("", "red dress"),
        (str(tmp_path / "notes" / "b.txt"), "blue shirt"),
        (str(tmp_path / "f.csv#7"), "green scarf"),
        ("", "new words"),
        ("", "piped"),
    ]
    assert collection.enroll("clothes", ["blue shirt"]).existing == 1
    (tmp_path / "bad.txt").write_bytes(b"\xff")
    report = collection.enroll("bad", ["bad.txt", Path("missing.txt"), " "])
    assert [(Path(skip.path).name, skip.reason) for skip in report.skipped] == [
        ("bad.txt", "not UTF-8 (byte 0xff at 0); save it as UTF-8"),
        ("missing.txt", "no such file"),
        (" ", "no text"),
    ]
    answer = collection.recognize("new words", threshold=0.6)
    assert (answer.label, answer.evidence[0].example.text) == ("clothes", "new words")
    assert collection.recognize("other words", threshold=0.6).label is None
    assert collection.check().clean


class Both(HashEncoder):
    """An encoder of pictures that takes words too: each picture lies at the words that its file holds."""

    modality = "image"

    def __init__(self, inner: HashEncoder) -> None:
        super().__init__()
        self.inner = inner

    def encode(self, sources):
        return np.array([direction(Path(source).read_text()) for source in sources])

    def encode_texts(self, texts):
        return self.inner.encode(texts)


def test_words_find_pictures_where_the_encoder_takes_both(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = HashEncoder()
    with Collection.create(tmp_path / "col", Both(words)) as made:
        (tmp_path / "cat.png").write_text("a cat")
        with made.changing() as store:
            for number, text in enumerate(("a cat", "a dog")):
                vector = direction(text)
                store.write([Write(f"{text}.png", bytes([number]) * 32, 1, 2, None, None, "image", 1, 1, vector)])
        answers = made.query_many(["a dog", "cat.png", Text("a cat"), direction("a dog")], 1)
        assert [best(found) for found in answers] == [
            ("a dog.png", 1.0),
            ("a cat.png", 1.0),
            ("a cat.png", 1.0),
            ("a dog.png", 1.0),
        ]
        assert words.taken() == ["a cat", "a dog"]
        with pytest.raises(UsageError, match="words cannot be an example of images"):
            made.enroll("dog", ["a dog"])


def test_words_find_no_pictures_otherwise(tmp_path, counting, gallery):
    with Collection.create(tmp_path / "col", counting) as made:
        made.add(gallery)
        with pytest.raises(
            MediaError, match=r"^a red dress: no such file, and .* does not take words; .* CLIP or SigLIP"
        ):
            made.query("a red dress")
        with pytest.raises(UsageError, match=r"takes images, not words; give a file, or index the images .*: .*CLIP"):
            made.query(Text("a red dress"))
