"""Forgeries among classes: the writer that each imitates, by the names of the classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from simsearch.labelled.material import Labelled

if TYPE_CHECKING:
    from numpy.typing import NDArray

GENUINE = frozenset({"genuine", "original", "real"})
FORGED = frozenset({"forged", "forgery", "forgeries", "fake"})


@dataclass(frozen=True, slots=True)
class Writers:
    """The genuine or claimed writer of each class, and whether the class is forged."""

    names: tuple[str, ...]
    """The names of the classes without their last part, or whole for classes without forgeries."""
    numbers: NDArray[np.int64]
    """The number of the writer of each class."""
    forged: NDArray[np.bool_]


def writers_of(classes: Sequence[str]) -> Writers | None:
    """The writers in names such as WRITER/genuine and WRITER/forged; None if no class has forgeries.

    Case is ignored. A class named as forged without a genuine one of the same writer is an ordinary class.
    """
    parts = [name.rpartition("/") for name in classes]
    has_genuine = {writer for writer, _, kind in parts if writer and kind.casefold() in GENUINE}
    forged = [writer in has_genuine and kind.casefold() in FORGED for writer, _, kind in parts]
    if not any(forged):
        return None
    imitated = {writer for (writer, _, _), is_forged in zip(parts, forged, strict=True) if is_forged}
    names = tuple(
        writer if writer in imitated and kind.casefold() in GENUINE | FORGED else name
        for name, (writer, _, kind) in zip(classes, parts, strict=True)
    )
    return Writers(names, np.unique(np.array(names), return_inverse=True)[1], np.array(forged))


def grouped_by_writer(labelled: Labelled) -> Labelled:
    """`labelled` with the writers as groups, if there are forgeries and the file gives no groups."""
    writers = writers_of(labelled.classes)
    return labelled if writers is None or labelled.grouped is not None else replace(labelled, groups=writers.names)
