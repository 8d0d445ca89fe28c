"""The protocol open-set: from embeddings and labels to a section of metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from simsearch.errors import UsageError
from simsearch.evaluation.open_set.draws import LEAST, usable
from simsearch.evaluation.open_set.measure import OpenSet, measure

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.evaluation.statistics.intervals import Figure
    from simsearch.recognition.calibration import Curve
    from simsearch.types import Vectors

SHOTS = (1, 2, 5)
SHARES = (8, 4, 2)
"""By default an eighth, a quarter and half of the classes are enrolled."""


@dataclass(frozen=True, slots=True)
class OpenSetOptions:
    """Parameters of the protocol: numbers of examples, of enrolled identities, and of draws."""

    shots: tuple[int, ...] = ()
    identities: tuple[int, ...] = ()
    draws: int = 5
    fars: tuple[float, ...] = (0.01,)
    rounds: int = 1000
    seed: int = 0


def judge(
    vectors: Vectors, labels: NDArray[Any], options: OpenSetOptions, curve: Curve | None
) -> tuple[str, tuple[OpenSet, ...]]:
    """What was measured, and the results: for all shots with the most identities, and for fewer with the most shots."""
    shots = options.shots or default_shots(labels)
    most = max(shots)
    classes = usable(labels, most)
    sizes = tuple(sorted(set(options.identities))) or default_identities(len(classes))
    settings = [(most, size) for size in sizes[:-1]] + [(shot, sizes[-1]) for shot in sorted(set(shots))]
    found = tuple(
        measure(
            vectors,
            labels,
            classes,
            shots=shot,
            enrolled=size,
            draws=options.draws,
            fars=options.fars,
            seed=options.seed,
            rounds=options.rounds,
            curve=curve,
        )
        for shot, size in settings
    )
    return (
        f"{options.draws} draws of enrolled, calibrating and unknown identities among {len(classes):,} classes",
        found,
    )


def default_shots(labels: NDArray[Any]) -> tuple[int, ...]:
    """Those of 1, 2 and 5 that at least half of the classes have items for. Raises UsageError if none is."""
    sizes = np.unique(labels, return_counts=True)[1]
    several = np.count_nonzero(sizes > 1)
    found = [shot for shot in SHOTS if np.count_nonzero(sizes > shot) >= max(LEAST, several / 2)]
    if not found:
        raise UsageError(
            f"open-set needs {LEAST} classes with at least 2 items each, to enroll some and leave others unknown; "
            f"there are {several}"
        )
    return tuple(found)


def default_identities(classes: int) -> tuple[int, ...]:
    """An eighth, a quarter and half of the classes."""
    return tuple(sorted({max(2, classes // share) for share in SHARES}))


def named_figures(found: Sequence[OpenSet]) -> dict[str, Figure]:
    """The figures of all results by name, as "5-shot of 92: oscr"."""
    return {
        f"{one.shots}-shot of {one.enrolled}: {name}": figure for one in found for name, figure in one.figures.items()
    }
