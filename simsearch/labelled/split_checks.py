"""What is missing in the partitions of a split to form pairs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from simsearch.errors import TrainingError
from simsearch.labelled.material import PARTITIONS
from simsearch.labelled.splits import content_numbers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.labelled.material import Labelled
    from simsearch.labelled.splits import Split


def check_split(
    labelled: Labelled, made: Split, contents: Sequence[bytes], needed: str = "about 6 in each class are needed"
) -> None:
    """Raises TrainingError for a split from which no pairs can be formed, naming what is missing and what is `needed`.

    There must be two classes to train on, and one of them, and of those in each other partition that is not empty, must
    have two different contents. Given pairs must be of both kinds.
    """
    content = content_numbers(contents)
    if labelled.labels is not None:
        for name, positions in zip(PARTITIONS, (made.train, made.validation, made.test), strict=True):
            _check_classes(name, labelled.classes, labelled.labels[positions], content[positions], needed)
    elif labelled.same is not None and made.rows is not None:
        for name, rows in zip(PARTITIONS, made.rows, strict=True):
            if (name == "train" or len(rows)) and len(np.unique(labelled.same[rows])) < 2:
                raise TrainingError(
                    f"{len(labelled.same)} pairs are too few: after the split {name} lacks similar or dissimilar pairs"
                )


def _check_classes(
    partition: str, classes: Sequence[str], labels: NDArray[np.int64], content: NDArray[np.int64], needed: str
) -> None:
    distinct = np.unique(np.stack([labels, content], axis=1), axis=0)[:, 0]
    numbers, counts = np.unique(distinct, return_counts=True)
    if partition == "train":
        if len(numbers) < 2:
            raise TrainingError(f"{len(numbers)} classes are left to train on; at least 2 are needed")
        if counts.max() < 2:
            none = f"none of {len(numbers):,} classes has two different sources to train on (identical ones count once)"
            raise TrainingError(f"{none}, which a pair needs; {needed}")
    elif len(numbers) == 1:
        left = f"only one class would be left for {partition}, without pairs of different classes"
        raise TrainingError(f"{left}: {len(classes)} classes are too few to hold some out, use --split content")
    elif len(numbers) and counts.max() < 2:
        raise TrainingError(f"no class has two different sources for {partition}; {needed}")
