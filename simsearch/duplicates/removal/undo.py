"""Undoing a run: every file that went and can come back does, and is what it was."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from simsearch.duplicates.removal.attributes import set_times
from simsearch.duplicates.removal.journal import Journal, read_journal
from simsearch.duplicates.removal.locking import locked
from simsearch.duplicates.removal.putting_back import put_back, reason
from simsearch.duplicates.removal.runs import Run, Times, Unit
from simsearch.errors import MediaError
from simsearch.media.files import why
from simsearch.progress import Progress, Silent, Working
from simsearch.types import Skip


@dataclass(frozen=True, slots=True)
class UndoReport:
    """What an undo did: files that it put back, files that cannot be brought back and why, and files that came back
    without some attribute."""

    journal: Path
    restored: int
    failed: tuple[Skip, ...]
    incomplete: tuple[Skip, ...]


def undo_run(journal: Path, *, progress: Progress | None = None) -> UndoReport:
    """Puts back what the run of a journal has moved or linked, with attributes and the times of folders.

    Nothing that has appeared meanwhile is overwritten; a folder that others have changed since keeps its new time.
    Can be repeated, after a kill as well as for files that failed. Raises PlanError, DamagedError, LockedError.
    """
    searched = read_journal(journal).searched
    with locked(journal.absolute().parent.parent, searched), Journal.open(journal) as opened:
        run = opened.run
        if run.undoing is None:
            opened.undo(_times_to_set(run))
        failed: list[Skip] = []
        incomplete: list[Skip] = []
        restored = 0
        with Working(progress or Silent(), len(run.active()), "files", "restoring") as working:
            for unit, number in _remaining(run):
                step = unit.steps[number]
                try:
                    missing = _put_back(opened, unit, number)
                except (MediaError, OSError) as error:
                    failed.append(Skip(step.path, reason(error, "put back")))
                    if unit.status[number] == "intended":
                        # There is something to bring back, so a later undo has to try again.
                        opened.done(unit, number, {})
                else:
                    opened.back(unit, number)
                    restored += 1
                    if missing:
                        incomplete.append(Skip(step.path, f"came back without its {', '.join(missing)}"))
                working.progress.advance()
        _restore_folders(run, incomplete)
        opened.undone(len(failed))
    return UndoReport(journal, restored, tuple(failed), tuple(incomplete))


def _put_back(journal: Journal, unit: Unit, number: int) -> list[str]:
    folder = os.path.dirname(unit.steps[number].path)  # noqa: PTH120
    missing = not os.path.isdir(folder)  # noqa: PTH112
    failed = put_back(journal, unit, number)
    return [*failed, *(unit.folders[folder].restore(folder) if missing and os.path.isdir(folder) else [])]  # noqa: PTH112


def _remaining(run: Run) -> Iterator[tuple[Unit, int]]:
    """Steps that have happened or may have, the last first."""
    for unit in reversed(run.units.values()):
        for number in reversed(range(len(unit.steps))):
            if unit.status[number] == "done" or (unit.status[number] == "intended" and not unit.abandoned):
                yield unit, number


def _times_to_set(run: Run) -> dict[str, Times]:
    """The times that each folder gets in the end: those before the run, or its own if others have changed it."""
    interrupted = {folder for unit in run.open_units() for folder in unit.folders}
    found: dict[str, Times] = {}
    for folder, before in run.before.items():
        found[folder] = (before.atime_ns, before.mtime_ns)
        try:
            now = os.stat(folder)  # noqa: PTH116
        except OSError:
            continue
        if folder not in interrupted and now.st_mtime_ns != run.left[folder]:
            found[folder] = (now.st_atime_ns, now.st_mtime_ns)
    return found


def _restore_folders(run: Run, incomplete: list[Skip]) -> None:
    # The deepest first: making a folder anew changes the one above.
    for folder in sorted(run.undoing or {}, key=len, reverse=True):
        try:
            _restore_folder(run, folder)
        except OSError as error:
            incomplete.append(Skip(folder, f"the times of the folder could not be restored: {why(error)}"))


def _restore_folder(run: Run, folder: str) -> None:
    times = (run.undoing or {})[folder]
    if os.path.isdir(folder):  # noqa: PTH112
        set_times(folder, *times)
