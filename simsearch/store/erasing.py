"""Making sure that nothing is left in the files of a database of what was deleted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simsearch.store.database import Database

CHUNK = 4 * 2**20
_HEADER = 100


def erase_traces(database: Database) -> bool:
    """Moves the write-ahead log into the database and empties it; returns False while readers keep it in use.

    Waits for readers as long as for any lock. Pages that were freed before deleted content was overwritten are removed.
    """
    with database.outside() as connection:
        if not _emptied(connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()):
            return False
        if any(True for _ in free_pages_with_content(database.path)):
            connection.execute("VACUUM")
            return _emptied(connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone())
    return True


def compact(database: Database) -> None:
    """Gives back the space of what was deleted, and that of the write-ahead log unless readers keep it in use."""
    with database.outside() as connection:
        if connection.execute("PRAGMA freelist_count").fetchone()[0]:
            connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _emptied(row: tuple[int, int, int]) -> bool:
    return row[0] == 0


def log_bytes(path: Path) -> int:
    """The size of the write-ahead log."""
    log = path.with_name(path.name + "-wal")
    return log.stat().st_size if log.exists() else 0


def free_pages_with_content(path: Path) -> Iterator[int]:
    """The numbers of free pages that are not all zeros (file format of SQLite, section 1.5)."""
    with path.open("rb") as file:
        header = file.read(_HEADER)
        size = int.from_bytes(header[16:18], "big")
        size = 65_536 if size == 1 else size
        trunk, seen = int.from_bytes(header[32:36], "big"), set[int]()
        while trunk and trunk not in seen:
            seen.add(trunk)
            file.seek((trunk - 1) * size)
            page = file.read(size)
            count = int.from_bytes(page[4:8], "big")
            leaves = [int.from_bytes(page[at : at + 4], "big") for at in range(8, 8 + 4 * count, 4)]
            if any(page[8 + 4 * count :]):
                yield trunk
            for leaf in leaves:
                file.seek((leaf - 1) * size)
                if any(file.read(size)):
                    yield leaf
            trunk = int.from_bytes(page[:4], "big")


def holds(path: Path, wanted: bytes) -> bool:
    """Whether the bytes occur in a file. Reads it in chunks."""
    tail = b""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            if wanted in tail + chunk:
                return True
            tail = (tail + chunk)[-len(wanted) + 1 :] if len(wanted) > 1 else b""
    return False
