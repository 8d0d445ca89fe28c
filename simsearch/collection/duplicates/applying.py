"""Carrying out a plan in the files and in the collection, and undoing it in both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.collection.duplicates.settling import Settled, latest, settle
from simsearch.duplicates.removal.apply import ApplyReport, apply_plan
from simsearch.duplicates.removal.journal import JOURNAL_NAME, read_journal
from simsearch.duplicates.removal.plan import Plan
from simsearch.duplicates.removal.plan_file import fingerprint
from simsearch.duplicates.removal.targets import default_quarantine, make_quarantine
from simsearch.duplicates.removal.undo import UndoReport, undo_run
from simsearch.errors import PlanError, UsageError
from simsearch.store import Handover

if TYPE_CHECKING:
    from simsearch.duplicates.removal.runs import Method
    from simsearch.progress import Progress
    from simsearch.store import Store
    from simsearch.types import Encoder


@dataclass(frozen=True, slots=True)
class Applied:
    """What happened to the files, and to the items."""

    files: ApplyReport
    items: Settled
    quarantine: Path


@dataclass(frozen=True, slots=True)
class Undone:
    """What happened to the files, and to the items; None where the run is recorded in no collection."""

    files: UndoReport
    items: Settled | None


def apply(
    store: Store,
    encoder: Callable[[], Encoder],
    plan: Plan,
    quarantine: Path | None,
    method: Method,
    progress: Progress,
) -> Applied:
    """Removes what a plan removes from the folders and from the store; what was interrupted before is finished first.

    Raises PlanError for a plan of another collection or of an older state of this one.
    """
    before = settle(store, encoder)
    _check(store, plan)
    if method == "hardlink" and plan.header.reference:
        raise UsageError("hard links would join the files of the reference with others; link them symbolically")
    # What was begun with a quarantine folder is gone on with there.
    begun = [Path(removal.quarantine) for removal in store.removals.all() if removal.plan == fingerprint(plan)]
    folder = make_quarantine(plan.header, quarantine or (begun[-1] if begun else default_quarantine(plan.header)))
    store.removals.begin(fingerprint(plan), str(folder), _handovers(plan))
    try:
        files = apply_plan(plan, folder, method=method, progress=progress)
    finally:
        items = before.plus(settle(store, encoder))
    return Applied(files, items, folder)


def _check(store: Store, plan: Plan) -> None:
    header, own = plan.header, store.setting("id")
    if header.collection is None or header.generation is None:
        raise PlanError("the plan names no collection; make one: simsearch dedupe plan")
    if header.collection != own:
        raise PlanError(
            f"the plan is for another collection, {header.folder or 'of an unknown folder'} ({header.collection}), not "
            f"for this one ({own}); name its own with --index, or plan again: simsearch dedupe plan"
        )
    begun = fingerprint(plan) in {removal.plan for removal in store.removals.all()}
    if not begun and header.generation != store.generation():
        raise PlanError(
            f"the plan was made at state {header.generation} of the collection, which is at {store.generation()} now; "
            "plan again: simsearch dedupe plan"
        )


def _handovers(plan: Plan) -> list[Handover]:
    return [
        Handover(one.source, group.kept.state.path, one.what, one.key, one.value)
        for group in plan.groups
        for one in group.takes_over
        if one.source in {file.state.path for file in group.removed}
    ]


def undo(store: Store, encoder: Callable[[], Encoder], journal: Path | None, progress: Progress) -> Undone:
    """Puts back what a run has removed, files and items; without a journal the latest run with something left to undo.

    Raises PlanError where there is none, UsageError for a journal of another collection.
    """
    path = latest(store) if journal is None else journal_of(journal)
    plan = read_journal(path).plan
    removals = [removal for removal in store.removals.all() if removal.plan == plan]
    if not removals:
        raise UsageError(f"{path} is not of this collection; name that with --index")
    for removal in removals:
        store.removals.set_settled(removal, False)
    try:
        files = undo_run(path, progress=progress)
    finally:
        items = settle(store, encoder)
    return Undone(files, items)


def journal_of(place: Path) -> Path:
    """The journal at a path: the file itself, or that of the folder of a run."""
    return place / JOURNAL_NAME if place.is_dir() else place
