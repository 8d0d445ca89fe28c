"""Whether a file is as it was when it was stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simsearch.media.folders.found import Found
    from simsearch.store import Known


def as_before(item: Known, file: Found) -> bool:
    """Whether a file looks as it was. A file of equal size and time that replaced it has another inode or ctime."""
    if (item.size, item.mtime_ns) != (file.size, file.mtime_ns):
        return False
    return item.ctime_ns is None or (item.inode, item.ctime_ns) == (file.inode, file.ctime_ns)
