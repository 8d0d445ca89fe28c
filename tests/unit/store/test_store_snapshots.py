from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from simsearch.errors import StoreError
from simsearch.store import Counts, Store, Write


def item(uri: str, content: str) -> Write:
    row = np.array([1, 0, 0, 0], dtype=np.float32)
    return Write(uri, content.ljust(32).encode(), 1, 2, None, None, "image", 3, 4, row)


def test_a_reader_sees_what_was_committed_and_a_snapshot_what_was_then(store: Store, path: Path) -> None:
    store.write([item("a", "red"), item("b", "blue")])
    with Store.open(path) as reader:
        with reader.snapshot():
            assert reader.generation() == 1
            store.write([item("c", "green")])
            store.remove_items(np.array([1]))
            with reader.snapshot():
                assert reader.counts() == Counts(2, 2, 0)
            assert reader.generation() == 1
            assert [ids.tolist() for ids, _ in reader.vectors(batch=1)] == [[1], [2]]
        assert reader.generation() == 3
        assert [ids.tolist() for ids, _ in reader.vectors()] == [[2, 3]]


def test_an_error_of_others_leaves_a_snapshot_as_it_is(store: Store) -> None:
    with pytest.raises(StoreError) as caught, store.snapshot():
        raise StoreError("of someone else")
    assert str(caught.value) == "of someone else"
    with pytest.raises(StoreError, match="inside a snapshot"), store.snapshot():
        store.write([item("a", "red")])
    store.write([item("a", "red")])
    assert store.counts().items == 1
