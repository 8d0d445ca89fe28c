"""Filters in SQL: random ones give the items that a plain evaluator in Python gives."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from where_oracle import Row, conditions, documents, holds, json_values, names, row_of, texts

from simsearch.store import Store, Write
from simsearch.where import parse
from simsearch.where.tree import Condition

VECTOR = np.array([1.0, 0.0], dtype=np.float32)
maybe = st.one_of(st.none(), names)


@st.composite
def rows(draw: st.DrawFn) -> Row:
    """One item: a path, a label that may be of bytes, sizes, times, a text, metadata of all types."""
    return row_of(
        draw(names),
        label=draw(maybe),
        size=draw(st.integers(0, 3)),
        date=draw(st.one_of(st.none(), st.integers(1, 3))),
        width=draw(st.one_of(st.none(), st.integers(1, 3))),
        height=draw(st.one_of(st.none(), st.integers(1, 3))),
        kind=draw(st.sampled_from(["image", "text", "a"])),
        text=draw(st.one_of(st.none(), texts)),
        problem=draw(maybe),
        metadata=draw(documents(json_values)),
    )


def written_to(store: Store, items: Sequence[Row]) -> dict[int, Row]:
    """The items by the ids that they got; each has a content of its own."""
    store.write(
        [
            Write(
                uri=row["path"],
                sha256=hashlib.sha256(repr(sorted(row.items(), key=str)).encode("utf-8", "surrogateescape")).digest(),
                size=row["size"],
                mtime_ns=row["date"] or 0,
                label=row["label"],
                metadata=row["metadata"],
                kind=row["kind"] or "image",
                width=row["width"],
                height=row["height"],
                vector=VECTOR,
                text=row["text"],
            )
            for row in items
        ]
    )
    by_path = {row["path"]: row for row in items}
    known = store.known(list(by_path))
    store.set_problems({known[path].item_id: row["problem"] for path, row in by_path.items() if row["problem"]})
    return {known[path].item_id: row for path, row in by_path.items()}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "store.sqlite", {"dim": "2", "modality": "vector"})


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """One store for all random filters: what is in it goes before each of them."""
    return Store.create(tmp_path_factory.mktemp("where") / "store.sqlite", {"dim": "2", "modality": "vector"})


def ids(store: Store, condition: Condition | str) -> list[int]:
    tree = parse(condition) if isinstance(condition, str) else condition
    return store.item_ids_where(tree).tolist()


@settings(max_examples=35, deadline=None)
@given(
    items=st.lists(rows(), max_size=6, unique_by=lambda row: row["path"]),
    some=st.lists(conditions, min_size=1, max_size=4),
)
def test_random_filters_find_what_a_plain_evaluator_finds(
    shared: Store, items: list[Row], some: list[Condition]
) -> None:
    shared.remove_items(np.array([item.id for batch in shared.iterate_items() for item in batch], dtype=np.int64))
    by_id = written_to(shared, items)
    for condition in some:
        expected = [item_id for item_id, row in sorted(by_id.items()) if holds(condition, row)]
        assert ids(shared, condition) == expected
        found = [item.id for batch in shared.iterate_items(2, condition) for item in batch]
        assert found == expected
        contents = [item.content_id for item in shared.items(np.array(expected, dtype=np.int64))]
        assert shared.contents_where(condition).tolist() == sorted(set(contents))
        everything = [item.content_id for item in shared.items(np.array(list(by_id), dtype=np.int64))]
        assert shared.contents_among(everything, condition).tolist() == sorted(set(contents))


def test_a_path_is_found_by_name_folder_and_beginning(store: Store) -> None:
    paths = ["/a/b/one.png", "/a/b/two.PNG", "/a/bc/one.png", "/a/b/c/one.png", "/a/\udcff/x.png", "/b%/y.png", "z"]
    by_id = written_to(store, [row_of(path, size=1) for path in paths])

    def found(condition: str) -> list[str]:
        return [by_id[item_id]["path"] for item_id in ids(store, condition)]

    assert found("folder = '/a/b'") == ["/a/b/one.png", "/a/b/two.PNG"]
    assert found("not folder = '/a/b'") == [path for path in paths if path not in found("folder = '/a/b'")]
    assert found("name = 'one.png'") == ["/a/b/one.png", "/a/bc/one.png", "/a/b/c/one.png"]
    assert found("path like '/a/b/%'") == ["/a/b/one.png", "/a/b/two.PNG", "/a/b/c/one.png"]
    assert found("path glob '*.png' and path not like '/a/%'") == ["/b%/y.png"]
    assert found("path like '/b\\%/%' escape '\\'") == ["/b%/y.png"]
    assert found("path = 'z' or folder = ''") == ["z"]
    assert found("folder = '/a/\udcff'") == ["/a/\udcff/x.png"]
    assert found("path in ('z', '/a/bc/one.png')") == ["/a/bc/one.png", "z"]


def test_a_filter_by_the_beginning_of_a_path_or_by_a_label_needs_no_look_at_all_items(store: Store) -> None:
    from simsearch.store.filters.conditions import compiled
    from simsearch.store.schema import ITEM

    for condition, index in (
        ("path like '/a/%'", "uri"),
        ("folder = '/a'", "uri"),
        ("label = 'a'", "item_label"),
        ("label in ('a', 'b')", "item_label"),
    ):
        query = ITEM.select().where(compiled(parse(condition)))
        with store._database.reading() as connection:
            text = str(query.compile(connection, compile_kwargs={"render_postcompile": True}))
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", tuple("x" * text.count("?"))).all()
        assert "SEARCH item" in str(plan), condition
        assert index in str(plan)


def test_the_largest_filters_are_carried_out(store: Store) -> None:
    written_to(store, [row_of(f"item {number}", size=number, metadata={"n": number}) for number in range(3)])
    many = " or ".join(f"n = {number}" for number in range(100, 399))
    assert ids(store, f"{many} or n = 1") == [2]
    assert ids(store, f"not ({many} or n = 1)") == [1, 3]
    assert ids(store, f"path in ({', '.join(repr(f'item {number}') for number in range(2, 20_001))})") == [3]
    assert ids(store, "not (" * 20 + "n = 1" + ")" * 20) == [2]
    assert ids(store, f"path like '{'%m' * 20}%' or path like 'item {'_' * 4_000}' or n = 2") == [3]
