"""A file as a listing of its folder shows it, and the device that it is on."""

from __future__ import annotations

import os
from dataclasses import dataclass

_INODE_BITS = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Found:
    """A file with a suffix of the wanted kind. A file that replaces it has another inode, or another ctime."""

    path: str
    size: int
    mtime_ns: int
    inode: int = 0
    ctime_ns: int = 0


def device_of(status: os.stat_result) -> int:
    """The device of a file or folder by its status."""
    return status.st_dev


def on_another_device(folder: str, status: os.stat_result) -> bool:
    """Whether a folder of this status is on another device than the folder that it is in."""
    return device_of(status) != device_of(os.stat(os.path.dirname(folder)))  # noqa: PTH116, PTH120


def is_mount(folder: str) -> bool:
    """Whether a folder is there and on another device than the folder that it is in, also through a link."""
    try:
        return on_another_device(folder, os.stat(folder))  # noqa: PTH116
    except OSError:
        return False


def found_at(path: str) -> Found | None:
    """What the scan would say of a file at a path, of any suffix; None when there is none."""
    try:
        return found(path, os.stat(path))  # noqa: PTH116
    except (OSError, ValueError):
        return None


def found(path: str, status: os.stat_result) -> Found:
    """The file at a path, of this status."""
    # Windows gives no inode while a folder is listed. SQLite's integers have a sign, those of inodes have none.
    inode = status.st_ino & _INODE_BITS if os.name == "posix" else 0
    return Found(path, status.st_size, status.st_mtime_ns, inode, status.st_ctime_ns)
