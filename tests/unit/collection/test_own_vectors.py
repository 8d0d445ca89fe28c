"""Your own embeddings in a collection."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simsearch.collection import Collection
from simsearch.errors import UsageError, VectorError
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
