"""Bringing back the files of a unit, from whatever state a step has left them in."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from simsearch.duplicates.removal.attributes import set_times
from simsearch.duplicates.removal.checking import has_content
from simsearch.duplicates.removal.journal import Journal
from simsearch.duplicates.removal.moving import copy, move, remove_temporary, sync_folder
from simsearch.duplicates.removal.runs import IRREVERSIBLE, Step, Unit
from simsearch.errors import MediaError
from simsearch.media.files import why


def roll_back(journal: Journal, unit: Unit) -> None:
    """Leaves nothing open of a unit: what went is back, with the times of its folders; what is deleted is recorded.

    Raises OSError or MediaError when something cannot be put back now; the unit stays open then.
    """
    for number in reversed(range(len(unit.steps))):
        step = unit.steps[number]
        if unit.method in IRREVERSIBLE:
            if unit.status[number] == "intended" and not is_original(step):
                journal.done(unit, number, {})
        elif unit.status[number] != "back":
            put_back(journal, unit, number)
            journal.back(unit, number)
    if unit.method not in IRREVERSIBLE:
        for folder, seen in unit.folders.items():
            if os.path.isdir(folder):  # noqa: PTH112
                set_times(folder, seen.atime_ns, seen.mtime_ns)
    journal.abandoned(unit)


def put_back(journal: Journal, unit: Unit, number: int) -> list[str]:
    """Makes sure that a file is where and what it was; returns which of its attributes could not be restored.

    Whether a step has happened that is not recorded as done is seen from the files, so this can be done again after a
    kill; what has not happened is left as it is. Raises MediaError with the reason where a file cannot be brought
    back, OSError where that fails.
    """
    step = unit.steps[number]
    if unit.method in IRREVERSIBLE:
        if is_original(step):
            return []
        raise MediaError("was deleted" if unit.method == "delete" else "is in the desktop trash; restore it there")
    for place in (step.path, *([step.to] if unit.method == "quarantine" and step.to else [])):
        if os.path.isdir(os.path.dirname(place)):  # noqa: PTH112, PTH120
            remove_temporary(os.path.dirname(place), step)  # noqa: PTH120
    if unit.status[number] == "intended" and not _happened(unit, step):
        return []
    failed = _move_back(step) if unit.method == "quarantine" else _unlink(unit, step)
    if unit.method == "quarantine" and step.to is not None:
        _remove_empty(Path(step.to).parent, journal.path.parent)
    # What a copy could not be given may be refused once more where it lies now.
    return list(dict.fromkeys([*failed, *step.attributes.restore(step.path)]))


def is_original(step: Step) -> bool:
    """Whether a file with the bytes and the modification time of the step is at its path. Raises OSError."""
    try:
        seen = os.lstat(step.path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    if stat.S_ISLNK(seen.st_mode) or step.attributes.link is not None:
        return stat.S_ISLNK(seen.st_mode) and os.readlink(step.path) == step.attributes.link  # noqa: PTH115
    same = stat.S_ISREG(seen.st_mode) and (seen.st_size, seen.st_mtime_ns) == (step.size, step.attributes.mtime_ns)
    return same and has_content(step.path, step.size, step.sha256)


def _happened(unit: Unit, step: Step) -> bool:
    """Whether a step has left anything to put back. A file that took the place where it should go is none of ours."""
    if unit.method != "quarantine":
        return _is_link(unit, step)
    assert step.to is not None
    return os.path.lexists(step.to) and _quarantined(step, step.to)


def _move_back(step: Step) -> list[str]:
    assert step.to is not None
    if is_original(step):
        # Killed between the new name and the removal of the old one, or never moved.
        if os.path.lexists(step.to) and _quarantined(step, step.to):
            os.unlink(step.to)  # noqa: PTH108
        return []
    if not os.path.lexists(step.to):
        raise MediaError(f"is no longer in quarantine: {step.to} has vanished")
    if os.path.lexists(step.path):
        raise MediaError(f"something else is there now; the file that was there stays in quarantine as {step.to}")
    if not _quarantined(step, step.to):
        raise MediaError(f"has changed in quarantine, and stays there as {step.to}")
    folder = os.path.dirname(step.path)  # noqa: PTH120
    try:
        os.makedirs(folder, exist_ok=True)  # noqa: PTH103
        move(step, step.to, step.path)
    except FileExistsError as error:
        raise MediaError(f"something else is in its way; it stays in quarantine as {step.to}") from error
    return []


def _quarantined(step: Step, path: str) -> bool:
    seen = os.lstat(path)
    if step.attributes.link is not None:
        return stat.S_ISLNK(seen.st_mode) and os.readlink(path) == step.attributes.link  # noqa: PTH115
    if not stat.S_ISREG(seen.st_mode):
        return False
    moved = (seen.st_dev, seen.st_ino) == (step.attributes.device, step.attributes.inode)
    if moved and (seen.st_size, seen.st_mtime_ns) == (step.size, step.attributes.mtime_ns):
        return True
    return has_content(path, step.size, step.sha256)


def _unlink(unit: Unit, step: Step) -> list[str]:
    """Makes a file of its own again of a link to the kept one."""
    if not _is_link(unit, step):
        if is_original(step):
            return []
        state = "something else is there now" if os.path.lexists(step.path) else "the link in its place has vanished"
        raise MediaError(f"{state}; the same bytes were kept as {unit.kept}")
    folder = os.path.dirname(step.path)  # noqa: PTH120
    temporary = os.path.join(folder, step.temporary)  # noqa: PTH118
    try:
        failed = copy(step, step.path, temporary)
        os.replace(temporary, step.path)  # noqa: PTH105
    except MediaError as error:
        raise MediaError(f"the bytes that it shares with {unit.kept} are no longer those that it had") from error
    except FileNotFoundError as error:
        raise MediaError(f"{unit.kept}, to which its link leads, has vanished") from error
    finally:
        remove_temporary(folder, step)
    sync_folder(folder)
    return failed


def _is_link(unit: Unit, step: Step) -> bool:
    try:
        seen = os.lstat(step.path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    if unit.method == "symlink":
        return stat.S_ISLNK(seen.st_mode) and os.readlink(step.path) == step.to  # noqa: PTH115
    return (seen.st_dev, seen.st_ino) == unit.kept_identity


def _remove_empty(folder: Path, run: Path) -> None:
    """Removes folders of the quarantine that are empty now."""
    while run in folder.parents:
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent


def reason(error: OSError | MediaError, attempt: str) -> str:
    """Why a file could not be touched, in words; `attempt` is what the system has refused."""
    return str(error) if isinstance(error, MediaError) else f"cannot be {attempt}: {why(error)}"
