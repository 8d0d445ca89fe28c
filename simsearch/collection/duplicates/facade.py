"""The part of a collection's facade that is about duplicates."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

# What is about duplicates is imported where it is needed: a query must not wait for it.
from simsearch.collection.opened import OpenCollection
from simsearch.errors import UsageError
from simsearch.progress import Progress, Silent

if TYPE_CHECKING:
    from simsearch.collection.duplicates.applying import Applied, Undone
    from simsearch.collection.duplicates.calibrating import PairCalibration
    from simsearch.collection.duplicates.finding import Found, Wanted
    from simsearch.collection.duplicates.report import DuplicateReport
    from simsearch.duplicates.removal.plan import Action, Plan, Totals
    from simsearch.duplicates.removal.runs import Method
    from simsearch.store import Store
    from simsearch.types import Skip


@dataclass(frozen=True, slots=True)
class Planned:
    """What a plan was made from, what it would remove, and what could not be planned, and why; pages of a report."""

    report: DuplicateReport
    totals: Totals
    skipped: tuple[Skip, ...]
    pages: tuple[Path, ...] = ()


class DuplicateMethods(OpenCollection):
    """Finding duplicates, planning and carrying out their removal, and undoing it."""

    def find_duplicates(
        self,
        *,
        against: OpenCollection | str | Path | None = None,
        preset: str = "default",
        keep: Sequence[str] = (),
        folders: Sequence[str] = (),
        progress: Progress | None = None,
    ) -> DuplicateReport:
        """Groups of copies, each around the item to keep, with kind, score and reason; nothing is changed.

        `preset` is "strict", "default" or "loose"; `keep` lists the criteria by which one is kept, the first that tells
        two apart decides, and `folders` is where it lies by preference. With `against` whatever has a copy in that
        collection (or in that of a path) is listed. What was compared is remembered: a second call compares only
        what is new.
        """
        from simsearch.collection.duplicates.finding import Wanted

        wanted = Wanted(preset, tuple(keep), tuple(folders), progress or Silent())
        with self._compared(against, wanted) as (_, _, found):
            return found.report

    def calibrate_duplicates(
        self,
        pairs: str | os.PathLike[str] | Iterable[tuple[str, str, bool]] | None,
        *,
        precision: float = 0.99,
    ) -> PairCalibration | None:
        """Chooses the score from which on pairs count as copies by the default preset, from labeled pairs of items.

        `pairs` is a table with the columns a, b and same, or tuples of two uris and whether they are copies; None
        returns to the default score. The lowest score is taken at which the share of copies among the accepted pairs is
        at least `precision`. Raises UsageError when there is none, and where pairs are of one kind only.
        """
        from simsearch.collection.duplicates import calibrating
        from simsearch.collection.duplicates.finding import check

        check(self.store.setting("modality") or "")
        with self.changing() as store:
            if pairs is not None:
                return calibrating.calibrate(store, pairs, precision)
            calibrating.forget(store)
            return None

    def plan_duplicates(
        self,
        path: str | Path,
        *,
        report: str | Path | None = None,
        force: bool = False,
        against: OpenCollection | str | Path | None = None,
        preset: str = "default",
        keep: Sequence[str] = (),
        folders: Sequence[str] = (),
        progress: Progress | None = None,
    ) -> Planned:
        """Writes the plan of what to remove to a file that can be edited; nothing else is changed.

        `report` is an HTML file on which each copy is seen beside what is kept. A file that is there and is neither is
        replaced with `force` only.
        """
        from simsearch.collection.duplicates.finding import Wanted
        from simsearch.collection.duplicates.planning import Planner, header
        from simsearch.duplicates.removal.plan_file import read_plan, write_plan
        from simsearch.duplicates.report.writing import write_report

        wanted = Wanted(preset, tuple(keep), tuple(folders), progress or Silent())
        with self._compared(against, wanted) as (store, reference, found):
            head = header(store, self.folder, found, reference)
            uris = [member.item.uri for group in found.report.groups for member in group.members]
            is_text = store.setting("modality") == "text"
            planner = Planner(found, is_text, store.removals.example_labels(uris))
            totals = write_plan(Path(path), head, planner.groups(), force=force)
        pages: tuple[Path, ...] = ()
        if report is not None:
            pages = write_report(read_plan(Path(path)), Path(report), force=force, progress=wanted.progress)
        return Planned(found.report, totals, tuple(planner.skipped), pages)

    def read_plan(self, path: str | Path) -> Plan:
        """The plan of a file, checked as a whole. Raises PlanError."""
        from simsearch.duplicates.removal.plan_file import read_plan

        return read_plan(Path(path))

    def edit_plan(self, path: str | Path, new: str | Path, choices: Mapping[tuple[int, int], Action]) -> Totals:
        """Writes a plan with other actions than those of an earlier one to a new file; see `editing.Editor`."""
        from simsearch.collection.duplicates.editing import Editor
        from simsearch.duplicates.removal.plan_file import read_plan, write_plan

        plan = read_plan(Path(path))
        uris = [file.state.path for group in plan.groups for file in group.files]
        editor = Editor(self.store.items_by_uri(uris), self.store.removals.example_labels(uris))
        return write_plan(Path(new), plan.header, editor.edited(plan, choices).groups)

    def apply_duplicates(
        self,
        plan: str | Path | Plan,
        *,
        quarantine: str | Path | None = None,
        method: Method = "quarantine",
        progress: Progress | None = None,
    ) -> Applied:
        """Removes what a plan removes, files and items; by default into a folder beside the first that was searched.

        Interrupted, the same call goes on. Methods: "quarantine", "hardlink", "symlink", which `undo_duplicates` can
        undo, "trash" and "delete", which it cannot.
        """
        from simsearch.collection.duplicates import applying
        from simsearch.duplicates.removal.plan_file import read_plan

        read = read_plan(Path(plan)) if isinstance(plan, str | Path) else plan
        place = None if quarantine is None else Path(quarantine)
        with self.changing() as store:
            return applying.apply(store, lambda: self.encoder, read, place, method, progress or Silent())

    def undo_duplicates(self, journal: str | Path | None = None, *, progress: Progress | None = None) -> Undone:
        """Puts back the files and items of a run, by its journal; without one those of the latest run."""
        from simsearch.collection.duplicates import applying

        place = None if journal is None else Path(journal)
        with self.changing() as store:
            return applying.undo(store, lambda: self.encoder, place, progress or Silent())

    @contextlib.contextmanager
    def _compared(
        self, against: OpenCollection | str | Path | None, wanted: Wanted
    ) -> Iterator[tuple[Store, Store | None, Found]]:
        """What was found, with the store open for writing: nothing changes while a plan is made of it."""
        from simsearch.collection.duplicates.finding import check, find
        from simsearch.collection.duplicates.settling import settle

        if isinstance(against, str | Path):
            with OpenCollection(Path(against)) as opened, self._compared(opened, wanted) as found:
                yield found
            return
        if against is not None and against.folder.resolve() == self.folder.resolve():
            raise UsageError(f"{self.folder} cannot be its own reference; leave --against out")
        check(self.store.setting("modality") or "")
        reference = None if against is None else against.store
        with self.changing() as store:
            settle(store, lambda: self.encoder)
            yield store, reference, find(store, reference, wanted)
