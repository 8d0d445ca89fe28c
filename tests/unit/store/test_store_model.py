"""Random histories of a store against plain dictionaries, and of an index that catches up with it now and then."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from simsearch.store import Store, Write

# As the system writes them, because a folder is told by its separator.
URIS = tuple(uri.replace("/", os.sep) for uri in ("p", "p/a", "p/b", "pq", "p/c/d"))
CONTENTS = 5
uri = st.sampled_from(URIS)
written = st.tuples(uri, st.integers(0, CONTENTS - 1), st.sampled_from([None, "Ana", "Eva"]))
operation = st.one_of(
    st.tuples(st.just("write"), st.lists(written, max_size=5, unique_by=lambda one: one[0])),
    st.tuples(st.just("remove"), st.lists(uri, max_size=3)),
    st.tuples(st.just("under"), uri),
    st.tuples(st.just("label"), st.tuples(uri, st.sampled_from([None, "Ida"]))),
    st.tuples(st.just("catch up"), st.none()),
    st.tuples(st.just("trim"), st.none()),
    st.tuples(st.just("reopen"), st.none()),
)
Model: TypeAlias = dict[str, tuple[int, str | None]]


def vector_of(content: int) -> np.ndarray:
    return np.eye(CONTENTS, dtype=np.float32)[content]


def sha(content: int) -> bytes:
    return hashlib.sha256(bytes([content])).digest()


class Follower:
    """An index as a dictionary, brought up to date from the journal as an index file is."""

    def __init__(self) -> None:
        self.vectors: dict[int, list[float]] = {}
        self.generation = self.last_content_id = 0

    def catch_up(self, store: Store) -> None:
        gone = store.removed_since(self.generation)
        if gone is None:
            self.vectors, self.last_content_id = {}, 0
        else:
            self.vectors = {name: row for name, row in self.vectors.items() if name not in set(gone.tolist())}
        for ids, rows in store.vectors(after=self.last_content_id, batch=2):
            assert not set(ids.tolist()) & set(self.vectors)
            self.vectors.update(zip(ids.tolist(), rows.tolist(), strict=True))
        self.generation, self.last_content_id = store.generation(), store.last_content_id()
        expected = {
            name: row for ids, rows in store.vectors() for name, row in zip(ids.tolist(), rows.tolist(), strict=True)
        }
        assert self.vectors == expected


def apply_to_both(store: Store, model: Model, name: str, argument: object) -> None:
    if name == "write":
        there = store.content_ids([sha(content) for content in range(CONTENTS)])
        batch = []
        for one, content, label in argument:  # type: ignore[attr-defined]
            vector = None if sha(content) in there else vector_of(content)
            batch.append(Write(one, sha(content), 1, 2, label, None, "vector", None, None, vector))
            model[one] = (content, label or model.get(one, (0, None))[1])
        store.write(batch)
    elif name == "label":
        one, label = argument  # type: ignore[misc]
        if one in model:
            store.set_labels([(store.known([one])[one].item_id, label)])
            model[one] = (model[one][0], label)
    else:
        gone = (
            set(argument)
            if name == "remove"
            else {one for one in URIS if (one + os.sep).startswith(f"{argument}{os.sep}")}
        )  # type: ignore[call-overload]
        known = store.known(sorted(gone))
        ids = np.array([row.item_id for row in known.values()], dtype=np.int64)
        if name == "under":
            assert set(store.ids_under(str(argument)).tolist()) == set(ids.tolist())
        assert store.remove_items(ids) == len(gone & set(model))
        for one in gone:
            model.pop(one, None)


def assert_same(store: Store, model: Model) -> None:
    items = [item for page in store.iterate_items(batch=2) for item in page]
    names = {
        content_id: content for content in range(CONTENTS) for content_id in store.content_ids([sha(content)]).values()
    }
    assert {item.uri: (names[item.content_id], item.label) for item in items} == model
    assert set(names.values()) == {content for content, _ in model.values()}
    ids = list(names)
    np.testing.assert_array_equal(
        store.vectors_of(ids), np.array([vector_of(names[one]) for one in ids]).reshape(-1, CONTENTS)
    )
    counts = store.counts()
    assert (counts.items, counts.contents) == (len(model), len(names))


@settings(max_examples=40, deadline=None)
@given(st.lists(operation, max_size=12))
def test_any_history_equals_the_model_and_an_index_catches_up(history: list[tuple[str, object]]) -> None:
    model: Model = {}
    follower = Follower()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "collection.sqlite"
        store = Store.create(path, {"dim": str(CONTENTS)})
        try:
            for name, argument in history:
                if name == "catch up":
                    follower.catch_up(store)
                elif name == "trim":
                    store.trim_journal(store.generation())
                elif name == "reopen":
                    store.close()
                    store = Store.open(path, write=True)
                else:
                    apply_to_both(store, model, name, argument)
                    assert_same(store, model)
            follower.catch_up(store)
            assert store.check() == []
        finally:
            store.close()
