"""The result of an evaluation: metrics with intervals, and the details that a report shows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simsearch.evaluation.open_set.measure import OpenSet
    from simsearch.evaluation.ranking import Ranked
    from simsearch.evaluation.runs import Runs
    from simsearch.evaluation.statistics.intervals import Figure
    from simsearch.types import JSONValue, Scores, Skip, Vectors


@dataclass(frozen=True, slots=True)
class Threshold:
    value: float
    origin: str
    """Where it was chosen; never on the evaluated pairs."""


@dataclass(frozen=True, slots=True)
class PairDetail:
    """Scored pairs, (m, 2) positions of the sources."""

    pairs: NDArray[np.int64]
    scores: Scores
    same: NDArray[np.bool_]
    threshold: Threshold | None


@dataclass(frozen=True, slots=True)
class GradedDetail:
    pairs: NDArray[np.int64]
    scores: Scores
    truth: NDArray[np.float64]
    """Grades, in the range of the file."""


@dataclass(frozen=True, slots=True)
class RunsDetail:
    runs: Runs
    given: tuple[NDArray[np.int64], ...]


@dataclass(frozen=True, slots=True)
class OpenSetDetail:
    """One result for each number of shots and of enrolled identities; the last has the most of both."""

    results: tuple[OpenSet, ...]


Detail: TypeAlias = "PairDetail | GradedDetail | RunsDetail | OpenSetDetail | Ranked"


@dataclass(frozen=True, slots=True)
class Section:
    """The metrics of one protocol, in the order in which they are reported."""

    protocol: str
    setting: str
    figures: Mapping[str, Figure]
    detail: Detail | None = None
    thresholds: Mapping[str, float] = field(default_factory=dict)
    """The score from which on a pair is accepted, of those metrics that belong to an operating point."""


@dataclass(frozen=True, slots=True)
class System:
    """An encoder or a baseline, with its embeddings and its metrics by protocol."""

    name: str
    dim: int
    vectors: Vectors
    sections: tuple[Section, ...]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The encoder first, then the baselines, all evaluated on the same data."""

    encoder: str
    fingerprint: str
    data: str
    modality: str
    sources: tuple[str, ...]
    labels: NDArray[np.int64] | None
    classes: tuple[str, ...]
    systems: tuple[System, ...]
    remarks: tuple[str, ...]
    skipped: tuple[Skip, ...]
    seed: int
    rounds: int

    def record(self) -> dict[str, JSONValue]:
        """The JSON record, without embeddings and details."""
        results: list[JSONValue] = [
            {
                "system": system.name,
                "protocol": section.protocol,
                "setting": section.setting,
                "figures": {
                    name: _figure(figure, section.thresholds.get(name)) for name, figure in section.figures.items()
                },
                "threshold": _threshold(section.detail),
            }
            for system in self.systems
            for section in system.sections
        ]
        return {
            "encoder": self.encoder,
            "fingerprint": self.fingerprint,
            "data": self.data,
            "modality": self.modality,
            "items": len(self.sources),
            "classes": len(self.classes),
            "seed": self.seed,
            "rounds": self.rounds,
            "results": results,
            "remarks": list(self.remarks),
            "skipped": sum(skip.count for skip in self.skipped),
        }


def _figure(figure: Figure, threshold: float | None) -> JSONValue:
    record: dict[str, JSONValue] = {"value": figure.value, "low": figure.low, "high": figure.high}
    return record if threshold is None else record | {"threshold": threshold}


def shown_threshold(threshold: float) -> str:
    """The threshold with three decimals, rounded up, so that what is accepted from there on has no higher FAR."""
    return f"{math.ceil(threshold * 1000) / 1000:.3f}"


def _threshold(detail: Detail | None) -> JSONValue:
    if not isinstance(detail, PairDetail) or detail.threshold is None:
        return None
    return {"value": detail.threshold.value, "origin": detail.threshold.origin}


def figure_name(name: str) -> str:
    """The display name of a metric."""
    setting, separator, metric = name.rpartition(": ")
    if separator:
        return f"{setting}: {figure_name(metric)}"
    if name.startswith("dir@far="):
        return f"DIR at FAR {name.removeprefix('dir@far=')}"
    if name.startswith("tar@far="):
        return f"TAR at FAR {name.removeprefix('tar@far=')}"
    known = {
        "roc_auc": "ROC AUC",
        "average_precision": "average precision",
        "eer": "EER",
        "auroc": "AUROC",
        "oscr": "OSCR",
        "detection_eer": "EER",
        "ece": "calibration error",
        "map@r": "MAP@R",
        "r_precision": "R-precision",
        "mrr": "MRR",
        "spearman": "Spearman",
        "pearson": "Pearson",
    }
    return known.get(name, name.replace("ndcg@", "nDCG@"))
