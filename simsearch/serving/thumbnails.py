"""Thumbnails of items, made from their files and kept within a bound."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

from anyio import CapacityLimiter

from simsearch.media.images import thumbnail

if TYPE_CHECKING:
    from simsearch.collection.facade import Collection
    from simsearch.types import Example, Item

SIZES = (64, 128, 192, 256, 384, 512, 1024)
KEPT_BYTES = 128 * 2**20
QUALITY = 82
AT_ONCE = 4
"""How many are looked up or made at the same time; the other threads stay free for other calls."""


@dataclass(frozen=True, slots=True)
class Key:
    """What a thumbnail is made of: contents are never changed, and their ids never used again."""

    collection: str
    content: int
    mtime_ns: int
    size: int


class Thumbnails:
    """JPEGs, those used last kept in memory, up to `kept_bytes`. Threads may share it."""

    def __init__(self, kept_bytes: int = KEPT_BYTES) -> None:
        self._kept: OrderedDict[Key, bytes] = OrderedDict()
        self._bytes, self._most = 0, kept_bytes
        self._turn = threading.Lock()
        self.limiter = CapacityLimiter(AT_ONCE)

    def get(self, key: Key, collection: Collection, item: Item | Example) -> bytes:
        """The thumbnail of an item. Raises MediaError when its file cannot be shown."""
        with self._turn:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = drawn(collection.read(item), key.size)
        with self._turn:
            if key not in self._kept:
                self._kept[key] = made
                self._bytes += len(made)
            while self._bytes > self._most:
                self._bytes -= len(self._kept.popitem(last=False)[1])
        return made


def drawn(content: bytes, size: int) -> bytes:
    """A JPEG of the picture in the bytes of a file, its long side `size` pixels. Raises MediaError."""
    stream = BytesIO()
    thumbnail(content, size).save(stream, "JPEG", quality=QUALITY)
    return stream.getvalue()


def nearest_size(wanted: int) -> int:
    """The smallest of the sizes that is not below the wanted one, else the largest: few sizes share the cache."""
    return next((size for size in SIZES if size >= wanted), SIZES[-1])
