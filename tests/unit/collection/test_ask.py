"""Questions to a collection: every kind of source, scores, ties and limits."""

from __future__ import annotations

import io
import os
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simsearch.collection import Collection
from simsearch.encoders import open_encoder
from simsearch.errors import EncoderMismatchError, MediaError, UsageError, VectorError


@pytest.fixture
def collection(tmp_path, counting, gallery):
    with Collection.create(tmp_path / "indexes" / "gallery", counting) as made:
        made.add(gallery)
        counting.taken()
        yield made


def expected(tiny, gallery, source):
    """Names and scores as they must be, best first, straight from the encoder."""
    encoder = open_encoder(tiny)
    paths = sorted(gallery.iterdir())
    scores = encoder.encode(paths).astype(np.float64) @ encoder.encode([source])[0].astype(np.float64)
    order = np.argsort(-scores, kind="stable")
    return [paths[number].name for number in order], scores[order]


def test_every_kind_of_source_gives_the_same_answer(collection, tiny, gallery, counting, image):
    path = gallery / "2.png"
    item = collection.store.item_by_uri(str(path))
    vector = open_encoder(tiny).encode([path])[0]
    names, scores = expected(tiny, gallery, path)
    with image(2) as pil:
        sources = [path, str(path), item, vector, path.read_bytes(), pil, np.asarray(pil)]
    for number, source in enumerate(sources):
        found = collection.query(source, 8)
        assert [Path(match.item.uri).name for match in found] == names, number
        assert [match.score for match in found] == pytest.approx(scores, abs=1e-5)
        assert [match.rank for match in found] == list(range(1, 9))
    assert counting.taken() == 3


def test_a_stored_item_is_asked_with_its_stored_vector_even_when_its_file_is_gone(collection, gallery, counting):
    before = collection.query(gallery / "5.png", 3)
    (gallery / "5.png").unlink()
    assert collection.query(gallery / "5.png", 3) == before
    assert collection.query(before[0].item, 3) == before
    assert counting.taken() == 0


def test_a_file_that_has_changed_is_encoded_anew(collection, gallery, counting, tiny, draw):
    draw(gallery / "5.png", 6, (24, 20))
    os.utime(gallery / "5.png", ns=(1, 1))
    found = collection.query(gallery / "5.png", 1)
    assert Path(found[0].item.uri).name == "6.png"
    assert found[0].score == pytest.approx(1, abs=1e-5)
    assert counting.taken() == 1


def test_a_path_may_be_relative(collection, gallery, counting, monkeypatch):
    monkeypatch.chdir(gallery)
    assert Path(collection.query("3.png", 1)[0].item.uri) == gallery / "3.png"
    assert counting.taken() == 0


def test_many_are_answered_as_one_by_one(collection, gallery, counting, draw, tmp_path):
    outside = draw(tmp_path / "outside.png", 99)
    sources = [gallery / "1.png", outside, gallery / "1.png", gallery / "7.png"]
    together = collection.query_many(sources, 4)
    assert counting.taken() == 1
    assert together == [collection.query(source, 4) for source in sources]
    assert collection.query_many([]) == []


def test_itself_is_left_out_on_request_but_not_its_copies(collection, gallery):
    shutil.copy(gallery / "4.png", gallery / "twin.png")
    collection.add(gallery)
    found = collection.query(gallery / "4.png", 2)
    assert [Path(match.item.uri).name for match in found] == ["4.png", "twin.png"]
    without = collection.query(gallery / "4.png", 100, exclude_self=True)
    assert len(without) == 8
    assert Path(without[0].item.uri).name == "twin.png"
    assert [match.rank for match in without] == list(range(1, 9))
    one = collection.query(gallery / "0.png", 1, exclude_self=True)
    assert len(one) == 1
    assert Path(one[0].item.uri).name != "0.png"


def test_only_what_reaches_the_least_score_is_given(collection, tiny, gallery):
    names, scores = expected(tiny, gallery, gallery / "0.png")
    least = float(scores[2]) - 1e-4
    assert scores[3] < least
    found = collection.query(gallery / "0.png", 8, min_score=least)
    assert [Path(match.item.uri).name for match in found] == names[:3]
    assert collection.query(np.ones(24), 8, min_score=1.0) == []


def test_equal_contents_count_separately_and_come_in_the_order_of_their_ids(collection, gallery):
    for name in ("a", "b", "c"):
        shutil.copy(gallery / "6.png", gallery / f"copy-{name}.png")
    collection.add(gallery)
    found = collection.query(gallery / "6.png", 3)
    assert [Path(match.item.uri).name for match in found] == ["6.png", "copy-a.png", "copy-b.png"]
    assert found[0].score == found[2].score
    assert len(collection.query(gallery / "6.png", 1000)) == 11


@pytest.mark.parametrize("k", [0, -1])
def test_k_below_one_is_refused(collection, gallery, k):
    with pytest.raises(UsageError, match=f"not {k}"):
        collection.query(gallery / "0.png", k)


def test_what_cannot_be_read_is_named(collection, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"nothing")
    for source in (tmp_path / "broken.png", tmp_path / "missing.png", tmp_path):
        with pytest.raises(MediaError, match=str(source)):
            collection.query(source)
    with pytest.raises(VectorError, match="24"):
        collection.query(np.ones(5))
    with pytest.raises(VectorError, match="zero"):
        collection.query(np.zeros(24))


def test_an_empty_collection_has_no_matches(tmp_path, tiny, gallery):
    with Collection.create(tmp_path / "empty", tiny) as made:
        assert made.query(gallery / "0.png") == []
        ids, scores = made.search(np.ones((3, 24)), 5)
        assert ids.shape == scores.shape == (3, 0)


def test_the_encoder_must_be_the_one_that_the_collection_was_built_with(collection, gallery, other, tmp_path, draw):
    outside = draw(tmp_path / "outside.png", 3)
    with (
        Collection.open(collection.folder, open_encoder(other)) as opened,
        pytest.raises(EncoderMismatchError) as refused,
    ):
        opened.query(outside)
    words = shlex.split(str(refused.value).partition("Re-index: ")[2])
    assert words == [
        "simsearch",
        "reindex",
        "--index",
        str(collection.folder),
        "--encoder",
        collection.info().encoder,
    ]


@pytest.mark.parametrize("one", ["0.png", Path("0.png"), b"0"])
def test_one_source_is_no_list_of_its_signs(collection, tiny, one):
    encoder = open_encoder(tiny)
    collection.enroll("known", [np.arange(81, dtype=np.uint8).reshape(9, 9)])
    for ask in (
        collection.query_many,
        collection.recognize_many,
        encoder.encode,
        lambda it: collection.enroll("x", it),
    ):
        with pytest.raises(UsageError, match=r"0.* is one source; give a list"):
            ask(one)
    assert collection.info().labels == {"known": 1}
    with pytest.raises(UsageError, match=r"^threshold is nan \(float\); give a number$"):
        collection.recognize_many([], threshold=np.nan)
    assert len(encoder.encode(path for path in ())) == 0


UNIT = st.integers(-3, 3)
ROWS = st.lists(st.tuples(UNIT, UNIT, UNIT).filter(any), min_size=1, max_size=25)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, queries=ROWS, k=st.integers(1, 30), cut=st.integers(0, 25))
def test_answers_equal_an_exact_computation(tmp_path_factory, rows, queries, k, cut):
    """Ids and scores over own vectors, many of them equal, after changes and with a fresh index."""
    given_rows, asked = np.array(rows, dtype=np.float64), np.array(queries, dtype=np.float64)
    unit = given_rows / np.linalg.norm(given_rows, axis=1, keepdims=True)
    exact = np.clip(asked / np.linalg.norm(asked, axis=1, keepdims=True) @ unit.T, -1, 1)
    folder = tmp_path_factory.mktemp("exact") / "col"
    with Collection.create(folder, dim=3) as made:
        made.add_vectors([f"row {n}" for n in range(len(rows))], given_rows)
        made.remove([f"row {n}" for n in range(cut, len(rows))] if cut else [])
        left = list(range(min(cut, len(rows)) if cut else len(rows)))
        for opened in (made, Collection.open(folder)):
            answers = opened.query_many(list(asked), k)
            for row, found in zip(exact[:, left], answers, strict=True):
                assert [match.score for match in found] == pytest.approx(np.sort(row)[::-1][:k], abs=1e-5)
                for match in found:
                    assert row[int(match.item.uri.split()[1])] == pytest.approx(match.score, abs=1e-5)
                assert len({match.item.id for match in found}) == min(k, len(left))
            assert opened.check().clean
            if opened is not made:
                opened.close()


def test_open_files_and_arrays_of_every_usual_form_are_taken(collection, gallery, image, tiny):
    path = gallery / "2.png"
    pixels = np.asarray(image(2))
    wanted = collection.query(path, 3)
    with path.open("rb") as file:
        opened = [file, io.BytesIO(path.read_bytes()), bytearray(path.read_bytes()), wanted[0]]
        arrays = [pixels.transpose(2, 0, 1), pixels / 255.0, (pixels / 255).astype(np.float32)]
        vector = open_encoder(tiny).encode([path])[0]
        for source in [*opened, *arrays, vector, vector[None]]:
            found = collection.query(source, 3)
            assert [match.item.uri for match in found] == [match.item.uri for match in wanted]
            assert [match.score for match in found] == pytest.approx([match.score for match in wanted], abs=1e-5)
    assert collection.enroll("two", [io.BytesIO(path.read_bytes())]).added == 1
    gray = np.asarray(image(2).convert("L"))
    assert collection.query(gray[:, :, None], 3) == collection.query(gray, 3)


REFUSED = [
    (None, UsageError, "None is no source; give a path, the bytes of a file, "),
    (3, UsageError, "3 (int) is no source; give a path"),
    ([0.1] * 24, UsageError, "a list is no source; give a path"),
    (io.StringIO, UsageError, "a type is no source"),
    (np.zeros(24), VectorError, "the vector is zero, which has no direction"),
    (np.ones((5, 24)), VectorError, "an array of shape (5, 24); a query is one vector of shape (24,), query_many"),
    (np.zeros((3, 3), np.int64), MediaError, "an array of int64; give pixels as uint8 from 0 to 255"),
    (b"nothing", MediaError, "not an image"),
]


@pytest.mark.parametrize(("source", "kind", "said"), REFUSED, ids=lambda value: str(value)[:20])
def test_what_is_refused_is_named_by_its_row_where_there_are_several(collection, gallery, source, kind, said):
    if said == "not an image":
        with pytest.raises(kind) as refused:
            collection.query(source)
        said = str(refused.value)
    with pytest.raises(kind) as refused:
        collection.query(source)
    assert str(refused.value).startswith(said)
    good = [gallery / "1.png", np.ones(24), np.zeros((9, 9), np.uint8)]
    for place in range(4):
        with pytest.raises(kind) as refused:
            collection.query_many([*good[:place], source, *good[place:]])
        assert str(refused.value).startswith(f"row {place}: {said}")


def test_a_file_opened_as_text_is_refused_with_the_cure(collection, gallery):
    with (
        (gallery / "1.png").open(encoding="utf-8") as file,
        pytest.raises(MediaError, match=r"^the open file cannot be read .*; open it in binary mode, as open\(path"),
    ):
        collection.query(file)
    with (gallery / "1.png").open(encoding="utf-8") as file:
        report = collection.enroll("Ana", [gallery / "1.png", file])
    assert (report.added, [skip.path for skip in report.skipped]) == (1, ["row 1"])
