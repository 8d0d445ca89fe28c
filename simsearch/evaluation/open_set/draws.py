"""Draws of who is enrolled, who is unknown, and who calibrates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from simsearch.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

QUERIES = 20
"""Queries of one identity, at most: those of one are not independent, and more of them gain little."""
LEAST = 4
"""Identities, so that two can be enrolled, one calibrates, and one is unknown."""


@dataclass(frozen=True, slots=True)
class Roles:
    """One draw, as rows: no identity has two roles."""

    enrolled: NDArray[np.int64]
    """The examples, shape (identities, shots)."""
    known: NDArray[np.int64]
    """Queries of enrolled identities, other items than the examples."""
    impostors: NDArray[np.int64]
    """One item of each identity that the probabilities are calibrated with."""
    unknown: NDArray[np.int64]
    """Queries of the remaining identities."""


def usable(labels: NDArray[Any], shots: int) -> NDArray[np.int64]:
    """The labels with an item beside `shots` examples. Raises UsageError for fewer than four."""
    found, sizes = np.unique(labels, return_counts=True)
    kept: NDArray[np.int64] = found[sizes > shots]
    if len(kept) < LEAST:
        raise UsageError(
            f"open-set with {shots} shots needs {LEAST} classes with at least {shots + 1} items; there are "
            f"{len(kept)}. Choose fewer shots"
        )
    return kept


def draw_roles(labels: NDArray[Any], classes: NDArray[Any], shots: int, enrolled: int, seed: int) -> Roles:
    """The roles of one draw: `enrolled` of the classes are known; half of those that never are calibrates.

    Up to half of the classes can be enrolled without changing who is unknown, so that numbers of identities can be
    compared. Raises UsageError if fewer than two classes are left unknown.
    """
    if not 1 <= enrolled <= len(classes) - 2:
        raise UsageError(
            f"{enrolled} identities of {len(classes)} classes: enroll between 1 and {len(classes) - 2}, so that two "
            "stay unknown"
        )
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(classes))
    # Each class has an order of its items, the same for every number of shots and of identities.
    items = [rng.permutation(np.flatnonzero(labels == classes[place])) for place in order]
    others = items[max(enrolled, len(items) // 2) :]
    middle = len(others) // 2
    return Roles(
        np.stack([rows[:shots] for rows in items[:enrolled]]),
        np.concatenate([rows[shots:][-QUERIES:] for rows in items[:enrolled]]),
        np.array([rows[0] for rows in others[:middle]], dtype=np.int64),
        np.concatenate([rows[:QUERIES] for rows in others[middle:]]),
    )
