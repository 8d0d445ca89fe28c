"""Your own embeddings in a collection."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simsearch.collection import Collection
from simsearch.errors import UsageError, VectorError
from simsearch.recognition.gallery import RULE
from simsearch.types import AddReport


@pytest.fixture
def collection(tmp_path):
    with Collection.create(tmp_path / "own", dim=4) as made:
        yield made


def test_rows_are_normalized_and_uris_kept_as_given(collection):
    uris = ["https://example.org/a?b=c", "./not/a/../path", "ü name\nwith newline"]
    rows = np.array([[3, 0, 0, 4], [0, 1e-30, 0, 0], [1e30, 1e30, 1e30, 1e30]])
    assert collection.add_vectors(uris, rows, [{"n": 1}, {}, {"deep": [1, {"x": None}]}]) == AddReport(added=3)
    items = list(collection.items())
    assert [item.uri for item in items] == uris
    assert [dict(item.metadata) for item in items] == [{"n": 1}, {}, {"deep": [1, {"x": None}]}]
    stored = collection.store.vectors_of([item.content_id for item in items])
    assert stored == pytest.approx(np.array([[0.6, 0, 0, 0.8], [0, 1, 0, 0], [0.5, 0.5, 0.5, 0.5]]))
    assert collection.query(uris[1], 1)[0].item.uri == uris[1]


@pytest.mark.parametrize(
    ("bad", "said"), [([0, 0, 0, 0], "row 2"), ([0, float("nan"), 0, 0], "row 2"), ([0, 0, float("inf"), 0], "row 2")]
)
def test_a_bad_row_is_named_and_nothing_is_stored(collection, bad, said):
    with pytest.raises(VectorError, match=said):
        collection.add_vectors(["a", "b", "c"], [[1, 0, 0, 0], [0, 1, 0, 0], bad])
    assert len(collection) == 0


def test_the_wrong_shape_is_refused(collection):
    with pytest.raises(VectorError, match="instead of 4"):
        collection.add_vectors(["a"], np.ones((1, 5)))
    with pytest.raises(UsageError, match="2 uris for 1 vectors"):
        collection.add_vectors(["a", "b"], np.ones((1, 4)))
    with pytest.raises(UsageError, match="0 metadata for 1 vectors"):
        collection.add_vectors(["a"], np.ones((1, 4)), [])
    with pytest.raises(UsageError, match="twice"):
        collection.add_vectors(["a", "a"], np.eye(4)[:2])
    assert len(collection) == 0


def test_a_uri_that_is_there_gets_the_new_vector(collection):
    collection.add_vectors(["a", "b"], np.eye(4)[:2], [{"old": 1}, {"old": 2}])
    before = {item.uri: item.id for item in collection.items()}
    assert collection.add_vectors(["b", "c", "a"], np.eye(4)[[3, 2, 0]]) == AddReport(added=1, unchanged=1, updated=1)
    assert {item.uri: item.id for item in collection.items() if item.uri != "c"} == before
    assert collection.query(np.eye(4)[3], 1)[0].item.uri == "b"
    assert collection.query(np.eye(4)[1], 1)[0].score == 0
    assert collection.store.item_by_uri("b").metadata == {"old": 2}
    assert collection.check().clean


def test_a_collection_with_an_encoder_takes_none_and_one_without_takes_no_files(tmp_path, tiny, collection, gallery):
    with Collection.create(tmp_path / "files", tiny) as made, pytest.raises(UsageError, match="has an encoder"):
        made.add_vectors(["a"], np.ones((1, 24)))
    with pytest.raises(UsageError, match="no encoder"):
        collection.add(gallery)
    with pytest.raises(UsageError, match="no encoder"):
        collection.query(gallery / "0.png")


def test_more_than_one_transaction_of_vectors(collection):
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(10_050, 4)).astype(np.float32)
    uris = [f"{n}" for n in range(len(rows))]
    assert collection.add_vectors(uris, rows) == AddReport(added=10_050)
    assert collection.add_vectors(uris, rows) == AddReport(unchanged=10_050)
    assert collection.query(rows[10_049], 1)[0].item.uri == "10049"


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6), count=st.integers(0, 40), k=st.integers(1, 50))
def test_search_gives_the_arrays_of_an_exact_search(tmp_path_factory, seed, count, k):
    """Content ids and scores equal those of a sort in float64, best first, ties by id."""
    rng = np.random.default_rng(seed)
    rows, asked = rng.normal(size=(count, 4)), rng.normal(size=(5, 4))
    with Collection.create(tmp_path_factory.mktemp("search") / "col", dim=4) as made:
        made.add_vectors([f"{n}" for n in range(count)], rows.reshape(count, 4))
        ids, scores = made.search(asked, k)
        contents = np.array([item.content_id for item in made.items()], dtype=np.int64)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    exact = asked / np.linalg.norm(asked, axis=1, keepdims=True) @ unit.T
    order = np.argsort(-exact, axis=1, kind="stable")[:, :k]
    assert ids.shape == scores.shape == (5, min(k, count))
    assert scores == pytest.approx(np.take_along_axis(exact, order, axis=1), abs=1e-6)
    close = np.diff(np.take_along_axis(exact, order, axis=1), axis=1) > -1e-6
    assert close.any() or (ids == contents[order]).all()


def test_metadata_are_taken_in_the_forms_of_numpy_and_of_dates(collection):
    given = {
        "count": np.int64(3),
        "share": np.float32(0.5),
        "good": np.bool_(True),
        "name": np.str_("x"),
        "list": np.arange(2),
        "pair": (1, None),
        "day": date(2026, 11, 29),
        "at": datetime(2026, 11, 29, 3, 35, tzinfo=UTC),
        "numpy": np.datetime64("2026-11-29"),
        "deep": {"x": [np.float64(1.5)]},
    }
    stored = {
        "count": 3,
        "share": 0.5,
        "good": True,
        "name": "x",
        "list": [0, 1],
        "pair": [1, None],
        "day": "2026-11-29",
        "at": "2026-11-29T03:35:00+00:00",
        "numpy": "2026-11-29",
        "deep": {"x": [1.5]},
    }
    assert collection.add_vectors(["a"], np.ones((1, 4)), [given]) == AddReport(added=1)
    assert collection.store.item_by_uri("a").metadata == stored
    assert collection.add_vectors(["a"], np.ones((1, 4)), [given]) == AddReport(unchanged=1)


def test_changed_metadata_count_as_updated(collection):
    rows = np.eye(4)[:3]
    collection.add_vectors(["a", "b", "c"], rows, [{"n": 1}, {"n": 2}, {}])
    assert collection.add_vectors(["a", "b", "c"], rows) == AddReport(unchanged=3)
    changed = collection.add_vectors(["a", "b", "c"], rows, [{"n": 1}, {"n": 3}, {"n": 4}])
    assert changed == AddReport(unchanged=1, updated=2)
    assert [item.metadata for item in collection] == [{"n": 1}, {"n": 3}, {"n": 4}]


BAD_METADATA = [
    ({"n": float("nan")}, "metadata 1, 'n' is nan, which JSON lacks; leave the key out, or give None"),
    ({"n": np.float32("inf")}, "metadata 1, 'n' is inf, which JSON lacks"),
    ({"n": {"m": [float("nan")]}}, "metadata 1, 'n', 'm' is nan"),
    ({"n": np.datetime64("NaT")}, "metadata 1, 'n' is no date; leave the key out"),
    ({"n": {1, 2}}, "metadata 1, 'n' is a set, which JSON cannot hold; give texts, numbers"),
    ({"n": b"x"}, "metadata 1, 'n' is b'x' (bytes), which JSON cannot hold"),
    ({3: "x"}, "metadata 1 has the key 3 (int); keys must be texts"),
    (None, "metadata 1 is None; give a dict, or {} for none"),
    ([("n", 1)], "metadata 1 is [('n', 1)] (list); give a dict"),
]


@pytest.mark.parametrize(("bad", "said"), BAD_METADATA, ids=lambda value: str(value)[:30])
def test_metadata_that_json_cannot_hold_are_refused_by_row_and_key(collection, bad, said):
    with pytest.raises(UsageError) as refused:
        collection.add_vectors(["a", "b"], np.eye(4)[:2], [{}, bad])
    assert str(refused.value).startswith(said)
    assert len(collection) == 0


def test_metadata_within_itself_are_refused(collection):
    about = {}
    about["me"] = about
    with pytest.raises(UsageError, match="metadata 0 is nested too deeply, or holds itself"):
        collection.add_vectors(["a"], np.ones((1, 4)), [about])


def test_uris_are_texts_each_its_own(collection):
    for uris, said in (
        ([1, 2], "uri 0 is 1 (int); give a text, as str(...)"),
        (["a", "b", "a"], "uri 'a' is in the list twice, as 0 and 2; each needs its own"),
        (["a", ""], "uri 1 is empty; each item needs a name"),
        ("ab", "'ab' is one source; give a list, as [it]"),
        (None, "None is no list; give a list of sources"),
    ):
        with pytest.raises(UsageError) as refused:
            collection.add_vectors(uris, np.eye(4)[: len(uris or [1])])
        assert str(refused.value) == said
    assert collection.add_vectors([Path("x") / "y"], np.ones((1, 4))).added == 1
    assert Path("x") / "y" in collection


def around(rng: np.random.Generator, centers: np.ndarray, each: int) -> np.ndarray:
    """Rows near the centers, `each` of the first, then of the second, and so on."""
    return np.repeat(centers, each, axis=0) + rng.normal(scale=0.02, size=(each * len(centers), centers.shape[1]))


def test_vectors_are_enrolled_recognized_and_calibrated(tmp_path):
    rng = np.random.default_rng(5)
    known, strangers = rng.normal(size=(3, 16)), rng.normal(size=(59, 16))
    with Collection.create(tmp_path / "voices", dim=16) as made:
        for name, rows in zip(("Aniela", "Bronya", "Cyprian"), np.split(around(rng, known, 4), 3), strict=True):
            report = made.enroll(name, rows)
            assert (report.added, report.existing) == (4, 0)
        assert made.enroll("Cyprian", list(rows[:2])).existing == 2
        given = np.concatenate([strangers, strangers[:1], rows[:1]])
        calibrated = made.calibrate(0.05, impostors=given)
        assert calibrated.calibration.threshold.impostors == 59
        assert [(skip.path, skip.reason) for skip in calibrated.left_out] == [
            ("row 59", "equal to another impostor"),
            ("row 60", "enrolled as Cyprian, so no impostor"),
        ]
        unit = (strangers / np.linalg.norm(strangers, axis=1, keepdims=True)).astype(np.float32)
        highest = made.decider.gallery.scores(unit, RULE)[0].max()
        assert calibrated.calibration.threshold.score == pytest.approx(highest, abs=1e-4)
        answers = made.recognize_many([*around(rng, known, 1), *strangers])
        assert [answer.label for answer in answers] == ["Aniela", "Bronya", "Cyprian"] + [None] * 59
        assert answers[0].probability is not None and answers[0].probability > 0.9
        assert made.calibrate(0.05).calibration.threshold.impostors == 59
        assert made.forget("Aniela") == 4
        assert made.recognize(known[0]).label is None
        assert made.forgotten("Aniela").clean


def test_an_array_of_the_names_of_rows_is_no_identity(tmp_path):
    """A label that is called like a row has nothing to do with it."""
    with Collection.create(tmp_path / "own", dim=70) as made:
        made.enroll("row 3", np.eye(70)[69:])
        assert made.calibrate(0.05, impostors=np.eye(70)[:60]).calibration.threshold.impostors == 60


@pytest.mark.parametrize(
    ("bad", "error", "said"),
    [
        (["a.wav"], UsageError, "your own vectors: an example of 'x' is 4 numbers, not 'a.wav'"),
        ("a.wav", UsageError, "not 'a.wav'"),
        (np.ones(4), VectorError, "reshape"),
        ([np.ones(4), np.zeros(4)], VectorError, "row 1: the vector is zero"),
        (np.ones((2, 3)), VectorError, "3 numbers each instead of 4"),
    ],
)
def test_what_is_no_vector_is_not_enrolled(collection, bad, error, said):
    with pytest.raises(error, match=said):
        collection.enroll("x", bad)
    assert collection.labels() == {}
    collection.enroll("y", [np.ones(4)])
    with pytest.raises(error, match=said.replace("example of 'x'", "impostor")):
        collection.calibrate(0.5, impostors=bad, confidence=0.5)
    assert collection.calibration() is None


def test_no_vectors_are_no_examples_and_no_impostors(tmp_path, collection, tiny):
    assert collection.enroll("x", []).added == 0
    collection.enroll("x", [np.ones(4)])
    with pytest.raises(UsageError, match="the array has no row"):
        collection.calibrate(0.5, impostors=np.empty((0, 4)), confidence=0.5)
    with Collection.create(tmp_path / "files", tiny) as made:
        made.enroll("x", [np.zeros((8, 8), np.uint8)])
        with pytest.raises(UsageError, match="impostors is an array of float64"):
            made.calibrate(0.5, impostors=np.ones((9, 24)), confidence=0.5)
