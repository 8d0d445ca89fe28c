"""What becomes of items whose files or rows were not found: removed, or kept because that may be for now only."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from simsearch.collection.adding.roots import is_in
from simsearch.collection.adding.run import LOOK_UP, Run, Swept
from simsearch.media.scan import BROKEN_LINK

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.types import Ids


def sweep(run: Run, root: str, prune: bool) -> Swept:
    """Removes items whose files no longer exist, and records what is wrong with those that stay.

    An item stays when its file is there but cannot be used, and, unless `prune`, when its file was on a device that is
    not there now, when it is behind a broken link, or when more than half of the items of the root have vanished. An
    item whose content was found under another name in this run was moved: it is removed, and so is one whose file is
    now read in another way, or does not count any more.
    """
    under = run.store.ids_under(root)
    # Items that this run wrote are newer than the run's look-ups, so they are found through their paths.
    under = under[under <= run.last_item]
    missing = under[~run.seen.among(under)]
    replaced = missing[run.replaced.among(missing) | _left_out(run, missing)]
    missing = np.setdiff1d(missing, replaced)
    unread = _unread(run, missing, prune)
    missing = np.setdiff1d(missing, _ids(unread))
    devices = {} if prune else _on_missing_devices(run, root, missing)
    away = np.unique(np.concatenate([_ids(()), *devices.values()]))
    missing = np.setdiff1d(missing, away)
    moved = _moved(run, missing)
    vanished = np.setdiff1d(missing, moved)
    if prune or 2 * len(vanished) <= len(under) - len(away):
        vanished, moved = _ids(()), missing
    removed = _remove(run, np.union1d(replaced, moved), complete=not len(vanished))
    run.store.set_problems(run.broken | unread)
    _record_mounts(run, root, devices)
    kept = run.accounted.take(np.concatenate([_ids(run.broken | unread), away]))
    lost = run.accounted.take(vanished)
    return Swept(removed, kept + lost, lost, tuple(_outermost(devices)))


def _ids(ids: Mapping[int, str] | tuple[()]) -> Ids:
    return np.array(sorted(ids), dtype=np.int64)


def _remove(run: Run, ids: Ids, *, complete: bool) -> int:
    removed = run.store.remove_items(ids) if len(ids) else 0
    if complete:
        run.store.set_row_files(run.read_files)
    return removed


def _unread(run: Run, missing: Ids, prune: bool) -> dict[int, str]:
    """Those of the missing items whose file, or a folder that it is in, is there but could not be read; with reasons.

    Behind a broken link there is nothing now, which `prune` takes for good.
    """
    reasons = {path: reason for path, reason in run.unread.items() if not (prune and reason == BROKEN_LINK)}
    if not reasons:
        return {}
    found = {}
    for start in range(0, len(missing), LOOK_UP):
        part = missing[start : start + LOOK_UP]
        files = run.store.files_of(part.tolist())
        for item in run.store.items(part):
            place = next((path for path in _places(files.get(item.id, item.uri)) if path in reasons), None)
            if place is not None:
                found[item.id] = reasons[place]
    return found


def _places(path: str) -> Iterator[str]:
    """The path and every folder that it lies in."""
    while True:
        yield path
        above = os.path.dirname(path)  # noqa: PTH120
        if above in ("", path):
            return
        path = above


def _on_missing_devices(run: Run, root: str, missing: Ids) -> dict[str, Ids]:
    """Of each folder that was on another device than the folder that it is in, and is not now: the missing items."""
    gone = sorted(run.store.mounts_under(root) - run.mounts)
    found = {folder: np.intersect1d(run.store.ids_under(folder), missing) for folder in gone}
    return {folder: ids for folder, ids in found.items() if len(ids)}


def _outermost(folders: Iterable[str]) -> Iterator[str]:
    """The folders that lie in no other of them."""
    before = None
    for folder in sorted(folders, key=lambda path: Path(path).parts):
        if before is None or not is_in(folder, before):
            before = folder
            yield folder


def _record_mounts(run: Run, root: str, away: Mapping[str, Ids]) -> None:
    """A folder whose device is away is remembered as long as items in it are."""
    mounts = run.mounts.union(away)
    if mounts != run.store.mounts_under(root):
        run.store.set_mounts(root, mounts)


def _left_out(run: Run, missing: Ids) -> NDArray[np.bool_]:
    """Whether each of the missing items lies where files do not count any more."""
    gone = np.zeros(len(missing), dtype=np.bool_)
    for start in range(0, len(missing) if run.left_out else 0, LOOK_UP):
        paths = {item.id: item.uri for item in run.store.items(missing[start : start + LOOK_UP])}
        for place, item_id in enumerate(missing[start : start + LOOK_UP].tolist(), start):
            gone[place] = item_id in paths and _is_within(paths[item_id], run.left_out)
    return gone


def _is_within(path: str, folders: Mapping[str, str]) -> bool:
    """Whether a path, or a folder above it, is one of these."""
    while path not in folders:
        above = os.path.dirname(path)  # noqa: PTH120
        if above == path:
            return False
        path = above
    return True


def _moved(run: Run, missing: Ids) -> Ids:
    """Those of the missing items whose content this run met under a new name."""
    moved = []
    for start in range(0, len(missing) if run.reused_contents else 0, LOOK_UP):
        items = run.store.items(missing[start : start + LOOK_UP])
        moved += [item.id for item in items if item.content_id in run.reused_contents]
    return np.array(moved, dtype=np.int64)
