"""Removing the items whose files or rows no longer exist."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from simsearch.collection.adding.run import LOOK_UP, Run

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.types import Ids


def sweep(run: Run, root: str, prune: bool) -> tuple[int, int]:
    """Removes items whose files no longer exist; returns how many were removed and how many kept.

    An item whose content was found under another name in this run was moved: it is always removed, and so is one whose
    file is now read in another way, or does not count any more.
    """
    under = run.store.ids_under(root)
    # Items that this run wrote are newer than the run's look-ups, so they are found through their paths.
    under = under[under <= run.last_item]
    missing = under[~run.seen.among(under)]
    replaced = missing[run.replaced.among(missing) | _left_out(run, missing)]
    moved = np.union1d(replaced, _moved(run, np.setdiff1d(missing, replaced)))
    vanished = len(missing) - len(moved)
    kept = not prune and 2 * vanished > len(under)
    gone = moved if kept else missing
    removed = run.store.remove_items(gone) if len(gone) else 0
    if not kept:
        run.store.set_row_files(run.read_files)
    return removed, vanished if kept else 0


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
