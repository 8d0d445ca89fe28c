"""What lies in the bytes of a database file. Runs as a program of its own, and needs nothing but Python."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

CHUNK = 4 * 2**20
_HEADER = 100


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


if __name__ == "__main__":
    what, place = sys.argv[1:]
    if what == "free":
        sys.stdout.write(" ".join(map(str, free_pages_with_content(Path(place)))))
    else:
        sys.stdout.write("1" if holds(Path(place), sys.stdin.buffer.read()) else "")
