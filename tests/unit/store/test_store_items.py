from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from simsearch.errors import StoreError
from simsearch.store import Counts, Known, NewExample, Store, Write
from simsearch.types import Item

if TYPE_CHECKING:
    from simsearch.types import Metadata, Vectors

SEP = os.sep


def vector_of(name: str) -> Vectors:
    numbers = np.frombuffer(hashlib.sha256(name.encode()).digest()[:4], dtype=np.uint8).astype(np.float64) + 1.0
    return (numbers / np.linalg.norm(numbers)).astype(np.float32)


def sha(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


def item(
    uri: str, content: str, *, label: str | None = None, metadata: Metadata | None = None, bare: bool = False
) -> Write:
    """A write of an item whose content is made from a name; `bare` without its vector."""
    vector = None if bare else vector_of(content)
    return Write(uri, sha(content), 10, 20, label, metadata, "image", 3, 4, vector)


def test_items_of_equal_content_share_a_vector(store: Store) -> None:
    store.write([item("a", "red"), item("b", "red", bare=True), item("c", "blue")])
    assert store.counts() == Counts(items=3, contents=2, examples=0)
    assert store.content_ids([sha("red"), sha("blue"), sha("green")]) == {sha("red"): 1, sha("blue"): 2}
    assert store.items_of([1, 2, 3]) == {
        1: [Item(1, "a", 1, None, 10, 20), Item(2, "b", 1, None, 10, 20)],
        2: [Item(3, "c", 2, None, 10, 20)],
    }
    np.testing.assert_array_equal(
        store.vectors_of([2, 1, 2]), np.array([vector_of(n) for n in ("blue", "red", "blue")])
    )


def test_a_content_that_is_there_keeps_its_vector(store: Store) -> None:
    store.write([item("a", "red")])
    other = Write("b", sha("red"), 1, 2, None, None, "image", 9, 9, vector_of("blue"))
    store.write([other])
    assert store.counts() == Counts(2, 1, 0)
    np.testing.assert_array_equal(store.vectors_of([1])[0], vector_of("red"))
    assert store.generation() == 1


def test_an_item_is_repointed_and_keeps_its_id_label_and_metadata(store: Store) -> None:
    store.write([item("a", "red", label="Ana", metadata={"year": 2020, "tags": ["é", None]}), item("b", "blue")])
    store.write([item("a", "green")])
    assert store.counts() == Counts(2, 2, 0)
    assert store.item_by_uri("a") == Item(1, "a", 3, "Ana", 10, 20, {"year": 2020, "tags": ["é", None]})
    store.write([item("a", "green", label="Eva", metadata={})])
    assert store.item_by_uri("a") == Item(1, "a", 3, "Eva", 10, 20, {})
    assert store.removed_since(1) is not None
    assert [ids.tolist() for ids in (store.removed_since(1), store.removed_since(2)) if ids is not None] == [[1], []]


def test_the_generation_counts_changes_of_the_set_of_contents_only(store: Store) -> None:
    steps = [
        (lambda: store.write([item("a", "red")]), 1),
        (lambda: store.write([item("b", "red")]), 1),
        (lambda: store.write([]), 1),
        (lambda: store.set_labels([(1, "Ana")]), 1),
        (lambda: store.remove_items(np.array([1])), 1),
        (lambda: store.remove_items(np.array([2])), 2),
        (lambda: store.remove_items(np.array([2])), 2),
        (lambda: store.add_examples([("Ana", NewExample("x", sha("red"), vector_of("red")))]), 2),
    ]
    for step, expected in steps:
        step()
        assert store.generation() == expected


def test_ids_are_never_used_again(store: Store) -> None:
    store.write([item("a", "red"), item("b", "blue")])
    store.remove_items(np.array([1, 2]))
    assert (store.last_item_id(), store.last_content_id()) == (2, 2)
    store.write([item("a", "red")])
    assert store.item_by_uri("a") == Item(3, "a", 3, None, 10, 20)


def test_of_two_writes_to_one_uri_the_later_counts(store: Store) -> None:
    store.write([item("a", "red"), item("a", "blue"), item("b", "blue", bare=True)])
    assert store.counts() == Counts(2, 1, 0)
    np.testing.assert_array_equal(store.vectors_of([1])[0], vector_of("blue"))
    assert store.check() == []


def test_a_missing_or_unfit_vector_undoes_the_whole_batch(store: Store) -> None:
    store.write([item("a", "red")])
    with pytest.raises(StoreError, match="content of 'c' is not stored"):
        store.write([item("b", "blue"), item("c", "green", bare=True)])
    short = Write("c", sha("green"), 1, 2, None, None, "image", None, None, vector_of("green")[:3])
    with pytest.raises(StoreError, match=r"vector of 'c' has the shape \(3,\) instead of \(4,\)"):
        store.write([item("b", "blue"), short])
    assert store.counts() == Counts(1, 1, 0)
    assert store.generation() == 1
    assert store.item_by_uri("b") is None


def test_known_tells_of_those_uris_that_there_are_however_many_are_asked_for(store: Store) -> None:
    uris = [f"{number:05}" for number in range(2500)]
    store.write([item(uri, f"c{number % 7}", label="Ana" if number == 5 else None) for number, uri in enumerate(uris)])
    known = store.known([*uris, "other", uris[0]])
    assert list(known) == uris
    assert known["00005"] == Known(6, 6, 10, 20, "Ana")
    assert known["02499"] == Known(2500, 1, 10, 20, None)
    assert store.known([]) == {}


def test_labels_are_changed_by_id(store: Store) -> None:
    store.write([item("a", "red", label="Ana"), item("b", "red", label="Eva"), item("c", "red")])
    store.set_labels([(2, None), (3, "Ida")])
    assert {uri: known.label for uri, known in store.known(["a", "b", "c"]).items()} == {
        "a": "Ana",
        "b": None,
        "c": "Ida",
    }
    store.set_labels([])


def test_any_size_and_time_comes_back(store: Store) -> None:
    store.write([Write("a", sha("red"), 0, 2**62, None, None, "image", 3, 4, vector_of("red"))])
    store.write([Write("b", sha("red"), 2**40, -1, None, None, "image", 3, 4, None)])
    assert store.known(["a", "b"]) == {"a": Known(1, 1, 0, 2**62, None), "b": Known(2, 1, 2**40, -1, None)}


def test_a_folder_means_what_lies_under_it_and_itself(store: Store) -> None:
    uris = [
        SEP.join(parts)
        for parts in (
            ("", "a"),
            ("", "a", "b"),
            ("", "a", "b", "1"),
            ("", "a", "b", "c", "2"),
            ("", "a", "bc"),
            ("", "a", "b c", "3"),
            ("", "a", "b-", "4"),
            ("", "a", "b0"),
            ("", "z"),
            ("own",),
            ("own", "5"),
        )
    ]
    store.write([item(uri, "red") for uri in uris])

    def under(*parts: str) -> list[str]:
        ids = store.ids_under(SEP.join(parts))
        assert ids.dtype == np.int64
        return [found.uri for found in store.items(ids)]

    assert under("", "a", "b") == [uris[1], uris[2], uris[3]]
    assert under("", "a", "b", "") == [uris[2], uris[3]]
    assert under("", "a", "bc") == [uris[4]]
    assert under("", "a") == uris[:8]
    assert under("", "") == uris[:9]
    assert under("own") == uris[9:]
    assert under("", "a", "b", "c", "2") == [uris[3]]
    assert under("", "missing") == []


@pytest.mark.parametrize(
    "uri", ["é/ü.jpg", "写真", "\U0001f600", os.fsdecode(b"caf\xe9.jpg"), "new\nline", "nul\0", ""]
)
def test_any_name_of_a_file_comes_back_exactly(uri: str, store: Store) -> None:
    store.write([item(uri, "red", label=uri)])
    store.add_root(uri)
    store.add_examples([(uri, NewExample(uri, sha("red"), vector_of("red")))])
    assert store.item_by_uri(uri) == Item(1, uri, 1, uri, 10, 20)
    assert store.known([uri]) == {uri: Known(1, 1, 10, 20, uri)}
    assert list(store.roots()) == [uri]
    assert store.labels() == {uri: 1}
    assert [(one.uri, one.label) for one in store.examples()[0]] == [(uri, uri)]
    assert store.ids_under(uri).tolist() == [1]
    assert store.remove_label(uri) == 1


def test_a_setting_holds_any_name_of_a_file(path: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    with Store.create(path, {"dim": "4", "encoder": name}) as store:
        assert store.setting("encoder") == name


def test_a_uri_that_is_no_text_at_all_is_refused(store: Store) -> None:
    if os.name == "nt":
        uri, expected = "\ud800", 1
    else:
        uri, expected = "\ud800", 0
    if expected:
        store.write([item(uri, "red")])
    else:
        with pytest.raises(StoreError, match="cannot be stored"):
            store.write([item(uri, "red")])
        with pytest.raises(StoreError, match="cannot be stored"):
            store.item_by_uri(uri)
    assert store.counts().items == expected


def test_removing_takes_the_contents_that_lose_their_last_item(store: Store) -> None:
    store.write([item("a", "red"), item("b", "red"), item("c", "blue"), item("d", "green")])
    assert store.remove_items(np.array([1, 3, 99])) == 2
    assert store.content_ids([sha("red"), sha("blue"), sha("green")]) == {sha("red"): 1, sha("green"): 3}
    with pytest.raises(StoreError, match="content 2 is not stored"):
        store.vectors_of([1, 2])
    assert store.remove_items(np.array([], dtype=np.int64)) == 0
    assert store.remove_items(store.ids_under("b")) == 1
    gone = store.removed_since(0)
    assert gone is not None
    assert gone.tolist() == [1, 2]


def test_many_thousands_are_removed_at_once(store: Store) -> None:
    store.write([item(f"{number}", f"c{number}") for number in range(5000)])
    assert store.remove_items(np.arange(1, 4999)) == 4998
    assert store.generation() == 2
    assert store.counts() == Counts(2, 2, 0)
    gone = store.removed_since(1)
    assert gone is not None
    assert gone.tolist() == list(range(1, 4999))
    assert store.check() == []


def test_the_journal_reaches_back_to_where_it_was_trimmed(store: Store) -> None:
    for name in ("red", "blue", "green"):
        store.write([item("a", name)])

    def since(generation: int) -> list[int] | None:
        gone = store.removed_since(generation)
        return None if gone is None else gone.tolist()

    assert [since(generation) for generation in range(4)] == [[1, 2], [1, 2], [2], []]
    store.trim_journal(2)
    assert [since(generation) for generation in range(4)] == [None, None, [2], []]
    store.trim_journal(1)
    assert since(1) is None
    store.trim_journal(99)
    assert [since(2), since(3)] == [None, []]
    store.write([item("a", "red")])
    assert since(3) == [3]
    assert store.check() == []


def test_items_and_vectors_are_streamed_in_order(store: Store) -> None:
    store.write([item(f"{number}", f"c{number}") for number in range(25)])
    store.remove_items(np.array([3, 10, 11, 25]))
    pages = list(store.iterate_items(batch=7))
    assert [len(page) for page in pages] == [7, 7, 7]
    assert [one.id for page in pages for one in page] == [n for n in range(1, 26) if n not in (3, 10, 11, 25)]
    blocks = list(store.vectors(after=5, batch=8))
    assert [len(ids) for ids, _ in blocks] == [8, 8, 1]
    for ids, vectors in blocks:
        assert vectors.dtype == np.float32
        np.testing.assert_array_equal(vectors, store.vectors_of(ids.tolist()))
    assert [number for ids, _ in blocks for number in ids.tolist()] == [
        n for n in range(6, 26) if n not in (10, 11, 25)
    ]
    assert list(store.vectors(after=24)) == []
    assert store.vectors_of([]).shape == (0, 4)


def test_examples_stand_apart_from_items(store: Store) -> None:
    red, blue = vector_of("red"), vector_of("blue")
    assert store.examples()[0] == ()
    assert store.examples()[1].shape == (0, 4)
    eva = [NewExample("x", sha("red"), red), NewExample("y", sha("blue"), blue), NewExample("z", sha("red"), red)]
    both = [*(("Eva", one) for one in eva), ("Ana", NewExample("x", sha("red"), red))]
    assert store.add_examples(both) == {"Eva": 2, "Ana": 1}
    assert store.add_examples([("Ana", NewExample("other", sha("red"), red))]) == {"Ana": 0}
    assert store.add_examples([]) == {}
    assert list(store.labels().items()) == [("Ana", 1), ("Eva", 2)]
    found, vectors = store.examples()
    assert [(one.label, one.uri) for one in found] == [("Eva", "x"), ("Eva", "y"), ("Ana", "x")]
    np.testing.assert_array_equal(vectors, np.array([red, blue, red]))
    assert store.counts() == Counts(0, 0, 3)
    with pytest.raises(StoreError, match=r"\(3,\)"):
        store.add_examples([("Ida", NewExample("x", sha("red"), red[:3]))])
    assert store.remove_label("Eva") == 2
    assert store.remove_label("Eva") == 0
    assert store.labels() == {"Ana": 1}


def test_settings_of_an_empty_store_can_be_replaced(store: Store) -> None:
    assert store.set_settings({"encoder": "other", "dim": "3"}, if_empty=True)
    assert (store.setting("encoder"), store.dim) == ("other", 3)
    assert store.set_settings({"dim": "4"}, if_empty=True)
    store.add_examples([("Ana", NewExample("x", sha("red"), vector_of("red")))])
    assert not store.set_settings({"encoder": "third"}, if_empty=True)
    assert store.setting("encoder") == "other"
    assert store.set_settings({"encoder": "moved"})
    assert store.setting("encoder") == "moved"


def test_settings_and_roots(store: Store) -> None:
    assert store.setting("encoder") == "photo"
    assert store.setting("missing") is None
    assert store.dim == 4
    for root in ("/b", "/a", "/b"):
        store.add_root(root)
    assert store.roots() == {"/b": None, "/a": None}
