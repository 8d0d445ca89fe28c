"""What a collection holds, carried over into another state of it with another encoder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from simsearch.collection.adding import indexing
from simsearch.collection.identities import enrolling
from simsearch.store.records import NewExample, NewImpostor
from simsearch.types import Item, Skip

if TYPE_CHECKING:
    from simsearch.progress import Progress
    from simsearch.store import Store
    from simsearch.types import Encoder, Query


def carry_over(old: Store, new: Store, encoder: Encoder, progress: Progress) -> tuple[Skip, ...]:
    """Makes another store hold what the old one does, encoding only what it lacks; returns what cannot be read.

    Interrupted, or called again after the old one has changed, it brings the other up to date.
    """
    new.set_settings(old.chosen_settings())
    for root, reading in old.roots().items():
        new.add_root(root)
        new.set_reading(root, reading)
        new.set_mounts(root, old.mounts_under(root))
    new.removals.carry_over(old.removals)
    for root, packed in old.filters().items():
        if packed is not None:
            new.set_filter(root, packed)
    _remove_outdated(old, new)
    lost = indexing.encode_items(new, encoder, old, progress)
    lost_examples = _carry_examples(old, new, encoder)
    _carry_calibration(old, new)
    return (*lost, *lost_examples)


def _remove_outdated(old: Store, new: Store) -> None:
    """Removes items that the old store no longer holds, or holds otherwise by now."""
    outdated = []
    for items in new.iterate_items():
        there = old.items_by_uri([item.uri for item in items])
        mine = new.digests([item.content_id for item in items])
        theirs = old.digests([item.content_id for item in there.values()])
        for item in items:
            other = there.get(item.uri)
            if (
                other is None
                or replace(other, id=item.id, content_id=item.content_id) != item
                or theirs.get(other.content_id) != mine[item.content_id]
            ):
                outdated.append(item.id)
    new.remove_items(np.array(outdated, dtype=np.int64))


def _carry_examples(old: Store, new: Store, encoder: Encoder) -> list[Skip]:
    """Gives the new store the examples of the old; what it has of them, under whatever label, is not encoded again."""
    wanted = {(label, one.sha256): one for _, label, one in old.example_rows()}
    there = new.example_rows()
    vectors = {one.sha256: one for _, _, one in there}
    have = {(label, one.sha256): number for number, label, one in there}
    new.remove_examples([number for key, number in have.items() if key not in wanted])
    known: list[tuple[str, NewExample]] = []
    given: list[tuple[str, Query]] = []
    lost: list[Skip] = []
    for (label, sha256), example in wanted.items():
        if (label, sha256) in have:
            continue
        if sha256 in vectors:
            known.append((label, vectors[sha256]._replace(uri=example.uri)))
        elif example.text is not None:
            # As an item, because it keeps its own text, whatever its file holds by now.
            given.append((label, Item(0, example.uri, 0, None, 0, 0, {}, example.text)))
        elif example.uri:
            given.append((label, Path(example.uri)))
        else:
            lost.append(Skip(f"an example of {label}", "it was given without a file"))
    new.add_examples(known)
    reports = enrolling.enroll_all(new, encoder, given, enrolling.EnrollOptions(force=True))
    return [*lost, *(skip for report in reports.values() for skip in report.skipped)]


def _carry_calibration(old: Store, new: Store) -> None:
    """Keeps the calibration; for another encoder without its impostors, so that it is stale.

    One that the new store has of its own, with impostors, stays.
    """
    stored = old.calibration()
    same = old.setting("fingerprint") == new.setting("fingerprint")
    if stored is None or (not same and new.impostors()[0]):
        return
    rows = list[NewImpostor]()
    if same:
        rows = [NewImpostor(*one, vector) for one, vector in zip(*old.impostors(), strict=True)]
    before = new.calibration()
    if before is None or same or before.document != stored.document:
        new.calibrate(stored.document, rows, stored.tops if rows else stored.tops[:0])
