"""The single steps by which files go and come: never over something that is there, and whole after any kill."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from simsearch.duplicates.removal import attributes
from simsearch.duplicates.removal.checking import has_content, opened
from simsearch.duplicates.removal.runs import Step, Unit
from simsearch.errors import MediaError, MissingExtraError

# File systems without hard links, or whose rules forbid one here.
_NO_LINKS = {errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EINVAL}


def take_away(unit: Unit, step: Step) -> None:
    """Does a step: what it names is gone from its folder, or replaced by a link. Raises OSError or MediaError."""
    if unit.method == "quarantine":
        assert step.to is not None
        os.makedirs(os.path.dirname(step.to), mode=0o700, exist_ok=True)  # noqa: PTH103, PTH120
        move(step, step.path, step.to)
    elif unit.method == "trash":
        trasher()(step.path)
    elif unit.method == "delete":
        os.unlink(step.path)  # noqa: PTH108
        sync_folder(os.path.dirname(step.path))  # noqa: PTH120
    else:
        _link(unit, step)


def trasher() -> Callable[[str], None]:
    """What moves a file to the desktop's trash. Raises MissingExtraError."""
    try:
        from send2trash import send2trash
    except ImportError as error:
        raise MissingExtraError("The desktop trash", "trash") from error
    return send2trash  # type: ignore[no-any-return]


def move(step: Step, source: str, target: str) -> None:
    """Moves the file of a step. Killed in between, it is at `source`, or at both; at `target` it is whole.

    Raises FileExistsError where something is at `target`.
    """
    try:
        rename_to_new(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _move_across(step, source, target)
    for folder in {os.path.dirname(source), os.path.dirname(target)}:  # noqa: PTH120
        sync_folder(folder)


def rename_to_new(source: str, target: str) -> None:
    """Renames; where something is at `target` it stays as it is: FileExistsError."""
    if os.name != "posix":
        # Windows refuses by itself.
        os.rename(source, target)  # noqa: PTH104
        return
    try:
        os.link(source, target, follow_symlinks=os.link not in os.supports_follow_symlinks)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target) from None
        os.rename(source, target)  # noqa: PTH104
    else:
        os.unlink(source)  # noqa: PTH108


def copy(step: Step, source: str, temporary: str) -> list[str]:
    """A synced copy with the attributes of the step; its bytes are read back and compared with the checksum.

    Returns what of the attributes could not be set. Raises OSError, and MediaError when bytes differ.
    """
    if step.attributes.link is not None and os.path.islink(source):  # noqa: PTH114
        os.symlink(step.attributes.link, temporary)  # noqa: PTH211
        return step.attributes.restore(temporary)
    digest = hashlib.sha256()
    with opened(source) as reading, Path(temporary).open("xb") as writing:
        while block := reading.read(1 << 20):
            digest.update(block)
            writing.write(block)
    if digest.hexdigest() != step.sha256:
        raise MediaError("its content has changed")
    attributes.carry(source, temporary)
    failed = step.attributes.restore(temporary)
    handle = os.open(temporary, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    if not has_content(temporary, step.size, step.sha256):
        raise MediaError("its copy differs from it: the disk is faulty")
    return failed


def remove_temporary(folder: str, step: Step) -> None:
    """Removes what a kill has left under the temporary name of a step."""
    path = os.path.join(folder, step.temporary)  # noqa: PTH118
    if os.path.lexists(path):
        os.unlink(path)  # noqa: PTH108


def sync_folder(folder: str) -> None:
    """Makes changes of names in a folder durable. Windows has no such call and needs none."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _move_across(step: Step, source: str, target: str) -> None:
    """Over the border of file systems: copied, verified, put in its place, and only then removed."""
    links = os.lstat(source).st_nlink
    if links > 1 and step.attributes.link is None:
        raise MediaError(f"is one of {links} hard links, which cannot move to another file system and come back")
    needed, free = step.size, shutil.disk_usage(os.path.dirname(target)).free  # noqa: PTH120
    if needed > free:
        raise OSError(errno.ENOSPC, f"{needed} bytes are needed on the disk of the target, {free} are free", target)
    temporary = os.path.join(os.path.dirname(target), step.temporary)  # noqa: PTH118, PTH120
    try:
        copy(step, source, temporary)
        rename_to_new(temporary, target)
    except BaseException:
        remove_temporary(os.path.dirname(target), step)  # noqa: PTH120
        raise
    sync_folder(os.path.dirname(target))  # noqa: PTH120
    os.unlink(source)  # noqa: PTH108


def _link(unit: Unit, step: Step) -> None:
    """Replaces a file by a link to the kept one, at once: its name leads to the bytes at any moment."""
    assert step.to is not None
    folder = os.path.dirname(step.path)  # noqa: PTH120
    temporary = os.path.join(folder, step.temporary)  # noqa: PTH118
    try:
        if unit.method == "hardlink":
            os.link(step.to, temporary)
        else:
            os.symlink(step.to, temporary)  # noqa: PTH211
        os.replace(temporary, step.path)  # noqa: PTH105
    except BaseException:
        remove_temporary(folder, step)
        raise
    sync_folder(folder)
