"""Applying a plan: files go one unit after the other, each with its companions, and never without the kept one."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from simsearch.duplicates.removal.admitting import LINKS, Guard, unchanged
from simsearch.duplicates.removal.attributes import Attributes
from simsearch.duplicates.removal.checking import Stamp, still
from simsearch.duplicates.removal.journal import JOURNAL_NAME, Journal, journals, read_journal, sweep
from simsearch.duplicates.removal.locking import locked
from simsearch.duplicates.removal.moving import take_away, trasher
from simsearch.duplicates.removal.plan import FileState, Group, Plan, PlannedFile
from simsearch.duplicates.removal.plan_file import fingerprint
from simsearch.duplicates.removal.plan_parsing import comparable
from simsearch.duplicates.removal.putting_back import reason, roll_back
from simsearch.duplicates.removal.runs import Method, Step, Unit
from simsearch.duplicates.removal.targets import link_target, make_quarantine, new_run, quarantined, temporary_name
from simsearch.errors import MediaError, PlanError
from simsearch.progress import Progress, Silent, Working
from simsearch.types import Skip

_FULL = {errno.ENOSPC, errno.EDQUOT} if hasattr(errno, "EDQUOT") else {errno.ENOSPC}


@dataclass(frozen=True, slots=True)
class ApplyReport:
    """What was done: files that went now, the bytes that this frees (with quarantine, once that is emptied), files
    that had gone before, files that stay although the plan removes them. `journal` is None where nothing went."""

    journal: Path | None
    applied: int
    bytes: int
    already: int
    skipped: tuple[Skip, ...]


def apply_plan(
    plan: Plan, quarantine: Path, *, method: Method = "quarantine", progress: Progress | None = None
) -> ApplyReport:
    """Removes what a plan removes; goes on where an earlier run with the same plan was interrupted.

    The journal is kept in the quarantine folder, also of other methods. A file that is no longer what the plan saw
    is skipped with the reason, with its companions; all of a group is, unless its kept file is as the plan saw it.
    Raises UsageError where the quarantine folder lies in a searched one, LockedError where another run is at work,
    PlanError where the disk is full or an undo must be finished first; nothing is lost then, and the call can be
    repeated.
    """
    if method == "trash":
        trasher()
    folder = make_quarantine(plan.header, quarantine)
    with locked(folder, plan.header.searched):
        work = _Work(plan, folder, method)
        try:
            with Working(progress or Silent(), plan.totals.files, "files", "removing") as working:
                for group in plan.groups:
                    work.group(group)
                    working.progress.advance(sum(len(file.states()) for file in group.removed))
            return work.report()
        finally:
            work.close()


def _interrupted(folder: Path, plan: str, method: Method) -> Path | None:
    """The journal to go on with; what others have left unfinished is rolled back."""
    sweep(folder)
    found: Path | None = None
    for path in journals(folder):
        run = read_journal(path)
        if run.undoing is not None:
            raise PlanError(f"{path}: an undo was interrupted; finish it first: simsearch dedupe undo {path}")
        if run.ended or run.undone:
            continue
        with Journal.open(path) as journal:
            _settle(journal)
            if (run.plan, run.method) == (plan, method):
                found = path
            else:
                journal.end()
    return found


def _settle(journal: Journal) -> None:
    for unit in journal.run.open_units():
        try:
            roll_back(journal, unit)
        except (OSError, MediaError) as error:
            names = ", ".join(step.path for step in unit.steps)
            cause = (
                f"an interrupted step cannot be rolled back: {names}: {reason(error, 'put back')}; undo that run first"
            )
            raise PlanError(f"{journal.path}: {cause}") from error


class _Work:
    """The state of one call."""

    def __init__(self, plan: Plan, folder: Path, method: Method) -> None:
        self._folder, self._method, self._plan = folder, method, fingerprint(plan)
        self._searched = plan.header.searched
        interrupted = _interrupted(folder, self._plan, method)
        self._gone = {comparable(path) for journal in journals(folder) for path in read_journal(journal).active()}
        self._guard = Guard(plan, folder, method)
        self._journal = None if interrupted is None else Journal.open(interrupted)
        self._applied = self._bytes = self._already = 0
        self._skipped: list[Skip] = []

    def group(self, group: Group) -> None:
        """Removes what a group removes."""
        going = [(file, states) for file in group.removed if (states := self._left(file))]
        if not going:
            return
        try:
            seen = self._guard.kept(group.kept.state)
        except MediaError as error:
            for _, states in going:
                self._skip(states, f"not touched, since the kept file {group.kept.state.path} {error}")
            return
        for _, states in going:
            try:
                unchanged(group.kept, seen)
                stamps = self._guard.admit(states, group.kept, seen)
            except (MediaError, OSError) as error:
                self._skip(states, reason(error, "removed"))
            else:
                self._remove(group, states, seen, stamps)

    def report(self) -> ApplyReport:
        """Ends the run in its journal, and returns what was done."""
        if self._journal is not None:
            self._journal.end()
        path = None if self._journal is None else self._journal.path
        return ApplyReport(path, self._applied, self._bytes, self._already, tuple(self._skipped))

    def close(self) -> None:
        if self._journal is not None:
            self._journal.close()

    def _left(self, file: PlannedFile) -> tuple[FileState, ...]:
        """The file and its companions, without those that a run has removed which was not undone."""
        states = (file.state,) if self._method in LINKS else file.states()
        left = tuple(
            state
            for state in states
            if comparable(state.path) not in self._gone or (self._method not in LINKS and os.path.lexists(state.path))
        )
        self._already += len(states) - len(left)
        return left

    def _skip(self, states: Sequence[FileState], why: str) -> None:
        self._skipped.append(Skip(states[0].path, why, len(states)))

    def _remove(self, group: Group, states: Sequence[FileState], seen: Stamp, stamps: Sequence[Stamp]) -> None:
        """Does a unit, all of it or nothing."""
        journal = self._opened()
        try:
            unit = self._unit(journal, group, states, seen)
        except OSError as error:
            self._skip(states, reason(error, "removed"))
            return
        journal.unit(unit)
        unit = journal.run.units[unit.number]
        try:
            for number, (step, expected) in enumerate(zip(unit.steps, stamps, strict=True)):
                still(step.path, expected)
                unchanged(group.kept, seen)
                take_away(unit, step)
                journal.done(unit, number, _folder_times(step))
        except (MediaError, OSError) as error:
            self._give_up(journal, states, error)
        else:
            self._applied += len(states)
            self._bytes += sum(state.freed for state in states)

    def _give_up(self, journal: Journal, states: Sequence[FileState], error: MediaError | OSError) -> None:
        _settle(journal)
        self._skip(states, reason(error, "removed"))
        if isinstance(error, OSError) and error.errno in _FULL:
            raise PlanError(
                f"the disk is full: {states[0].path} {reason(error, 'removed')}, and is as it was; make "
                f"room and apply the plan again, or undo {journal.path}"
            ) from error

    def _opened(self) -> Journal:
        if self._journal is None:
            self._journal = Journal.create(
                new_run(self._folder) / JOURNAL_NAME, self._plan, self._method, self._searched
            )
        return self._journal

    def _unit(self, journal: Journal, group: Group, states: Sequence[FileState], seen: Stamp) -> Unit:
        number = len(journal.run.units)
        run = journal.path.parent
        steps = tuple(
            Step(
                state.path,
                self._target(run, state, group.kept.state.path),
                temporary_name(run, number, place),
                state.size,
                state.sha256,
                Attributes.of(state.path),
            )
            for place, state in enumerate(states)
        )
        folders = {os.path.dirname(step.path): step for step in steps}  # noqa: PTH120
        return Unit(
            number,
            group.number,
            self._method,
            group.kept.state.path,
            seen[:2],
            steps,
            {folder: Attributes.of(folder) for folder in folders},
        )

    def _target(self, run: Path, state: FileState, kept: str) -> str | None:
        if self._method == "quarantine":
            return quarantined(run, state.path)
        if self._method == "hardlink":
            return kept
        return link_target(state.path, kept) if self._method == "symlink" else None


def _folder_times(step: Step) -> dict[str, int]:
    folder = os.path.dirname(step.path)  # noqa: PTH120
    return {folder: os.stat(folder).st_mtime_ns}  # noqa: PTH116
