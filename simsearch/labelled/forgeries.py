"""Forgeries among classes: what each imitates, by the names of the classes."""

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
    """Of each class whose it is or claims to be, and whether it is forged."""

    names: tuple[str, ...]
    """The classes' names without their last part, or whole where they say nothing of forgeries."""
    numbers: NDArray[np.int64]
    """Of each class, equal for equal names."""
    forged: NDArray[np.bool_]


def writers_of(classes: Sequence[str]) -> Writers | None:
    """What the names WRITER/genuine and WRITER/forged say; None where no class has forgeries beside it.

    Upper and lower case are the same. A class named as forged with no genuine one beside it is a class like any other.
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
    """The same with the writers as groups where there are forgeries and no groups of the file's own."""
    writers = writers_of(labelled.classes)
    return labelled if writers is None or labelled.grouped is not None else replace(labelled, groups=writers.names)
