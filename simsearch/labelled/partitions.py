"""The partition of each source or row: pure functions on arrays. 0 is train, 1 validation, 2 test, -1 none of these.

`points` (n, w) holds the contents of each row: two of a pair, three of a triplet, one of a source on its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from simsearch.errors import TrainingError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Counts: TypeAlias = tuple[float, float, float]
"""The sizes of train, validation and test: numbers up to 1 are fractions, larger ones whole numbers."""
_LARGEST_COMPONENT = 0.1
"""Largest connected component that is held out, as a fraction of the held-out rows: larger ones distort the shares."""


def of_classes(labels: NDArray[np.int64], content: NDArray[np.int64], counts: Counts, seed: int) -> NDArray[np.int8]:
    """The partition of each source, with every class in all partitions and each content once, in its first class.

    `counts` are sources of each class; a fraction is at least two if there are enough. Training takes precedence.
    """
    rng = np.random.default_rng(seed)
    _, first = np.unique(content, return_index=True)
    partition = np.full(len(labels), -1, dtype=np.int8)
    order = np.argsort(labels[first], kind="stable")
    _, starts = np.unique(labels[first][order], return_index=True)
    for members in np.split(first[order], starts[1:]):
        drawn = rng.permutation(np.sort(members))
        ends = np.cumsum(_of_class(counts, len(drawn)))
        partition[drawn[: ends[2]]] = np.searchsorted(ends, np.arange(ends[2]), side="right")
    return partition


def _of_class(counts: Counts, available: int) -> list[int]:
    """Numbers of files for the three partitions, at least two if there are enough; training takes precedence."""
    wanted = [max(2, int(count * available + 0.5)) if 0 < count <= 1 else int(count) for count in counts]
    held_out = wanted[1] + wanted[2] if counts[0] <= 1 else 0
    # If the fractions sum to 1, training gets the rest after rounding.
    most = available if max(counts) <= 1 and sum(counts) > 1 - 1e-9 else wanted[0]
    train = max(2, min(most, available - held_out))
    rest = max(0, available - train)
    validation = min(wanted[1], rest // 2 if wanted[2] else rest)
    return [min(train, available), validation, min(wanted[2], rest - validation)]


def of_units(names: Sequence[str], what: str, counts: Counts, held_out: frozenset[str], seed: int) -> NDArray[np.int8]:
    """The partition of each of these distinct classes or groups: those held out for the test by name, others at random.

    `counts` are fractions of the units, or numbers of them; training takes the rest.
    """
    free = np.random.default_rng(seed).permutation(np.array(sorted(set(names) - held_out)))
    validation = _whole(counts[1], len(names))
    test = 0 if held_out else _whole(counts[2], len(names))
    if len(free) - validation - test < 1:
        raise TrainingError(f"{len(names)} {what} are too few to hold some out; use --split content")
    tests = held_out | set(free[:test].tolist())
    validations = set(free[test : test + validation].tolist())
    return np.array([2 if name in tests else 1 if name in validations else 0 for name in names], dtype=np.int8)


def _whole(count: float, available: int) -> int:
    """The number of units; at least one for a fraction above zero."""
    if count > 1:
        return int(count)
    return max(1, round(count * available)) if count > 0 else 0


def of_rows(points: NDArray[np.int64], tied: NDArray[np.int64] | None, counts: Counts, seed: int) -> NDArray[np.int8]:
    """The partition of each row; rows that share a content or a number in `tied` are in the same one.

    If the connected components are too large for that (all pairs of a few images), the contents are drawn instead,
    and pairs or triplets that cross partitions are dropped.
    """
    rng = np.random.default_rng(seed)
    _, component, sizes = np.unique(components(points, tied), return_inverse=True, return_counts=True)
    validation, test = (_whole(count, len(points)) for count in counts[1:])
    small = (
        np.flatnonzero(sizes <= max(1.0, _LARGEST_COMPONENT * min(count for count in (validation, test) if count)))
        if validation + test
        else np.empty(0, dtype=np.int64)
    )
    drawn = rng.permutation(small)
    ends = np.cumsum(sizes[drawn])
    if validation + test > (int(ends[-1]) if len(ends) else 0):
        return _of_contents(points, validation / len(points), test / len(points), rng)
    partition_of_component = np.zeros(len(sizes), dtype=np.int8)
    partition_of_component[drawn[ends <= validation + test]] = 1
    partition_of_component[drawn[ends <= test]] = 2
    return partition_of_component[component]


def components(points: NDArray[np.int64], tied: NDArray[np.int64] | None) -> NDArray[np.int64]:
    """The number of the connected component of each row."""
    ends = points if tied is None else np.column_stack([points, points.max(initial=0) + 1 + tied])
    if ends.shape[1] == 1:
        return ends[:, 0]
    first, second = np.repeat(ends[:, 0], ends.shape[1] - 1), ends[:, 1:].reshape(-1)
    root = np.arange(ends.max(initial=0) + 1)
    while not np.array_equal(root[first], root[second]):
        # Union-find: each tree is attached to its lowest neighbor, then every path is compressed to the root.
        low = np.minimum(root[first], root[second])
        np.minimum.at(root, root[first], low)
        np.minimum.at(root, root[second], low)
        while not np.array_equal(root, root[root]):
            root = root[root]
    return root[ends[:, 0]]


def _of_contents(
    points: NDArray[np.int64], validation: float, test: float, rng: np.random.Generator
) -> NDArray[np.int8]:
    # Ranks instead of independent draws, so that the fractions are exact even with few contents.
    drawn = rng.permutation(points.max() + 1) / (points.max() + 1)
    partition_of_content = np.where(drawn < test, 2, np.where(drawn < test + validation, 1, 0)).astype(np.int8)
    partitions = partition_of_content[points]
    return np.where((partitions == partitions[:, :1]).all(axis=1), partitions[:, 0], np.int8(-1))


def without_leaks(partition: NDArray[np.int8], points: NDArray[np.int64]) -> NDArray[np.int8]:
    """`partition` without rows that share a content with a row of a later one: no test content is trained on."""
    clean = partition.copy()
    for later in (2, 1):
        taken = np.zeros(points.max(initial=0) + 1, dtype=np.bool_)
        taken[points[clean == later]] = True
        clean[(clean >= 0) & (clean < later) & taken[points].any(axis=1)] = -1
    return clean
