"""Bringing the items into line with files that were removed as duplicates or put back, whatever was interrupted."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.collection.adding.indexing import remembered
from simsearch.collection.adding.run import Job, Swept, batches
from simsearch.collection.adding.run import Run as Indexing
from simsearch.collection.adding.storing import outcomes, write
from simsearch.duplicates.removal.admitting import LINKS
from simsearch.duplicates.removal.journal import journals, read_journal
from simsearch.duplicates.removal.runs import IRREVERSIBLE, Run
from simsearch.errors import PlanError
from simsearch.media.files import why
from simsearch.progress import Silent
from simsearch.store import Write
from simsearch.types import Skip

if TYPE_CHECKING:
    from simsearch.store import Removal, SetAside, Store
    from simsearch.types import Encoder

AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Settled:
    """How many items were taken out and restored, and what could not be restored, and why."""

    removed: int = 0
    restored: int = 0
    skipped: tuple[Skip, ...] = ()

    def plus(self, later: Settled) -> Settled:
        """Both together."""
        return Settled(self.removed + later.removed, self.restored + later.restored, (*self.skipped, *later.skipped))


def settle(store: Store, encoder: Callable[[], Encoder]) -> Settled:
    """Takes out the items whose files went, restores those whose files are back; does nothing where all is settled.

    What has happened is seen from the journals and the files, so it does not matter where a removal was interrupted.
    Each thousand items are one transaction.
    """
    removed = restored = 0
    skipped: list[Skip] = []
    for removal in store.removals.all():
        if removal.settled or not Path(removal.quarantine).is_dir():
            continue
        runs = _runs(removal)
        active = {path for run in runs for path in run.active()}
        gone = [path for path in active if not os.path.lexists(path)]
        for part in batches(iter(gone), AT_ONCE):
            removed += store.removals.set_aside(removal, part)
        back = [one for one in store.removals.aside(removal) if one.uri not in active and os.path.lexists(one.uri)]
        for some in batches(iter(back), AT_ONCE):
            failed = _restore(store, encoder, some)
            skipped += failed
            restored += len(some) - len(failed)
        _renew_linked(store, runs)
        store.removals.set_settled(removal, True)
    return Settled(removed, restored, tuple(skipped))


def _runs(removal: Removal) -> list[Run]:
    """The runs that have carried out a plan."""
    return [run for path in journals(Path(removal.quarantine)) if (run := read_journal(path)).plan == removal.plan]


def _renew_linked(store: Store, runs: Iterable[Run]) -> None:
    """Stores the times of files that links have replaced, or that were put back: their content is the same."""
    steps = {
        step.path: step for run in runs if run.method in LINKS for unit in run.units.values() for step in unit.steps
    }
    for part in batches(iter(steps.values()), AT_ONCE):
        known = store.known([step.path for step in part])
        contents = store.content_ids([bytes.fromhex(step.sha256) for step in part])
        writes = []
        for step in part:
            sha256, item = bytes.fromhex(step.sha256), known.get(step.path)
            if item is None or contents.get(sha256) != item.content_id or not os.path.exists(step.path):  # noqa: PTH110
                continue
            seen = os.stat(step.path)  # noqa: PTH116
            writes.append(
                Write(step.path, sha256, seen.st_size, seen.st_mtime_ns, None, None, "image", None, None, None)
            )
        store.write(writes)


def _restore(store: Store, encoder: Callable[[], Encoder], some: list[SetAside]) -> list[Skip]:
    """Adds items again with their labels and metadata, encoding what has to be; returns those that cannot be read."""
    known = store.known([one.uri for one in some])
    missing = [one for one in some if one.uri not in known]
    skipped: list[Skip] = []
    if missing:
        run = Indexing(store, encoder(), Silent(), None)
        for batch in outcomes(run.encoder, _jobs(store, missing, skipped)):
            write(run, batch)
        skipped += run.report(Swept()).skipped
    store.removals.restored([one.uri for one in some])
    return skipped


def _jobs(store: Store, missing: list[SetAside], skipped: list[Skip]) -> Iterator[Job]:
    for one in missing:
        try:
            seen = os.stat(one.uri)  # noqa: PTH116
        except OSError as error:
            skipped.append(Skip(one.uri, why(error)))
            continue
        encoding = remembered(store, one.uri).encoding
        yield Job(one.uri, seen.st_size, seen.st_mtime_ns, None, one.label, one.metadata, encoding=encoding)


def latest(store: Store) -> Path:
    """The newest journal of this collection with something left to undo. Raises PlanError where there is none.

    That are files that can be brought back (not from the trash), or items of files that an interrupted undo did.
    """
    found: dict[tuple[bool, str], Path] = {}
    for removal in store.removals.all():
        for path in journals(Path(removal.quarantine)):
            run = read_journal(path)
            files = run.can_be_undone()
            if run.plan == removal.plan and run.method not in IRREVERSIBLE and (files or not removal.settled):
                # Names of runs sort by time.
                found[files, path.parent.name] = path
    if not found:
        raise PlanError("nothing to undo: this collection has removed no duplicates that are not back")
    return found[max(found)]
