"""One partition of a split: its rows and their labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition of the split. `rows` are rows of the inputs; pairs and triplets are positions within `rows`."""

    rows: NDArray[np.int64]
    labels: NDArray[np.int64] | None = None
    groups: NDArray[np.int64] | None = None
    """The group of each row, where classes come in groups."""
    pairs: NDArray[np.int64] | None = None
    same: NDArray[np.bool_] | None = None
    scores: NDArray[np.float32] | None = None
    triplets: NDArray[np.int64] | None = None
    neighbours: NDArray[np.int64] | None = None
    """The position of the text that follows each one in its document, -1 for none."""
    forged: NDArray[np.bool_] | None = None
    """Whether each row is a forgery, and the genuine or claimed writer of each row; None without forgeries."""
    writers: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def count(self) -> int:
        """The number of pairs, triplets or else rows."""
        return next((len(values) for values in (self.pairs, self.triplets) if values is not None), len(self.rows))

    def joined(self, other: Partition) -> Partition:
        """The rows of both, with their classes; pairs, triplets and neighbours are positions, and are left out."""

        def both(name: str) -> NDArray[Any] | None:
            parts = [getattr(partition, name) for partition in (self, other)]
            return None if any(part is None for part in parts) else np.concatenate(parts)

        return Partition(
            np.concatenate([self.rows, other.rows]),
            both("labels"),
            both("groups"),
            forged=both("forged"),
            writers=both("writers"),
        )
