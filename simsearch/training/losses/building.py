"""Construction of a loss from its name and settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Literal

from torch import Tensor

from simsearch.errors import UsageError
from simsearch.training.losses import functional
from simsearch.training.losses.library import Angular, MultiSimilarity
from simsearch.training.losses.module import Loss
from simsearch.training.losses.proxies import ArcFace, CosineClassifier, ProxyAnchor
from simsearch.training.losses.table import DISTANCES, LOSSES, MINERS, SOFT, Distance, LossEntry, loss_entry

ANGLES = {"angular": 90.0, "arcface": 180.0}
"""The losses with an angular margin, and its upper limit in degrees."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a loss, by default those of the table; a loss ignores those that it does not have."""

    dim: int
    classes: int
    margin: float
    soft: bool
    temperature: float
    scale: float
    learned: bool
    """Whether a scale that can be learned is learned."""
    distance: Distance
    miner: str | None
    positive_share: float


def build_loss(
    name: str,
    *,
    dim: int,
    classes: int,
    margin: float | Literal["soft"] | None = None,
    temperature: float | None = None,
    scale: float | None = None,
    distance: Distance | None = None,
    miner: str | None = None,
    positive_share: float = 0.0,
) -> Loss:
    """The loss of this name for embeddings of `dim` numbers, with the table's settings where none are given.

    `classes` is the number of training classes, 0 without classes. The scale of bce is learned unless it is
    given. `positive_share` is the least share of positive pairs if a pair loss forms pairs from a batch of
    classes. Parameters are initialized with torch's global generator. Raises UsageError for settings that the loss
    does not have, or that are outside their range, and MissingExtraError.
    """
    entry = loss_entry(name)
    _check_numbers(entry, {"margin": margin, "temperature": temperature, "scale": scale})
    _check_choices(entry, distance, miner)
    if entry.takes == ("classes",) and classes < 1:
        raise UsageError(f"Loss {name!r} has a proxy for each class and needs classes; there are {classes}")
    settings = Settings(
        dim,
        classes,
        _chosen(None if margin == SOFT else margin, entry.margin),
        margin == SOFT,
        _chosen(temperature, entry.temperature),
        _chosen(scale, entry.scale),
        scale is None,
        distance or entry.distance or "l2",
        miner,
        positive_share,
    )
    return BUILDERS[name](entry, settings)


def _chosen(given: float | str | None, default: float | None) -> float:
    return float(given if given is not None else default or 0.0)


def _check_numbers(entry: LossEntry, given: Mapping[str, float | str | None]) -> None:
    """Raises UsageError for a number that the loss does not have or that is out of range."""
    has = {"margin": entry.margin, "temperature": entry.temperature, "scale": entry.scale}
    for setting, value in given.items():
        if value is None:
            continue
        if has[setting] is None:
            able = ", ".join(other.name for other in LOSSES.values() if getattr(other, setting) is not None)
            raise UsageError(f"Loss {entry.name!r} has no {setting}; those that have one: {able}")
        if isinstance(value, str):
            if value != SOFT or entry.distance is None:
                raise UsageError(
                    f"margin must be a number for loss {entry.name!r}, not {value!r}; triplet takes 'soft'"
                )
        elif not 0 < value < ANGLES.get(entry.name if setting == "margin" else "", float("inf")):
            limit = f" and below {ANGLES[entry.name]:g} degrees" if setting == "margin" and entry.name in ANGLES else ""
            raise UsageError(f"{setting} must be above 0{limit}, not {value:g}")


def _check_choices(entry: LossEntry, distance: str | None, miner: str | None) -> None:
    """Raises UsageError for an unknown distance or miner, or one that the loss does not take."""
    if distance is not None and distance not in DISTANCES:
        raise UsageError(f"No distance {distance!r}; there are {', '.join(DISTANCES)}")
    if distance is not None and entry.distance is None:
        raise UsageError(f"Loss {entry.name!r} has no choice of distance; triplet has")
    if miner is not None and miner not in MINERS:
        raise UsageError(f"No miner {miner!r}; there are {', '.join(MINERS)}")
    if miner is not None and not entry.mines:
        able = ", ".join(other.name for other in LOSSES.values() if other.mines)
        raise UsageError(f"Loss {entry.name!r} takes no miner; those that do: {able}")


def _classifier(entry: LossEntry, settings: Settings) -> Loss:
    return Loss(entry, of_labels=CosineClassifier(settings.dim, settings.classes, settings.scale))


def _arcface(entry: LossEntry, settings: Settings) -> Loss:
    return Loss(entry, of_labels=ArcFace(settings.dim, settings.classes, settings.margin, settings.scale))


def _proxy_anchor(entry: LossEntry, settings: Settings) -> Loss:
    return Loss(entry, of_labels=ProxyAnchor(settings.dim, settings.classes, settings.margin, settings.scale))


def _supervised_contrastive(entry: LossEntry, settings: Settings) -> Loss:
    return Loss(entry, of_labels=partial(functional.supervised_contrastive, temperature=settings.temperature))


def _infonce(entry: LossEntry, settings: Settings) -> Loss:
    return Loss(
        entry,
        of_labels=partial(functional.infonce, temperature=settings.temperature),
        of_triplets=partial(functional.infonce_of_triplets, temperature=settings.temperature),
    )


def _multi_similarity(entry: LossEntry, settings: Settings) -> Loss:
    return Loss(entry, of_labels=MultiSimilarity(settings.margin, settings.scale))


def _triplet(entry: LossEntry, settings: Settings) -> Loss:
    margin = None if settings.soft else settings.margin
    return Loss(
        entry,
        of_labels=partial(functional.triplet, margin=margin, distance=settings.distance, miner=settings.miner or "all"),
        of_triplets=partial(functional.triplet_of_triplets, margin=margin, distance=settings.distance),
    )


def _angular(entry: LossEntry, settings: Settings) -> Loss:
    return Loss(
        entry,
        of_labels=Angular(settings.margin),
        of_triplets=partial(functional.angular_of_triplets, degrees=settings.margin),
    )


def _lifted(entry: LossEntry, settings: Settings) -> Loss:
    return Loss(entry, of_labels=partial(functional.lifted_structure, margin=settings.margin))


def _contrastive(entry: LossEntry, settings: Settings) -> Loss:
    return _of_pairs(entry, settings, partial(functional.contrastive, margin=settings.margin))


def _regression(entry: LossEntry, settings: Settings) -> Loss:
    return _of_pairs(entry, settings, functional.dot_regression)


def _bce(entry: LossEntry, settings: Settings) -> Loss:
    return _of_pairs(entry, settings, functional.ScoreCrossEntropy(settings.scale, learned=settings.learned))


def _cosent(entry: LossEntry, settings: Settings) -> Loss:
    return _of_pairs(entry, settings, partial(functional.cosent, scale=settings.scale))


def _of_pairs(entry: LossEntry, settings: Settings, formula: Callable[[Tensor, Tensor], Tensor]) -> Loss:
    return Loss(entry, of_scores=formula, miner=settings.miner, positive_share=settings.positive_share)


BUILDERS: Mapping[str, Callable[[LossEntry, Settings], Loss]] = MappingProxyType(
    {
        "classifier": _classifier,
        "arcface": _arcface,
        "proxy-anchor": _proxy_anchor,
        "supervised-contrastive": _supervised_contrastive,
        "infonce": _infonce,
        "multi-similarity": _multi_similarity,
        "triplet": _triplet,
        "angular": _angular,
        "lifted": _lifted,
        "contrastive": _contrastive,
        "dot": _regression,
        "bce": _bce,
        "cosine": _regression,
        "cosent": _cosent,
    }
)
"""By the names of the table of losses."""
