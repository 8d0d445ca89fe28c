"""Rebuilding a collection, for another encoder or after its encoder has changed."""

from __future__ import annotations

import shlex
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from simsearch.collection.adding import indexing
from simsearch.collection.identities import enrolling
from simsearch.collection.making import make
from simsearch.collection.opened import OpenCollection
from simsearch.collection.places import check_place, is_collection
from simsearch.collection.switching import rebuilding_folder, replace_by_rebuilt
from simsearch.encoders import open_encoder
from simsearch.errors import StoreError, UsageError
from simsearch.media.arguments import require_encoder
from simsearch.media.scan import is_mount
from simsearch.store.records import NewImpostor
from simsearch.types import Item, Skip

if TYPE_CHECKING:
    from simsearch.progress import Progress
    from simsearch.store import Store
    from simsearch.types import Encoder, Query


def rebuild(folder: Path, encoder: str | Path | Encoder | None, progress: Progress) -> tuple[Skip, ...]:
    """Encodes all items and examples of a collection again, beside it, then takes its place in one step.

    Labels, metadata and roots are kept. Returns what was lost because its file cannot be read any more; when that
    is more than half of the items, StoreError is raised and the old collection stays. An interrupted rebuild is
    resumed when it is called again.
    """
    target = rebuilding_folder(folder)
    with OpenCollection(folder) as old, old.writing():
        if old.store.setting("modality") == "vector":
            raise UsageError(f"{folder} holds your own vectors: there is nothing to encode again")
        wanted = (old.store.setting("encoder") or "") if encoder is None else encoder
        opened = open_encoder(wanted) if isinstance(wanted, (str, Path)) else wanted
        require_encoder(opened)
        _check_modality(old.store, folder, opened)
        _check_disks(old.store)
        with _unfinished(target, wanted, opened) as new:
            lost = _copy(old.store, new, progress)
            if 2 * len(lost) > old.store.counts().items + old.store.counts().examples:
                raise StoreError(
                    f"{len(lost)} files of {folder} cannot be read (the first: {lost[0].path}); is a disk away? "
                    "The collection stays as it was"
                )
    replace_by_rebuilt(folder)
    return lost


def _check_modality(old: Store, folder: Path, encoder: Encoder) -> None:
    holds = old.setting("modality")
    if holds != encoder.modality:
        raise UsageError(
            f"{folder} is a collection of {holds}s, but the encoder {encoder.name} takes {encoder.modality}s"
        )


def _check_disks(old: Store) -> None:
    """Raises StoreError when the files of items are on a disk that is not there: rebuilding would lose them."""
    for root in old.roots() if old.setting("modality") == "image" else ():
        for mount in sorted(old.mounts_under(root)):
            count = len(old.ids_under(mount))
            if count and not is_mount(mount):
                raise StoreError(
                    f"{mount} is not mounted, and {count:,} items are from there; mount it, or remove them first: "
                    f"{shlex.join(['simsearch', 'remove', mount])}"
                )


def _unfinished(target: Path, encoder: str | Path | Encoder, opened: Encoder) -> OpenCollection:
    """The unfinished rebuild for this encoder, or a new one."""
    if is_collection(target):
        begun = OpenCollection(target, opened)
        if begun.store.setting("fingerprint") == opened.fingerprint:
            return begun
        begun.close()
    check_place(target)
    shutil.rmtree(target, ignore_errors=True)
    return OpenCollection(target, make(target, encoder, None).encoder)


def _copy(old: Store, new: OpenCollection, progress: Progress) -> tuple[Skip, ...]:
    encoder = new.encoder
    with new.changing() as store:
        for root, reading in old.roots().items():
            store.add_root(root)
            store.set_reading(root, reading)
            store.set_mounts(root, old.mounts_under(root))
        store.removals.carry_over(old.removals)
        _forget_outdated(old, store)
        lost = indexing.encode_items(store, encoder, old, progress)
        lost_examples = _enroll_again(old, store, encoder)
        _keep_calibration(old, store)
        return (*lost, *lost_examples)


def _forget_outdated(old: Store, store: Store) -> None:
    """Removes from an unfinished rebuild what the old collection no longer holds, or holds otherwise by now."""
    outdated = []
    for items in store.iterate_items():
        for item in items:
            there = old.item_by_uri(item.uri)
            if there is None or replace(there, id=item.id, content_id=item.content_id) != item:
                outdated.append(item.id)
    store.remove_items(np.array(outdated, dtype=np.int64))
    for label in store.labels():
        store.remove_label(label)


def _keep_calibration(old: Store, store: Store) -> None:
    """Keeps the calibration; with another encoder without its impostors, so that it is stale."""
    stored = old.calibration()
    if stored is None:
        return
    rows = list[NewImpostor]()
    if old.setting("fingerprint") == store.setting("fingerprint"):
        rows = [NewImpostor(*one, vector) for one, vector in zip(*old.impostors(), strict=True)]
    store.calibrate(stored.document, rows, stored.tops if rows else stored.tops[:0])


def _enroll_again(old: Store, store: Store, encoder: Encoder) -> list[Skip]:
    given: list[tuple[str, Query]] = []
    lost: list[Skip] = []
    for example in old.examples()[0]:
        if example.text is not None:
            # As an item, because it keeps its own text, whatever its file holds by now.
            given.append((example.label, Item(0, example.uri, 0, None, 0, 0, {}, example.text)))
        elif example.uri:
            given.append((example.label, Path(example.uri)))
        else:
            lost.append(Skip(f"an example of {example.label}", "it was given without a file"))
    reports = enrolling.enroll_all(store, encoder, given)
    return [*lost, *(skip for report in reports.values() for skip in report.skipped)]
