"""Which part of the data is evaluated on, and remarks about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simsearch.encoders.folder import EncoderConfig
from simsearch.errors import UsageError
from simsearch.labelled.material import PARTITIONS
from simsearch.media.arguments import check_fields

if TYPE_CHECKING:
    from simsearch.labelled.material import Labelled
    from simsearch.types import Encoder, JSONValue


@dataclass(frozen=True, slots=True)
class Provenance:
    """What the record of an encoder's training contains about classes, or groups of them."""

    seen: frozenset[str]
    """Classes of the train and validation partitions; empty when the record does not name them."""
    held_out: frozenset[str]
    threshold: float | None
    """The best threshold for the pairs of the validation partition."""


def provenance(encoder: Encoder) -> Provenance:
    """The provenance in `training` and `figures` of encoder.json; empty without one."""
    config = getattr(encoder, "config", None)
    if not isinstance(config, EncoderConfig):
        return Provenance(frozenset(), frozenset(), None)
    seen = seen_in(config.training)
    held_out = {*_texts(config.training.get("held_out"))}
    if not config.training.get("seen_before"):
        # Else a group of the test partition may have classes that the initial encoder was trained on.
        held_out |= {*_on(config.training, "test")}
    threshold = config.figures.get("threshold")
    return Provenance(seen, frozenset(held_out), float(threshold) if isinstance(threshold, float) else None)


def seen_in(training: Mapping[str, JSONValue]) -> frozenset[str]:
    """The classes, or groups of them, that a training record names as used for training or validation.

    Includes those of the initial encoder or teacher (`seen_before`), and of concatenated encoders (`joined`). Older
    records name those of a split by class alone.
    """
    names = {*_on(training, "train"), *_on(training, "validation")}
    names |= {*_texts(training.get("learned")), *_texts(training.get("seen_before"))}
    joined = training.get("joined")
    for member in joined if isinstance(joined, list) else ():
        inner = member.get("training") if isinstance(member, Mapping) else None
        names |= seen_in(inner) if isinstance(inner, Mapping) else set()
    return frozenset(names)


def _on(training: Mapping[str, JSONValue], partition: str) -> Iterator[str]:
    split = training.get("split_record")
    return _names(split.get(partition)) if isinstance(split, Mapping) else iter(())


def _names(partition: JSONValue) -> Iterator[str]:
    """The classes or groups that the record of a partition names."""
    if isinstance(partition, Mapping):
        for what in ("classes", "groups"):
            yield from _texts(partition.get(what))


def _texts(values: JSONValue) -> Iterator[str]:
    if isinstance(values, list):
        yield from (value for value in values if isinstance(value, str))


@dataclass(frozen=True, slots=True)
class Selection:
    """What to evaluate on: a partition of the data, classes or groups by name, or the held-out classes."""

    partition: str | None = None
    tests: tuple[str, ...] = ()
    held_out: bool = False

    def __post_init__(self) -> None:
        check_fields(self)


def select(data: Labelled, chosen: Selection, known: Provenance) -> tuple[Labelled, tuple[str, ...]]:
    """The data to evaluate on, and remarks about it.

    By default it is the test partition if the data has one, else all. Raises UsageError when nothing is left.
    """
    data, remarks = _partition(data, chosen.partition)
    wanted = set(chosen.tests)
    if chosen.held_out:
        if not known.held_out:
            raise UsageError(
                "--held-out: the encoder's record names no held-out classes: it was not trained with --split class, or "
                "its initial encoder or teacher had been trained on them, or there is no record. Name classes with "
                "--test"
            )
        wanted |= known.held_out
    if wanted:
        data = _of_classes(data, wanted, chosen.tests)
    return data, (*remarks, *_warnings(data, known))


def _partition(data: Labelled, partition: str | None) -> tuple[Labelled, tuple[str, ...]]:
    if partition not in (None, "all", *PARTITIONS):
        raise UsageError(f"no partition {partition!r}; there are {', '.join(PARTITIONS)} and all")
    if data.partitions is None:
        if partition not in (None, "all"):
            raise UsageError(f"--partition {partition}: the data has no partitions: it has no column 'split'")
        return data, ()
    if partition is None:
        partition = "test" if (data.partitions == 2).any() else "all"
    if partition == "all":
        return data, ("Evaluated on all partitions of the data, including train.",)
    rows = np.flatnonzero(data.partitions == PARTITIONS.index(partition))
    if not len(rows):
        raise UsageError(f"--partition {partition}: the data has no rows in this partition")
    total = len(data.partitions)
    remark = f"Evaluated on the {partition} partition of the data, {len(rows):,} of {total:,} rows."
    return (data.keep(rows) if data.rows is None else used_only(data.take(rows))), (remark,)


def used_only(data: Labelled) -> Labelled:
    """The data without the sources that no pair or triplet uses."""
    return data if data.rows is None else data.keep(np.unique(data.rows))


def _of_classes(data: Labelled, wanted: set[str], named: Sequence[str]) -> Labelled:
    if data.labels is None:
        raise UsageError(f"{data.kind} have no classes to choose from; omit --test and --held-out")
    unknown = sorted(set(named) - set(data.classes) - set(data.groups))
    if unknown:
        raise UsageError(f"no class or group {unknown[0]!r}; there are {', '.join(sorted(set(data.groups))[:10])}")
    chosen = [name in wanted or group in wanted for name, group in zip(data.classes, data.groups, strict=True)]
    rows = np.flatnonzero(np.array(chosen)[data.labels])
    if not len(rows):
        raise UsageError(
            f"none of the {len(data.classes)} classes ({data.classes[0]}, ...) is among the {len(wanted)} that were "
            f"held out of the encoder's training ({min(wanted)}, ...); give the data that it was trained on"
        )
    return data.keep(rows)


def _warnings(data: Labelled, known: Provenance) -> Iterator[str]:
    """Warnings about classes of the data that were trained on, as far as the record shows."""
    if data.labels is None:
        return
    present = np.unique(data.labels)
    names = [(data.classes[number], data.groups[number]) for number in present]
    seen = sum(name in known.seen or group in known.seen for name, group in names)
    if seen:
        cure = " --held-out leaves them out." if known.held_out else ""
        yield f"{seen} of {len(names)} classes were trained on, by their names, so the figures are too high.{cure}"
        return
    unseen = sum(name in known.held_out or group in known.held_out for name, group in names)
    if 0 < unseen < len(names) and not known.seen:
        yield (
            f"{len(names) - unseen} of {len(names)} classes are not among those held out of the encoder's training: if "
            "they were trained on, the figures are too high. --held-out leaves them out."
        )
