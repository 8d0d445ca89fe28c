"""Splits of labelled material into train, validation and test that do not leak, and the record of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from simsearch.errors import TrainingError, UsageError
from simsearch.labelled import partitions
from simsearch.labelled.material import PARTITIONS, Labelled
from simsearch.labelled.partitions import Counts
from simsearch.types import JSONValue

if TYPE_CHECKING:
    from numpy.typing import NDArray

By: TypeAlias = Literal["content", "class", "group", "given"]
BY: tuple[By, ...] = ("content", "class", "group", "given")


@dataclass(frozen=True, slots=True)
class Split:
    """Positions of the sources in each partition, ascending; no two partitions share a content."""

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]
    by: str
    """What separates the partitions: "content" (classes are shared), "class", "group", or "given" by the file."""
    rows: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]] | None = None
    """Of pairs and triplets: the rows in each partition."""
    record: Mapping[str, JSONValue] = field(default_factory=dict)
    """How the split was made and what is in each partition, stored with the encoder."""


@dataclass(frozen=True, slots=True)
class _Options:
    """The arguments of `split`."""

    by: By
    counts: Counts
    test: frozenset[str]
    seed: int


def split(
    labelled: Labelled,
    contents: Sequence[bytes],
    *,
    by: By,
    counts: Counts,
    test: Sequence[str] = (),
    seed: int,
) -> Split:
    """A split in which no content is in two partitions; `contents` are digests of the sources, equal for equal ones.

    "content" draws at random: within each class, or among rows so that those which share a content stay together, or
    among texts so that documents stay whole. "class" and "group" keep each class or group in one partition; a content
    that would be in two is kept in the later one only. "given" takes the partitions of the file; if it has no
    validation partition and one is wanted, that is drawn from the training partition.

    `counts` are for train, validation and test: numbers up to 1 are fractions, larger ones whole numbers, 0 leaves a
    partition empty. They count sources of each class ("content" with classes), else classes, groups or rows, and then
    training takes the rest. `test` names classes or groups to hold out instead. A test partition with
    pairs of one kind only would measure nothing, and is left empty.
    """
    if by not in BY:
        raise UsageError(f"no split by {by!r}; there are {', '.join(BY)}")
    if test and by not in ("class", "group"):
        raise UsageError(f"--split {by} cannot hold out classes by name; use --split class or --split group")
    if min(counts) < 0 or counts[0] == 0:
        raise UsageError(
            f"counts {counts[0]:g},{counts[1]:g},{counts[2]:g}: none may be negative, and that of train not 0"
        )
    content = content_numbers(contents)
    options = _Options(by, counts, frozenset(test), seed)
    partition = _partitions(labelled, content, options)
    if labelled.labels is not None:
        partition[_copies_in_single_classes(labelled.labels, content, partition == 0)] = -1
    if labelled.same is not None and len(np.unique(labelled.same[partition == 2])) < 2:
        partition[partition == 2] = -1
    return _split_of(labelled, content, contents, options, partition)


def content_numbers(contents: Sequence[bytes]) -> NDArray[np.int64]:
    """The number of each content, equal for equal ones, counted from 0 in the order of their first appearance."""
    known: dict[bytes, int] = {}
    return np.array([known.setdefault(content, len(known)) for content in contents], dtype=np.int64)


def _points(labelled: Labelled, content: NDArray[np.int64]) -> NDArray[np.int64]:
    return content[:, None] if labelled.rows is None else content[labelled.rows]


def _partitions(labelled: Labelled, content: NDArray[np.int64], options: _Options) -> NDArray[np.int8]:
    """The partition of each row, or of each source where there are no rows."""
    points = _points(labelled, content)
    if options.by == "given":
        return _given(labelled, content, points, options)
    if options.by != "content":
        unit, names, what = _units(labelled, options.by)
        present, number = np.unique(unit, return_inverse=True)
        held_out = _named(labelled, options.by, names, options.test)
        # A class of one content gives no pair to measure with, but is a negative in training.
        drawn = np.array([names[position] in held_out for position in present])
        drawn |= _has_pairs(labelled, number, points) if options.by == "class" else True
        partition_of_unit = np.zeros(len(present), dtype=np.int8)
        partition_of_unit[drawn] = partitions.of_units(
            [names[position] for position in present[drawn]],
            what,
            options.counts,
            held_out,
            options.seed,
        )
        return partitions.without_leaks(partition_of_unit[number], points)
    if labelled.kind == "classes":
        assert labelled.labels is not None
        return partitions.of_classes(labelled.labels, content, options.counts, options.seed)
    return partitions.of_rows(points, labelled.documents, options.counts, options.seed)


def _has_pairs(labelled: Labelled, number: NDArray[np.int64], points: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether each class, by number, has two distinct contents; any class can be in given pairs."""
    if labelled.kind != "classes":
        return np.ones(number.max(initial=-1) + 1, dtype=np.bool_)
    return _contents_of(number, points[:, 0]) > 1


def _contents_of(number: NDArray[np.int64], content: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many distinct contents each class has, by its number."""
    distinct = np.unique(np.stack([number, content], axis=1), axis=0)[:, 0]
    return np.bincount(distinct, minlength=number.max(initial=-1) + 1)


def _copies_in_single_classes(
    labels: NDArray[np.int64], content: NDArray[np.int64], training: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """The positions of copies in the train partition of those classes that have one content there: no pairs."""
    positions = np.flatnonzero(training)
    single = _contents_of(labels[positions], content[positions]) == 1
    positions = positions[single[labels[positions]]]
    first = np.unique(labels[positions], return_index=True)[1]
    return np.delete(positions, first)


def _units(labelled: Labelled, by: By) -> tuple[NDArray[np.int64], tuple[str, ...], str]:
    """The number of the class or group of each row (or source), their names, and the word for them."""
    if by == "class":
        if labelled.labels is None:
            raise UsageError(f"{labelled.kind} have no classes to split by; use --split content")
        return labelled.labels, labelled.classes, "classes"
    if labelled.grouped is not None:
        return labelled.grouped, labelled.group_names, "groups"
    if labelled.labels is None:
        raise UsageError(f"{labelled.kind} have no groups to split by: the file has no column 'group'")
    names, number = np.unique(np.array(labelled.groups), return_inverse=True)
    return number[labelled.labels], tuple(names.tolist()), "groups"


def _named(labelled: Labelled, by: By, names: Sequence[str], wanted: frozenset[str]) -> frozenset[str]:
    """The classes or groups with these names; by class, the name of a group stands for all its classes."""
    groups = labelled.groups if by == "class" else ()
    unknown = sorted(wanted - set(names) - set(groups))
    if unknown:
        raise TrainingError(f"no class or group {unknown[0]!r} to hold out; there are {', '.join(sorted(names)[:10])}")
    inside = {name for name, group in zip(labelled.classes, groups, strict=False) if group in wanted}
    return (wanted & set(names)) | inside


def _given(
    labelled: Labelled, content: NDArray[np.int64], points: NDArray[np.int64], options: _Options
) -> NDArray[np.int8]:
    if labelled.partitions is None:
        raise UsageError("--split given needs a column 'split' in the file; use another --split")
    partition = partitions.without_leaks(labelled.partitions, points)
    if options.counts[1] == 0 or (partition == 1).any():
        return partition
    training = np.flatnonzero(partition == 0)
    if not len(training):
        raise TrainingError("the column 'split' assigns nothing to train")
    inner = _Options(_inner_by(labelled, partition), (1.0, options.counts[1], 0.0), frozenset(), options.seed)
    if labelled.rows is None:
        partition[training] = _partitions(labelled.keep(training), content[training], inner)
    else:
        partition[training] = _partitions(labelled.take(training), content, inner)
    return partition


def _inner_by(labelled: Labelled, partition: NDArray[np.int8]) -> By:
    """By class if the test partition of the file has unseen classes only, else by content."""
    if labelled.labels is None or not (partition == 2).any():
        return "content"
    shared = np.intersect1d(labelled.labels[partition == 0], labelled.labels[partition == 2])
    return "content" if len(shared) else "class"


def _split_of(
    labelled: Labelled,
    content: NDArray[np.int64],
    contents: Sequence[bytes],
    options: _Options,
    partition: NDArray[np.int8],
) -> Split:
    chosen = [np.flatnonzero(partition == number) for number in range(3)]
    rows = labelled.rows
    sources = chosen if rows is None else [np.unique(rows[positions]) for positions in chosen]
    record: dict[str, JSONValue] = {"by": options.by, "seed": options.seed, "counts": list(options.counts)}
    for name, positions, taken in zip(PARTITIONS, sources, chosen, strict=True):
        distinct = np.unique(content[positions], return_index=True)[1]
        digest = hashlib.sha256(b"".join(sorted(contents[position] for position in positions[distinct])))
        entry: dict[str, JSONValue] = {
            "sources": len(positions),
            "contents": len(distinct),
            "sha256": digest.hexdigest(),
        }
        if rows is not None:
            entry["rows"] = len(taken)
        record[name] = entry | _units_in(labelled, options.by, taken)
    if labelled.labels is not None:
        counts = np.bincount(labelled.labels[chosen[0]], minlength=len(labelled.classes))
        record["one_example"] = [labelled.classes[number] for number in np.flatnonzero(counts == 1)]
    record["left_out"] = int((partition < 0).sum())
    record["contents_with_two_labels"] = contents_with_two_labels(labelled, content)
    train, validation, test = sources
    return Split(
        train, validation, test, options.by, None if rows is None else (chosen[0], chosen[1], chosen[2]), record
    )


def _units_in(labelled: Labelled, by: By, chosen: NDArray[np.int64]) -> dict[str, JSONValue]:
    """The names of the classes or groups in a partition if the split is by these, else the number of classes."""
    if by in ("class", "group"):
        unit, names, what = _units(labelled, by)
        return {what: sorted(names[number] for number in np.unique(unit[chosen]))}
    return {} if labelled.labels is None else {"classes": len(np.unique(labelled.labels[chosen]))}


def contents_with_two_labels(labelled: Labelled, content: NDArray[np.int64]) -> int:
    """The number of contents in several classes, or of pairs of contents that are labelled both same and different."""
    # One number for each content (or pair of contents), and one for it with its label: sorted faster than rows.
    if labelled.labels is not None:
        named = content
        both = content * (len(labelled.classes) + 1) + labelled.labels
    elif labelled.pairs is not None and labelled.same is not None:
        low, high = np.sort(content[labelled.pairs], axis=1).T
        named = low * (content.max(initial=0) + 1) + high
        both = named * 2 + labelled.same
    else:
        return 0
    _, first = np.unique(both, return_index=True)
    return int((np.unique(named[first], return_counts=True)[1] > 1).sum())
