"""Identities renamed and merged, and single examples forgotten."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.collection.identities.following import following
from simsearch.collection.identities.reading import check_label
from simsearch.errors import UsageError

if TYPE_CHECKING:
    from simsearch.store import Store


def examples_from(store: Store, file: str | Path) -> dict[int, str]:
    """The ids of the examples that were enrolled from a file, or under a uri, with their labels."""
    names = {os.path.abspath(file), os.fspath(file)}  # noqa: PTH100  (as examples are named)
    return store.example_labels_of(sorted(names))


def forget_examples(store: Store, labels: Mapping[int, str]) -> int:
    """Removes examples, given by id with their labels; returns how many there were."""
    with following(store, sorted(set(labels.values()))):
        return store.remove_examples(list(labels))


def rename(store: Store, label: str, new: str) -> int:
    """Gives a label another name; returns the number of its examples."""
    known = store.labels()
    check_label(new)
    _require(known, label)
    if new in known and new != label:
        raise UsageError(
            f"{new!r} is enrolled already; to join the two: {shlex.join(['simsearch', 'merge', label, new])}"
        )
    if new == label:
        return known[label]
    with following(store, [label, new]):
        return store.move_label(label, new)[0]


def merge(store: Store, label: str, target: str) -> int:
    """Makes the examples of a label examples of another; returns how many it has given."""
    known = store.labels()
    _require(known, label)
    _require(known, target)
    if label == target:
        raise UsageError(f"{label!r} cannot be merged with itself; name two labels")
    with following(store, [label, target]):
        return store.move_label(label, target)[0]


def _require(known: Mapping[str, int], label: str) -> None:
    if label not in known:
        raise UsageError(f"no example is enrolled as {label!r}; there are {len(known):,} labels: simsearch identities")
