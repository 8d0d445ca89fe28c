"""Few-shot episodes: N-way k-shot recognition, drawn at random."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from simsearch.errors import UsageError, VectorError
from simsearch.evaluation.metrics import (
    mean_interval,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.types import Vectors

CELLS = 4_194_304
"""Maximum number of values gathered at once, at 4 bytes each."""


@dataclass(frozen=True, slots=True)
class EpisodeResult:
    """The mean accuracy of `count` episodes, with half the width of its 95 % interval."""

    accuracy: float
    half_width: float
    count: int


@dataclass(frozen=True, slots=True)
class _Classes:
    """Rows in the order of their class, and classes in the order of their group; `first` and `start` count in those."""

    rows: NDArray[np.int64]
    start: NDArray[np.int64]
    size: NDArray[np.int64]
    first: NDArray[np.int64]
    """The first class of each group that has enough of them."""
    members: NDArray[np.int64]


def episodes(
    vectors: Vectors,
    labels: NDArray[Any],
    *,
    ways: int,
    shots: int,
    queries: int,
    count: int,
    seed: int,
    groups: NDArray[Any] | None = None,
) -> EpisodeResult:
    """N-way K-shot accuracy: how often a query is assigned its class among `ways` classes with `shots` examples each.

    Each of `count` episodes draws classes, and from each class `shots` examples and `queries` others; a query goes to
    the class whose mean of shots has the largest cosine (Snell et al. 2017). With
    `groups`, the group of each vector, the classes of an episode come from one group (Lake et al. 2015). Classes with
    fewer than `shots + queries` examples are left out, as are groups with fewer than `ways` classes.
    Raises UsageError when too few remain.
    """
    if ways < 2 or shots < 1 or queries < 1 or count < 2:
        raise UsageError(
            f"{count} episodes of {ways} ways, {shots} shots and {queries} queries: "
            "give at least 2 episodes, 2 ways, 1 shot and 1 query"
        )
    classes = _classes(np.asarray(labels), groups, len(vectors), shots + queries, ways)
    rng = np.random.default_rng(seed)
    drawn = ways * (shots + queries)
    block = max(1, CELLS // (drawn * max(vectors.shape[1], ways * shots)))
    accuracies = []
    for begin in range(0, count, block):
        rows = _draw(rng, classes, min(block, count - begin), ways, shots + queries)
        accuracies.append(_accuracy(vectors, rows[..., :shots], rows[..., shots:]))
    accuracy, half_width = mean_interval(np.concatenate(accuracies))
    return EpisodeResult(accuracy, half_width, count)


def _classes(labels: NDArray[Any], groups: NDArray[Any] | None, count: int, examples: int, ways: int) -> _Classes:
    if len(labels) != count or (groups is not None and len(groups) != count):
        raise VectorError(f"{count} vectors but {len(labels)} labels; give one label, and one group, for each vector")
    _, first_row, inverse, sizes = np.unique(labels, return_index=True, return_inverse=True, return_counts=True)
    group_of_row = np.zeros(count, dtype=np.int64)
    if groups is not None:
        group_of_row = np.unique(groups, return_inverse=True)[1].astype(np.int64)
    group = group_of_row[first_row]
    if not np.array_equal(group[inverse], group_of_row):
        raise UsageError("a class is in several groups; give it a separate label in each")
    enough = sizes >= examples
    members = np.bincount(group[enough], minlength=int(group.max(initial=0)) + 1)
    kept = enough & (members[group] >= ways)
    if not kept.any():
        where = " in one group" if groups is not None else ""
        raise UsageError(
            f"{ways} ways need {ways} classes with at least {examples} examples{where}; there are {members.max()}. "
            "Choose fewer ways, shots or queries"
        )
    numbers = np.flatnonzero(kept)
    numbers = numbers[np.argsort(group[numbers], kind="stable")]
    start = (np.cumsum(sizes) - sizes)[numbers]
    _, first, members = np.unique(group[numbers], return_index=True, return_counts=True)
    return _Classes(np.argsort(inverse, kind="stable"), start, sizes[numbers], first, members)


def _draw(
    rng: np.random.Generator, classes: _Classes, episode_count: int, ways: int, examples: int
) -> NDArray[np.int64]:
    """Rows of shape (episodes, ways, examples), drawn without repetition in an episode."""
    group = rng.integers(0, len(classes.first), size=episode_count)
    chosen = classes.first[group][:, None] + _distinct(rng, classes.members[group], ways)
    example = _distinct(rng, classes.size[chosen], examples)
    rows: NDArray[np.int64] = classes.rows[classes.start[chosen][..., None] + example]
    return rows


def _distinct(rng: np.random.Generator, sizes: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """For each size `count` different numbers below it, in random order, along a new last axis."""
    picks = np.empty((*sizes.shape, count), dtype=np.int64)
    for turn in range(count):
        pick = rng.integers(0, sizes - turn)
        # `pick` counts what is left: each smaller number that is taken moves it on by one.
        for taken in np.moveaxis(np.sort(picks[..., :turn], axis=-1), -1, 0):
            pick += pick >= taken
        picks[..., turn] = pick
    return picks


def _accuracy(vectors: Vectors, shots: NDArray[np.int64], queries: NDArray[np.int64]) -> NDArray[np.float64]:
    """The accuracy of each episode; rows of shape (episodes, ways, shots or queries)."""
    count, ways, per_way = queries.shape
    asked = vectors[queries].reshape(count, ways * per_way, -1)
    known = vectors[shots].mean(axis=2)
    # The length of the query changes no comparison, that of the mean does. A mean of zero scores zero.
    known = known / np.maximum(np.linalg.norm(known, axis=-1, keepdims=True), np.finfo(np.float32).tiny)
    best = (asked @ known.transpose(0, 2, 1)).argmax(axis=-1)
    right: NDArray[np.bool_] = best == np.repeat(np.arange(ways), per_way)
    shares: NDArray[np.float64] = np.mean(right, axis=1, dtype=np.float64)
    return shares
