"""When to bring a collection up to date: once changes in its folders have settled."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.errors import LockedError, MissingExtraError, UsageError

if TYPE_CHECKING:
    from watchfiles import Change

    from simsearch.types import AddReport

LONGEST = 10
"""How many times as long as `settle` changes are waited for that do not settle."""
LOOK = 200
"""Milliseconds between looks at whether to stop, whether the lock is free, and whether the folders are there."""


def watched(
    folders: Sequence[str], own: Path, update: Callable[[], AddReport], stop: threading.Event, settle: float
) -> Iterator[AddReport]:
    """What `update` returns, at once and then whenever something in the folders has changed, until `stop` is set.

    It is called when nothing has changed for `settle` seconds: a burst is one update, and a file that is being written
    is waited for, at most ten times as long. While another process writes to the collection, the update waits. Changes
    in `own`, the folder of the collection, do not count. A folder that vanishes is followed again once it is back.
    """
    require_followed(folders)
    pending = True
    while not stop.is_set():
        there = _identities(folders)
        for changed in _changes([folder for folder in folders if there[folder]], own, stop, settle):
            pending = pending or changed
            if pending:
                try:
                    report = update()
                except LockedError:
                    continue
                pending = False
                yield report
            if _identities(folders) != there:
                pending = True
                break
        else:
            # None of the folders is there.
            pending = True
            stop.wait(LOOK / 1000)


def require_followed(folders: Sequence[str]) -> None:
    """Raises UsageError for what is no folder, MissingExtraError without the library that follows folders."""
    for folder in folders:
        if not Path(folder).is_dir():
            raise UsageError(f"{folder} is no folder; give folders to follow, as the files in them are followed too")
    try:
        import watchfiles  # noqa: F401
    except ImportError:
        raise MissingExtraError("following folders", "watch") from None


def _changes(folders: Sequence[str], own: Path, stop: threading.Event, settle: float) -> Iterator[bool]:
    """Whether something has changed, again and again; ends when `stop` is set, or at once without folders."""
    import watchfiles

    if not folders:
        return
    inside = os.path.join(os.path.abspath(own), "")  # noqa: PTH100, PTH118

    def counts(change: Change, path: str) -> bool:
        del change
        return not os.path.abspath(path).startswith(inside)  # noqa: PTH100

    step = max(1, round(settle * 1000))
    for changes in watchfiles.watch(
        *folders,
        watch_filter=counts,
        step=step,
        debounce=LONGEST * step,
        stop_event=stop,
        rust_timeout=LOOK,
        yield_on_timeout=True,
        ignore_permission_denied=True,
    ):
        yield bool(changes)


def _identities(folders: Sequence[str]) -> dict[str, tuple[int, int] | None]:
    """Device and inode of each folder, which another of its name does not have; None where there is none."""
    found: dict[str, tuple[int, int] | None] = {}
    for folder in folders:
        try:
            status = Path(folder).stat()
        except OSError:
            found[folder] = None
        else:
            found[folder] = (status.st_dev, status.st_ino)
    return found
