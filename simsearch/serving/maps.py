"""The maps of the served collections, each as it was drawn last."""

from __future__ import annotations

import struct
import threading
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from simsearch.collection.browsing.mapping import CollectionMap

MAGIC = b"SSM1"


class Maps:
    """Keeps one map for each collection."""

    def __init__(self) -> None:
        self._maps: dict[str, CollectionMap] = {}
        self._turn = threading.Lock()

    def keep(self, collection: str, drawn: CollectionMap) -> None:
        with self._turn:
            self._maps[collection] = drawn

    def get(self, collection: str) -> CollectionMap | None:
        with self._turn:
            return self._maps.get(collection)


def packed(drawn: CollectionMap) -> bytes:
    """A map in 24 bytes an item: "SSM1", the number n as uint32, then little-endian arrays of n rows.

    float64 id, float32 x and y in turn, float32 outlier, int32 label (a place in the names, -1 for none).
    """
    parts = (
        drawn.ids.astype("<f8"),
        drawn.points.astype("<f4"),
        drawn.outlier.astype("<f4"),
        drawn.labels.astype("<i4"),
    )
    return MAGIC + struct.pack("<I", len(drawn.ids)) + b"".join(np.ascontiguousarray(part).tobytes() for part in parts)
