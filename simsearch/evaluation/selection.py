"""Which part of the material is judged, and what must be said about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simsearch.encoders.folder import EncoderConfig
from simsearch.errors import UsageError
from simsearch.labelled.material import PARTITIONS

if TYPE_CHECKING:
    from simsearch.labelled.material import Labelled
    from simsearch.types import Encoder, JSONValue


@dataclass(frozen=True, slots=True)
class Provenance:
    """What an encoder's record tells of the classes, or groups of them, that it was made with."""

    seen: frozenset[str]
    """Trained on, or chosen by; empty when the record does not name them."""
    held_out: frozenset[str]
    threshold: float | None
    """The score that parted the pairs of its validation side best."""


def provenance(encoder: Encoder) -> Provenance:
    """What encoder.json says under `training` and `figures`; without one it is empty."""
    config = getattr(encoder, "config", None)
    if not isinstance(config, EncoderConfig):
        return Provenance(frozenset(), frozenset(), None)
    seen = seen_in(config.training)
    held_out = {*_texts(config.training.get("held_out"))}
    if not config.training.get("seen_before"):
        # Else a group on the test side may have classes that were seen before.
        held_out |= {*_on(config.training, "test")}
    threshold = config.figures.get("threshold")
    return Provenance(seen, frozenset(held_out), float(threshold) if isinstance(threshold, float) else None)


def seen_in(training: Mapping[str, JSONValue]) -> frozenset[str]:
    """The classes, or groups of them, that a record of a training names as trained on or chosen by.

    Also those of the encoders that it began with or was taught by (`seen_before`), or that were joined. Older
    records name those of a split by class alone.
    """
    names = {*_on(training, "train"), *_on(training, "validation")}
    names |= {*_texts(training.get("learned")), *_texts(training.get("seen_before"))}
    joined = training.get("joined")
    for member in joined if isinstance(joined, list) else ():
        inner = member.get("training") if isinstance(member, Mapping) else None
        names |= seen_in(inner) if isinstance(inner, Mapping) else set()
    return frozenset(names)


def _on(training: Mapping[str, JSONValue], side: str) -> Iterator[str]:
    split = training.get("split_record")
    return _names(split.get(side)) if isinstance(split, Mapping) else iter(())


def _names(side: JSONValue) -> Iterator[str]:
    """The classes or groups that the record of a side names."""
    if isinstance(side, Mapping):
        for what in ("classes", "groups"):
            yield from _texts(side.get(what))


def _texts(values: JSONValue) -> Iterator[str]:
    if isinstance(values, list):
        yield from (value for value in values if isinstance(value, str))


@dataclass(frozen=True, slots=True)
class Selection:
    """What the user asked to judge on: a side of the material, classes or groups by name, or those held out."""

    side: str | None = None
    tests: tuple[str, ...] = ()
    held_out: bool = False


def select(data: Labelled, chosen: Selection, known: Provenance) -> tuple[Labelled, tuple[str, ...]]:
    """The material that is judged, and remarks on it.

    Without a choice it is the test side where the material names one, else all. Raises UsageError when nothing is left.
    """
    data, remarks = _side(data, chosen.side)
    wanted = set(chosen.tests)
    if chosen.held_out:
        if not known.held_out:
            raise UsageError(
                "--held-out: the encoder's record names no classes that were held out: it was not trained with "
                "--split class, or what it began with or was taught by had learned them, or no record was kept. Name "
                "classes with --test"
            )
        wanted |= known.held_out
    if wanted:
        data = _of_classes(data, wanted, chosen.tests)
    return data, (*remarks, *_warnings(data, known))


def _side(data: Labelled, side: str | None) -> tuple[Labelled, tuple[str, ...]]:
    if side not in (None, "all", *PARTITIONS):
        raise UsageError(f"no side {side!r}; there are {', '.join(PARTITIONS)} and all")
    if data.partitions is None:
        if side not in (None, "all"):
            raise UsageError(f"--side {side}: the material names no sides: it has no column 'split'")
        return data, ()
    if side is None:
        side = "test" if (data.partitions == 2).any() else "all"
    if side == "all":
        return data, ("All sides of the material were judged, also the one for training.",)
    rows = np.flatnonzero(data.partitions == PARTITIONS.index(side))
    if not len(rows):
        raise UsageError(f"--side {side}: nothing in the material is on that side")
    total = len(data.partitions)
    remark = f"Judged on the {side} side of the material, {len(rows):,} of {total:,} rows."
    return (data.keep(rows) if data.rows is None else used_only(data.take(rows))), (remark,)


def used_only(data: Labelled) -> Labelled:
    """The same without the sources that no pair or triplet uses."""
    return data if data.rows is None else data.keep(np.unique(data.rows))


def _of_classes(data: Labelled, wanted: set[str], named: Sequence[str]) -> Labelled:
    if data.labels is None:
        raise UsageError(f"{data.kind} have no classes to choose from; leave --test and --held-out away")
    unknown = sorted(set(named) - set(data.classes) - set(data.groups))
    if unknown:
        raise UsageError(f"no class or group {unknown[0]!r}; there are {', '.join(sorted(set(data.groups))[:10])}")
    chosen = [name in wanted or group in wanted for name, group in zip(data.classes, data.groups, strict=True)]
    rows = np.flatnonzero(np.array(chosen)[data.labels])
    if not len(rows):
        raise UsageError(
            f"none of the {len(data.classes)} classes ({data.classes[0]}, ...) is among the {len(wanted)} that the "
            f"encoder held out ({min(wanted)}, ...); give the folder that it was trained on"
        )
    return data.keep(rows)


def _warnings(data: Labelled, known: Provenance) -> Iterator[str]:
    """Whether classes of the material were trained on, as far as the record tells."""
    if data.labels is None:
        return
    present = np.unique(data.labels)
    names = [(data.classes[number], data.groups[number]) for number in present]
    seen = sum(name in known.seen or group in known.seen for name, group in names)
    if seen:
        cure = " --held-out leaves them out." if known.held_out else ""
        yield f"{seen} of {len(names)} classes were trained on, by their names: the figures flatter.{cure}"
        return
    unseen = sum(name in known.held_out or group in known.held_out for name, group in names)
    if 0 < unseen < len(names) and not known.seen:
        yield (
            f"{len(names) - unseen} of {len(names)} classes are not among those that the encoder held out: if they "
            "were trained on, the figures flatter. --held-out leaves them out."
        )
