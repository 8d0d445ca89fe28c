"""Similar pairs alone, as classes: what the pairs link is one class, and all else are its in-batch negatives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from simsearch.labelled.material import Labelled
from simsearch.labelled.partitions import components


def only_similar(labelled: Labelled) -> bool:
    """Whether these are pairs, all of them similar."""
    return labelled.same is not None and bool(labelled.same.all())


def linked_classes(labelled: Labelled) -> Labelled:
    """Similar pairs as classes, "pair N" by the first pair of each. Sources in no pair are left out.

    A class has the group of its first pair, and of the partitions that the file gives its pairs the last.
    """
    assert labelled.pairs is not None
    used, points = np.unique(labelled.pairs, return_inverse=True)
    points = points.reshape(-1, 2)
    _, first, component = np.unique(components(points, None), return_index=True, return_inverse=True)
    labels = np.empty(len(used), dtype=np.int64)
    labels[points] = component[:, None]
    names = tuple(f"pair {row + 1}" for row in first)
    partitions = None
    if labelled.partitions is not None:
        of_class = np.full(len(first), -1, dtype=np.int8)
        np.maximum.at(of_class, component, labelled.partitions)
        partitions = of_class[labels]
    grouped = None if labelled.grouped is None else labelled.grouped[first]
    return replace(
        labelled,
        kind="classes",
        sources=tuple(labelled.sources[position] for position in used),
        labels=labels,
        classes=names,
        groups=names if grouped is None else tuple(labelled.group_names[number] for number in grouped),
        pairs=None,
        same=None,
        grouped=None,
        group_names=(),
        lines=None,
        partitions=partitions,
    )
