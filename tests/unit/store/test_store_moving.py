"""Paths in a store after a folder or file was moved."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from simsearch.store import NewExample, RowFile, Store, Write
from simsearch.store.schema import to_text

E1 = np.array([1, 0, 0, 0], dtype=np.float32)


def at(path: str) -> str:
    """The path as this system writes it."""
    return path.replace("/", os.sep)


def write(uri: str, content: int = 1, label: str | None = None, file: str | None = None, **metadata: str) -> Write:
    return Write(
        at(uri),
        bytes([content]) * 32,
        1,
        2,
        label,
        metadata or None,
        "image",
        3,
        4,
        E1,
        file=None if file is None else at(file),
    )


def items(store: Store) -> dict[str, tuple[int, str | None, dict[str, object]]]:
    return {
        item.uri.replace(os.sep, "/"): (item.id, item.label, dict(item.metadata))
        for page in store.iterate_items()
        for item in page
    }


def test_everything_under_a_path_gets_its_new_path_and_nothing_else(store: Store) -> None:
    odd = to_text(b"/here/caf\xe9/a\0b.png")
    store.write([write("/here/a.png", label="x"), write("/here-too/a.png"), write(odd), write("/here")])
    store.write([write("/here/f.csv#7", file="/here/f.csv")])
    store.add_root(at("/here"))
    store.set_reading(at("/here"), "how")
    store.set_mounts(at("/here"), [at("/here/disk")])
    store.add_examples([("Ana", NewExample(at(f"/{name}/a.png"), name.encode() * 8, E1)) for name in ("here", "else")])
    assert store.move(at("/here"), at("/there/é")) == 4
    assert items(store) == {
        "/there/é/a.png": (1, "x", {}),
        "/here-too/a.png": (2, None, {}),
        to_text("/there/é".encode() + b"/caf\xe9/a\0b.png"): (3, None, {}),
        "/there/é": (4, None, {}),
        "/there/é/f.csv#7": (5, None, {}),
    }
    assert store.roots() == {at("/there/é"): "how"}
    assert store.mounts_under(at("/there/é")) == {at("/there/é/disk")}
    table = at("/there/é/f.csv")
    assert store.row_files([table]) == {table: RowFile(table, -1, -1, "")}
    assert [example.uri for example in store.examples()[0]] == [at("/there/é/a.png"), at("/else/a.png")]
    assert store.check() == []


def test_a_folder_may_move_into_itself_and_out_of_itself(store: Store) -> None:
    store.write([write("/a/x"), write("/a/a/x"), write("/a/a/a/x")])
    assert store.move(at("/a"), at("/a/a")) == 3
    assert {uri: one[0] for uri, one in items(store).items()} == {"/a/a/x": 1, "/a/a/a/x": 2, "/a/a/a/a/x": 3}
    assert store.move(at("/a/a"), at("/a")) == 3
    assert {uri: one[0] for uri, one in items(store).items()} == {"/a/x": 1, "/a/a/x": 2, "/a/a/a/x": 3}


def test_what_is_at_the_new_path_already_takes_over_what_it_lacks(store: Store) -> None:
    store.write([write("/old/1", 1, "kept", color="red"), write("/old/2", 2, "lost"), write("/old/3", 3)])
    store.write([write("/new/1", 1), write("/new/2", 4, "own", size="big")])
    store.write([write(f"/old/t#{n}", 5, f"row {n}", file="/old/t") for n in (1, 2)])
    store.write([write("/new/t#1", 5, file="/new/t")])
    for root in ("/old", "/new"):
        store.add_root(at(root))
    generation = store.generation()
    assert store.move(at("/old"), at("/new")) == 5
    assert {uri: one[1:] for uri, one in items(store).items()} == {
        "/new/1": ("kept", {"color": "red"}),
        "/new/2": ("own", {"size": "big"}),
        "/new/3": (None, {}),
        "/new/t#1": ("row 1", {}),
        "/new/t#2": ("row 2", {}),
    }
    assert store.files_of([6, 7]) == {7: at("/new/t")}
    assert list(store.roots()) == [at("/new")]
    # The content of the item that went.
    assert store.removed_since(generation).tolist() == [2]
    assert store.check() == []


def test_a_path_at_which_nothing_is_moves_nothing(store: Store, path: Path) -> None:
    store.write([write("/a/x")])
    assert store.move(at("/b"), at("/c")) == 0
    assert set(items(store)) == {"/a/x"}
