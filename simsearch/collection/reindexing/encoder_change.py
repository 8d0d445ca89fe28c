"""Changing the encoder of a collection, and going back."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.collection import locking, pinning
from simsearch.collection.making import make
from simsearch.collection.opened import OpenCollection
from simsearch.collection.places import check_place, is_collection
from simsearch.collection.reindexing.carrying import carry_over
from simsearch.collection.reindexing.comparing import NeighborChange, compare
from simsearch.collection.results import sheet_row
from simsearch.collection.switching import RETURNING, previous_folder, rebuilding_folder, replace_by_rebuilt
from simsearch.encoders import open_encoder
from simsearch.errors import StoreError, UsageError
from simsearch.media.arguments import require_encoder
from simsearch.media.folders.found import is_mount
from simsearch.media.sheets import contact_sheets, save_sheets
from simsearch.progress import Silent

if TYPE_CHECKING:
    from simsearch.progress import Progress
    from simsearch.store import Store
    from simsearch.types import Encoder, Skip


@dataclass(frozen=True, slots=True)
class ReindexReport:
    """What became of a collection that was encoded again.

    `lost` lists items and examples whose files cannot be read any more. `switched` is False for a trial run, whose
    encoded state waits for the next run. `calibration_stale` is whether there is a calibration made with another
    encoder.
    """

    folder: str
    before: str
    encoder: str
    items: int
    lost: tuple[Skip, ...]
    change: NeighborChange | None
    switched: bool
    calibration_stale: bool

    def save(self, path: str | Path, *, force: bool = False) -> list[Path]:
        """The files of a contact sheet of the items whose neighbors change most: a row before and a row after."""
        if self.change is None or not self.change.examples:
            raise UsageError(f"{self.folder} has too few contents to compare; leave the report out")
        rows = [
            replace(row, title=f"{name}: {row.title}")
            for both in self.change.examples
            for name, row in zip((self.before, self.encoder), map(sheet_row, both), strict=True)
        ]
        return save_sheets(contact_sheets(rows), Path(path), force=force)


def reindex(
    folder: Path,
    encoder: str | Path | Encoder | None,
    progress: Progress,
    *,
    switch: bool = True,
    let_go: Callable[[], None] = lambda: None,
) -> ReindexReport:
    """Encodes all items and examples of a collection again, beside it, then takes its place in one step.

    Readers are answered from the old state all along, and writers wait only while what they have changed meanwhile is
    carried over. An interrupted run is resumed when it is called again. The collection stays as it is when more than
    half of it cannot be read (StoreError), and when it has this encoder and a state of another would be lost
    (UsageError).
    `let_go` closes what this process has open of the collection.
    """
    with contextlib.ExitStack() as lock:
        with OpenCollection(folder) as old:
            opened, wanted = _wanted(old, encoder)
            if encoder is not None:
                _check_kept(old, opened)
            with _unfinished(folder, wanted, opened) as new:
                with new.changing() as store:
                    lost = carry_over(old.store, store, opened, progress)
                _check_lost(folder, old.store, lost)
                change = compare(old, new)
                if switch:
                    lock.enter_context(locking.held(folder))
                    _check_current(old, new)
                    with new.changing() as store:
                        lost = carry_over(old.store, store, opened, Silent())
                        # What was forgotten meanwhile is forgotten here too.
                        store.erase_traces()
                    _check_lost(folder, old.store, lost)
                report = _report(folder, old, new, lost, change, switch)
        if switch:
            if os.name == "nt":
                # Windows renames no folder in which a file is open.
                lock.close()
                let_go()
            replace_by_rebuilt(folder)
    return report


def roll_back(
    folder: Path,
    progress: Progress,
    encoder: str | Path | Encoder | None = None,
    let_go: Callable[[], None] = lambda: None,
) -> ReindexReport:
    """Makes the previous state of a collection the current one again, with what has changed since carried over.

    The state that was current is the previous one then, so that a second call goes forth again. `encoder` stands in for
    the recorded one of the previous state; its fingerprint must be the same.
    """
    previous, target = previous_folder(folder), rebuilding_folder(folder)
    # A roll-back that was interrupted has the state in the place of an unfinished one already.
    begun = (target / RETURNING).exists() and is_collection(target)
    if not begun and not is_collection(previous):
        raise UsageError(f"{folder} has no previous state to roll back to; it is kept from a reindex until --discard")
    wanted = _encoder_of(target if begun else previous, encoder)
    if not begun:
        with locking.held(folder):
            _remove(target)
            (previous / RETURNING).touch()
            previous.replace(target)
    return reindex(folder, wanted, progress, let_go=let_go)


def _encoder_of(kept: Path, encoder: str | Path | Encoder | None) -> Encoder:
    """The encoder of a kept state. Raises EncoderMismatchError when what it is now has another fingerprint."""
    with OpenCollection(kept) as state:
        return pinning.pinned_encoder(kept, state.store, encoder)


def _wanted(old: OpenCollection, encoder: str | Path | Encoder | None) -> tuple[Encoder, str | Path | Encoder]:
    """The encoder, opened and as it is named. Raises UsageError or StoreError where it cannot encode what is there."""
    if old.store.setting("modality") == "vector":
        raise UsageError(f"{old.folder} holds your own vectors: there is nothing to encode again")
    wanted = (old.store.setting("encoder") or "") if encoder is None else encoder
    opened = open_encoder(wanted) if isinstance(wanted, (str, Path)) else wanted
    require_encoder(opened)
    holds = old.store.setting("modality")
    if holds != opened.modality:
        raise UsageError(
            f"{old.folder} is a collection of {holds}s, but the encoder {opened.name} takes {opened.modality}s"
        )
    _check_disks(old.store)
    return opened, wanted


def _check_disks(old: Store) -> None:
    """Raises StoreError when the files of items are on a disk that is not there: encoding again would lose them."""
    for root in old.roots() if old.setting("modality") == "image" else ():
        for mount in sorted(old.mounts_under(root)):
            count = len(old.ids_under(mount))
            if count and not is_mount(mount):
                raise StoreError(
                    f"{mount} is not mounted, and {count:,} items are from there; mount it, or remove them first: "
                    f"{shlex.join(['simsearch', 'remove', mount])}"
                )


def _check_kept(old: OpenCollection, encoder: Encoder) -> None:
    """Raises UsageError when the collection has this encoder, and encoding again would replace a state of another."""
    fingerprint, previous = encoder.fingerprint, previous_folder(old.folder)
    if old.store.setting("fingerprint") != fingerprint or not is_collection(previous):
        return
    with OpenCollection(previous) as kept:
        if kept.store.setting("fingerprint") != fingerprint:
            before = kept.store.setting("encoder")
            raise UsageError(
                f"{old.folder} is encoded by {encoder.name} already, and its state with {before} is kept for "
                "--rollback. To encode it again, leave --encoder out; that replaces the kept state"
            )


def _check_current(old: OpenCollection, new: OpenCollection) -> None:
    if old.replaced or new.replaced:
        raise StoreError(f"{old.folder} was reindexed by another process meanwhile; look at it, then run this again")


def _check_lost(folder: Path, old: Store, lost: tuple[Skip, ...]) -> None:
    held = old.counts()
    if 2 * len(lost) > held.items + held.examples:
        raise StoreError(
            f"{len(lost)} files of {folder} cannot be read (the first: {lost[0].path}); is a disk away? "
            "The collection stays as it was"
        )


def _unfinished(folder: Path, encoder: str | Path | Encoder, opened: Encoder) -> OpenCollection:
    """The unfinished state for this encoder, or a new one."""
    target = rebuilding_folder(folder)
    if is_collection(target):
        begun = OpenCollection(target, opened)
        if begun.store.setting("fingerprint") == opened.fingerprint:
            return begun
        begun.close()
    check_place(target)
    # Under the lock of the collection, so that no other process is just switching to it.
    with locking.held(folder):
        _remove(target)
    return OpenCollection(target, make(target, encoder, None).encoder)


def _remove(target: Path) -> None:
    """Deletes an unfinished state. Raises LockedError when another process is working on it."""
    if target.is_dir():
        with locking.held(target):
            shutil.rmtree(target)


def _report(
    folder: Path,
    old: OpenCollection,
    new: OpenCollection,
    lost: tuple[Skip, ...],
    change: NeighborChange | None,
    switched: bool,
) -> ReindexReport:
    stale = new.store.calibration() is not None and not new.store.impostors()[0]
    names = [one.store.setting("encoder") or "" for one in (old, new)]
    return ReindexReport(str(folder), names[0], names[1], new.store.counts().items, lost, change, switched, stale)
