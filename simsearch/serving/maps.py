"""The maps of the served collections, each as it was drawn last."""

from __future__ import annotations

import json
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
    """A map in 24 bytes an item: "SSM1", the number n as uint32, little-endian arrays of n rows, then the names.

    float64 id, float32 x and y in turn, float32 outlier, int32 label (a place in the names, -1 for none). The names of
    the labels are a list in JSON.
    """
    parts = (
        drawn.ids.astype("<f8"),
        drawn.points.astype("<f4"),
        drawn.outlier.astype("<f4"),
        drawn.labels.astype("<i4"),
    )
    arrays = b"".join(np.ascontiguousarray(part).tobytes() for part in parts)
    return MAGIC + struct.pack("<I", len(drawn.ids)) + arrays + json.dumps(drawn.names).encode("ascii")
