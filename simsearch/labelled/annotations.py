"""The annotations of the rows of a table: line, and partition and group from the columns split and group."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from simsearch.labelled.columns import Roles
from simsearch.labelled.material import Labelled
from simsearch.media.rows import Row, RowError

PARTITION_NAMES: Mapping[str, int] = {
    "train": 0,
    "training": 0,
    "validation": 1,
    "valid": 1,
    "val": 1,
    "dev": 1,
    "test": 2,
    "testing": 2,
}


class Annotation(NamedTuple):
    """The annotation of one row; `partition` and `group` are None where the table has no such column."""

    line: int
    partition: int | None
    group: str | None


class Annotations:
    """The annotations of the rows that are used."""

    def __init__(self, roles: Roles) -> None:
        self._roles = roles
        self._lines = array("q")
        self._partitions = array("b")
        self._grouped = array("q")
        self._groups: dict[str, int] = {}

    def parse(self, row: Row) -> Annotation:
        """The annotation of a row. Raises RowError for a missing one and for a partition of another name."""
        group = self._roles.value(row, "group").strip() if "group" in self._roles else None
        return Annotation(row.line, self._partition(row) if "split" in self._roles else None, group)

    def _partition(self, row: Row) -> int:
        word = self._roles.value(row, "split").strip().lower()
        if word not in PARTITION_NAMES:
            raise RowError(f"{self._roles.names['split']}={word[:60]!r}; must be train, validation or test")
        return PARTITION_NAMES[word]

    def add(self, annotation: Annotation) -> None:
        self._lines.append(annotation.line)
        if annotation.partition is not None:
            self._partitions.append(annotation.partition)
        if annotation.group is not None:
            self._grouped.append(self._groups.setdefault(annotation.group, len(self._groups)))

    def on(self, labelled: Labelled) -> Labelled:
        """`labelled` with the lines, partitions and groups of its rows, and the skipped rows of the table."""
        return replace(
            labelled,
            lines=np.array(self._lines, dtype=np.int64),
            partitions=np.array(self._partitions, dtype=np.int8) if "split" in self._roles else None,
            grouped=np.array(self._grouped, dtype=np.int64) if "group" in self._roles else None,
            group_names=tuple(self._groups),
            skipped=(*self._roles.table.bad.listed(), *labelled.skipped),
        )
