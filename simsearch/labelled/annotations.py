"""What any table says of its rows: the line of each, and by the columns split and group its partition and its group."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from simsearch.labelled.columns import Roles
from simsearch.labelled.material import Labelled
from simsearch.media.tables import Row

PARTITION_NAMES: Mapping[str, int] = {
    "train": 0, "training": 0, "validation": 1, "valid": 1, "val": 1, "dev": 1, "test": 2, "testing": 2,
}  # fmt: skip


class Extras:
    """The lines of the rows, and what the columns `split` and `group` say of them."""

    def __init__(self, roles: Roles) -> None:
        self._roles = roles
        self._lines = array("q")
        self._partitions = array("b")
        self._grouped = array("q")
        self._groups: dict[str, int] = {}

    def add(self, row: Row) -> None:
        """Takes in a row that is used. Raises TrainingError for a partition of another name."""
        self._lines.append(row.line)
        if "split" in self._roles:
            word = self._roles.value(row, "split").strip().lower()
            if word not in PARTITION_NAMES:
                raise self._roles.table.wrong(
                    row, f"{self._roles.name('split')}={word!r}; train, validation or test is needed"
                )
            self._partitions.append(PARTITION_NAMES[word])
        if "group" in self._roles:
            name = self._roles.value(row, "group").strip()
            self._grouped.append(self._groups.setdefault(name, len(self._groups)))

    def on(self, labelled: Labelled) -> Labelled:
        """The same with the lines, partitions and groups of its rows."""
        return replace(
            labelled,
            lines=np.array(self._lines, dtype=np.int64),
            partitions=np.array(self._partitions, dtype=np.int8) if "split" in self._roles else None,
            grouped=np.array(self._grouped, dtype=np.int64) if "group" in self._roles else None,
            group_names=tuple(self._groups),
        )
