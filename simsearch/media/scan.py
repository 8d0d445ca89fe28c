"""The images or texts under a folder, in a deterministic order."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Literal, TypeAlias

from simsearch.errors import MediaError
from simsearch.media.files import not_a_file, read_head, why
from simsearch.media.folders.filters import FileFilter, LeftOut, Rules
from simsearch.media.folders.found import Found, found, on_another_device
from simsearch.media.formats import HEAD, sniff
from simsearch.types import Skip

COLLECTION_FILE = "collection.sqlite"
BROKEN_LINK = "broken link"
EVERYTHING = FileFilter()
"""Leaves out what always is: system folders and hidden names."""
_Entry: TypeAlias = "os.DirEntry[str]"


def scan(
    root: str | os.PathLike[str],
    suffixes: frozenset[str],
    kind: Literal["image", "text"] = "image",
    chosen: FileFilter = EVERYTHING,
    mounts: set[str] | None = None,
) -> Iterator[Found | Skip | LeftOut]:
    """Every file under `root` (a folder, or a file, which yields just itself): found, or skipped with a reason.

    Paths are absolute, links are followed but each real folder is visited once, and names in a folder come sorted.
    What `chosen` and the ignore files in the folders leave out is named, but not entered. In silence go the operating
    system's own files, and folders that hold one of our collections. Files with a suffix in `suffixes` (lower case) are
    found, images without any suffix are recognized by their first bytes. Folders on another device than the folder that
    they are in are put into `mounts`. Raises MediaError when `root` does not exist, or for an ignore file that cannot
    be read.
    """
    for entry in _walk(root, chosen, mounts):
        yield entry if isinstance(entry, (Skip, LeftOut)) else _judged(entry, suffixes, kind)


def count(root: str | os.PathLike[str], chosen: FileFilter = EVERYTHING) -> int:
    """The number of entries that `scan` yields, found and skipped; cheaper, as files are not opened."""
    return sum(not isinstance(entry, LeftOut) for entry in _walk(root, chosen))


@dataclass(frozen=True, slots=True)
class _Root:
    """A file given by its own path, looking like an os.DirEntry."""

    path: str
    name: str

    def stat(self) -> os.stat_result:
        return os.stat(self.path)  # noqa: PTH116


def _walk(
    root: str | os.PathLike[str], chosen: FileFilter, mounts: set[str] | None = None
) -> Iterator[_Entry | _Root | Skip | LeftOut]:
    top = os.path.abspath(root)  # noqa: PTH100
    if not os.path.lexists(top):
        raise MediaError(f"{top}: no such file or folder")
    if not os.path.isdir(top):  # noqa: PTH112
        yield _Root(top, os.path.basename(top))  # noqa: PTH119
        return
    visited = _Visited(set[str]() if mounts is None else mounts)
    # A stack of iterators, not recursion: folders can be nested deeper than Python's stack.
    stack = [_listed(top, visited, Rules.at(top, chosen))]
    while stack:
        for entry in stack[-1]:
            if isinstance(entry, _Folder):
                stack.append(_listed(entry.path, visited, entry.rules))
                break
            yield entry
        else:
            stack.pop()


@dataclass(slots=True)
class _Visited:
    """The folders that a walk came to, by device and inode; `mounts` are those on another device than their parent."""

    mounts: set[str]
    folders: set[tuple[int, int]] = field(default_factory=set)

    def enter(self, folder: str) -> bool:
        """Whether a folder is new to the walk; remembers it."""
        status = os.stat(folder)  # noqa: PTH116
        if on_another_device(folder, status):
            self.mounts.add(folder)
        identity = (status.st_dev, status.st_ino)
        if identity in self.folders:
            return False
        self.folders.add(identity)
        return True


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder to enter, and the rules of the one that holds it."""

    path: str
    rules: Rules


def _listed(folder: str, visited: _Visited, rules: Rules) -> Iterator[_Entry | _Folder | Skip | LeftOut]:
    """What lies in a folder, sorted by name; nothing when it was visited before, a Skip when it cannot be read."""
    try:
        if not visited.enter(folder):
            return
        with os.scandir(folder) as listing:
            entries = sorted(listing, key=attrgetter("name"))
    except OSError as error:
        yield Skip(folder, why(error))
        return
    names = {entry.name for entry in entries}
    if COLLECTION_FILE in names:
        return
    rules = rules.within(folder, names)
    for entry in entries:
        is_folder = _is_folder(entry)
        reason = rules.reason(entry.path, entry.name, folder=is_folder)
        if reason:
            yield LeftOut(entry.path, reason)
        elif reason is None:
            yield _Folder(entry.path, rules) if is_folder else entry


def _is_folder(entry: _Entry) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        # A link that leads to itself, or into a folder that cannot be entered: the reason comes out of stat.
        return False


def _judged(entry: _Entry | _Root, suffixes: frozenset[str], kind: str) -> Found | Skip:
    try:
        status = entry.stat()
    except OSError as error:
        return Skip(entry.path, _why_no_status(entry, error))
    if not stat.S_ISREG(status.st_mode):
        return Skip(entry.path, not_a_file(status.st_mode))
    suffix = os.path.splitext(entry.name)[1].lower()  # noqa: PTH122
    if suffix not in suffixes:
        reason = _why_not_a_picture(entry.path, suffix) if kind == "image" else _not_by_name("a text", suffix)
        if reason is not None:
            return Skip(entry.path, reason)
    return found(entry.path, status)


def _why_no_status(entry: _Entry | _Root, error: OSError) -> str:
    broken = isinstance(error, FileNotFoundError) or error.errno == errno.ELOOP
    return BROKEN_LINK if broken and os.path.islink(entry.path) else why(error)  # noqa: PTH114


def _why_not_a_picture(path: str, suffix: str) -> str | None:
    """The reason, or None for a file without a suffix that begins like a picture."""
    if suffix not in ("", "."):
        return _not_by_name("an image", suffix)
    try:
        return None if sniff(read_head(path, HEAD)) else "not an image"
    except MediaError as error:
        return str(error)


def _not_by_name(thing: str, suffix: str) -> str:
    shown = "".join(letter if letter.isprintable() else "?" for letter in suffix[:12])
    return f"not {thing} ({shown or 'no suffix'})"
