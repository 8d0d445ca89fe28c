"""The roots of a collection: one spelling for each folder, and what is known of one that was moved."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from simsearch.errors import UsageError

if TYPE_CHECKING:
    from simsearch.store import Store
    from simsearch.types import Ids
    from simsearch.where.tree import Condition


def is_in(path: str, root: str) -> bool:
    """Whether a path is the root or lies in it, by its name."""
    return path == root or path.startswith(root.rstrip(os.sep) + os.sep)


def known_spelling(store: Store, source: str | Path) -> str:
    """The absolute path of a source, in the spelling of the root that it is, or lies in, under any name.

    So a folder that is given through a symbolic link, or in other case where that is the same, is not indexed again.
    """
    return _spelling(list(store.roots()), source)


def _spelling(roots: Sequence[str], source: str | os.PathLike[str]) -> str:
    path = os.path.abspath(source)  # noqa: PTH100  (resolving links would rename what is indexed)
    if not roots or any(is_in(path, root) for root in roots):
        return path
    known = {identity: root for root in reversed(roots) if (identity := _identity(root)) is not None}
    place, inside = path, ""
    while True:
        identity = _identity(place)
        if identity in known:
            return os.path.join(known[identity], inside) if inside else known[identity]  # noqa: PTH118
        # A link to a folder is left for where that lies; one to a file is a file of its own.
        resolved = os.path.realpath(place) if os.path.isdir(place) else place  # noqa: PTH112
        above, name = os.path.split(resolved)
        if above == resolved:
            return path
        inside, place = os.path.join(name, inside) if inside else name, above  # noqa: PTH118


def _identity(path: str) -> tuple[object, ...] | None:
    """What is equal for two names of one folder, or for files of one name in one folder; None where nothing is."""
    try:
        is_folder = os.path.isdir(path)  # noqa: PTH112
        status = os.stat(path if is_folder else os.path.dirname(path))  # noqa: PTH116, PTH120
    except OSError:
        return None
    name = "" if is_folder else os.path.basename(path)  # noqa: PTH119
    return status.st_dev, status.st_ino, name if os.path.lexists(path) else None


def moved_from(store: Store, root: str) -> str | None:
    """The known root that was moved to `root`, which is new: one that is not there any more, and whose files are here.

    At least half of its files must be found at the same places in `root`, with the size and time that they had.
    """
    roots = list(store.roots())
    if any(is_in(root, known) or is_in(known, root) for known in roots):
        return None
    for known in roots:
        if os.path.lexists(known):
            continue
        files = store.files_under(known)
        same = sum(_is_as_it_was(root + path[len(known) :], size, time) for path, size, time in files)
        if files and 2 * same >= len(files):
            return known
    return None


def _is_as_it_was(path: str, size: int, mtime_ns: int) -> bool:
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError:
        return False
    return (status.st_size, status.st_mtime_ns) == (size, mtime_ns)


def add_root(store: Store, path: str) -> None:
    """Remembers `path` as a place that this collection is fed from.

    A path that is not there is an error, unless it is a root of the collection: then its disk may be away.
    """
    known = store.roots()
    if path in known:
        return
    if not os.path.lexists(path):
        if len(store.ids_under(path)):
            return
        raise UsageError(f"{path} does not exist; give a folder or files")
    if not any(is_in(path, root) for root in known):
        store.add_root(path)


@dataclass(frozen=True, slots=True)
class MoveReport:
    """How many items have new paths; `missing` files are not at their new paths, and the next `add` decides on them."""

    moved: int
    missing: int


def move(store: Store, old: str | Path, new: str | Path) -> MoveReport:
    """Records that a folder or file was moved.

    Raises UsageError when the collection has nothing at `old`, or nothing of that is at `new`.
    """
    before, after = os.path.abspath(old), os.path.abspath(new)  # noqa: PTH100
    files = store.files_under(before)
    if not files and before not in store.roots():
        raise UsageError(f"{before}: nothing in the collection has that path; its sources: {_listed(store)}")
    if before == after or not os.path.lexists(after):
        raise UsageError(f"{after} {'is the same path' if before == after else 'does not exist'}; give the new path")
    lost = sum(not os.path.lexists(after + path[len(before) :]) for path, *_ in files)
    if files and lost == len(files):
        raise UsageError(f"{after} holds none of the {len(files):,} files that were in {before}; nothing was changed")
    return MoveReport(store.move(before, after), lost)


def _listed(store: Store) -> str:
    return ", ".join(store.roots()) or "none"


def ids_of(store: Store, paths: Iterable[str | os.PathLike[str]]) -> Ids:
    """The ids of the items of paths, of those under them as folders, or of uris as given; each once, ascending."""
    roots, given = list(store.roots()), [os.fspath(path) for path in paths]
    found = store.ids_under_each([_spelling(roots, path) for path in given])
    rest = [path for path, ids in zip(given, found, strict=True) if not ids]
    return np.unique(np.array([*chain(*found, *store.ids_under_each(rest))], dtype=np.int64))


def remove(store: Store, paths: Sequence[str] | None, where: Condition | None) -> int:
    """Removes the items of paths, all if None, for which a condition holds, at once; returns how many."""
    chosen = None if where is None else store.item_ids_where(where)
    if paths is None:
        return 0 if chosen is None else store.remove_items(chosen)
    ids = ids_of(store, paths)
    return store.remove_items(ids if chosen is None else np.intersect1d(ids, chosen))
