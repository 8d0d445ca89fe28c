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
    """Positions of the sources in each partition, rising; no two partitions share a content."""

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]
    by: str
    """What separates the partitions: "content" (classes are shared), "class", "group", or "given" by the file."""
    rows: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]] | None = None
    """Of pairs and triplets: the rows in each partition."""
    record: Mapping[str, JSONValue] = field(default_factory=dict)
    """How the split was made and what is in each partition, to be written down with the encoder."""


@dataclass(frozen=True, slots=True)
class _Asked:
    by: By
    counts: Counts
    validation: frozenset[str]
    test: frozenset[str]
    seed: int


def split(
    labelled: Labelled, contents: Sequence[bytes], *, by: By, counts: Counts, validation: Sequence[str] = (),
    test: Sequence[str] = (), seed: int,
) -> Split:  # fmt: skip
    """A split in which no content is in two partitions; `contents` are digests of the sources, equal for equal ones.

    "content" draws at random: in each class, or among rows so that those which share a content stay together, or
    among texts so that documents stay whole. "class" and "group" put no class, no group in two partitions; what
    would be in two by its content stays in the later one only. "given" takes the partitions of the file; where it
    names none for validation, and some is wanted, that is drawn from the training partition.

    `counts` are for train, validation and test: numbers up to 1 are shares, larger ones whole numbers, 0 leaves a
    partition empty. They count sources of each class ("content" with classes), else classes, groups or rows, and then
    training takes all that is left. `validation` and `test` name classes or groups to hold out instead. Pairs that are
    all of one kind measure nothing: a test partition of such is left empty.
    """
    if by not in BY:
        raise UsageError(f"no split by {by!r}; there are {', '.join(BY)}")
    if (validation or test) and by not in ("class", "group"):
        raise UsageError(f"--split {by} holds out nothing by name; use --split class or --split group")
    both = sorted(set(validation) & set(test))
    if both:
        raise UsageError(f"{both[0]!r} cannot be held out for validation and for test; name it once")
    if min(counts) < 0 or counts[0] == 0:
        raise UsageError(f"shares {counts[0]:g}, {counts[1]:g}, {counts[2]:g}: none can be negative, and train not 0")
    content = content_numbers(contents)
    asked = _Asked(by, counts, frozenset(validation), frozenset(test), seed)
    partition = _partitions(labelled, content, asked)
    if labelled.same is not None and len(np.unique(labelled.same[partition == 2])) < 2:
        partition[partition == 2] = -1
    return _split_of(labelled, content, contents, asked, partition)


def content_numbers(contents: Sequence[bytes]) -> NDArray[np.int64]:
    """The number of each content, equal for equal ones, counted from 0 in the order of their first appearance."""
    known: dict[bytes, int] = {}
    return np.array([known.setdefault(content, len(known)) for content in contents], dtype=np.int64)


def _points(labelled: Labelled, content: NDArray[np.int64]) -> NDArray[np.int64]:
    return content[:, None] if labelled.rows is None else content[labelled.rows]


def _partitions(labelled: Labelled, content: NDArray[np.int64], asked: _Asked) -> NDArray[np.int8]:
    """The partition of each row, or of each source where there are no rows."""
    points = _points(labelled, content)
    if asked.by == "given":
        return _given(labelled, content, points, asked)
    if asked.by != "content":
        unit, names, what = _units(labelled, asked.by)
        present, number = np.unique(unit, return_inverse=True)
        held_out = tuple(_named(labelled, asked.by, names, wanted) for wanted in (asked.validation, asked.test))
        partition_of_unit = partitions.of_units(
            [names[position] for position in present], what, asked.counts, (held_out[0], held_out[1]), asked.seed
        )
        return partitions.without_leaks(partition_of_unit[number], points)
    if labelled.kind == "classes":
        assert labelled.labels is not None
        return partitions.of_classes(labelled.labels, content, asked.counts, asked.seed)
    return partitions.of_rows(points, labelled.documents, asked.counts, asked.seed)


def _units(labelled: Labelled, by: By) -> tuple[NDArray[np.int64], tuple[str, ...], str]:
    """The number of each row's (or source's) class or group, the names of these, and what they are."""
    if by == "class":
        if labelled.labels is None:
            raise UsageError(f"{labelled.kind} have no classes to split by; use --split content")
        return labelled.labels, labelled.classes, "classes"
    if labelled.grouped is not None:
        return labelled.grouped, labelled.group_names, "groups"
    if labelled.labels is None:
        raise UsageError(f"these {labelled.kind} have no groups to split by: the file has no column 'group'")
    names, number = np.unique(np.array(labelled.groups), return_inverse=True)
    return number[labelled.labels], tuple(names.tolist()), "groups"


def _named(labelled: Labelled, by: By, names: Sequence[str], wanted: frozenset[str]) -> frozenset[str]:
    """The classes or groups that are meant; by class, the name of a group means all classes of it."""
    groups = labelled.groups if by == "class" else ()
    unknown = sorted(wanted - set(names) - set(groups))
    if unknown:
        raise TrainingError(f"no class or group {unknown[0]!r} to hold out; there are {', '.join(sorted(names)[:10])}")
    inside = {name for name, group in zip(labelled.classes, groups, strict=False) if group in wanted}
    return (wanted & set(names)) | inside


def _given(
    labelled: Labelled, content: NDArray[np.int64], points: NDArray[np.int64], asked: _Asked
) -> NDArray[np.int8]:
    if labelled.partitions is None:
        raise UsageError("the file gives no split: it has no column 'split'; use another --split")
    partition = partitions.without_leaks(labelled.partitions, points)
    if asked.counts[1] == 0 or (partition == 1).any():
        return partition
    training = np.flatnonzero(partition == 0)
    if not len(training):
        raise TrainingError("the column 'split' puts nothing into train")
    inner = _Asked(_inner_by(labelled, partition), (1.0, asked.counts[1], 0.0), frozenset(), frozenset(), asked.seed)
    if labelled.rows is None:
        partition[training] = _partitions(labelled.keep(training), content[training], inner)
    else:
        partition[training] = _partitions(labelled.take(training), content, inner)
    return partition


def _inner_by(labelled: Labelled, partition: NDArray[np.int8]) -> By:
    """By class where the file tests on classes that are not trained on, else by content."""
    if labelled.labels is None or not (partition == 2).any():
        return "content"
    shared = np.intersect1d(labelled.labels[partition == 0], labelled.labels[partition == 2])
    return "content" if len(shared) else "class"


def _split_of(
    labelled: Labelled,
    content: NDArray[np.int64],
    contents: Sequence[bytes],
    asked: _Asked,
    partition: NDArray[np.int8],
) -> Split:
    chosen = [np.flatnonzero(partition == number) for number in range(3)]
    rows = labelled.rows
    sources = chosen if rows is None else [np.unique(rows[positions]) for positions in chosen]
    record: dict[str, JSONValue] = {"by": asked.by, "seed": asked.seed, "counts": list(asked.counts)}
    for name, positions, taken in zip(PARTITIONS, sources, chosen, strict=True):
        distinct = np.unique(content[positions], return_index=True)[1]
        digest = hashlib.sha256(b"".join(sorted(contents[position] for position in positions[distinct])))
        told: dict[str, JSONValue] = {
            "sources": len(positions),
            "contents": len(distinct),
            "sha256": digest.hexdigest(),
        }
        if rows is not None:
            told["rows"] = len(taken)
        record[name] = told | _units_on(labelled, asked.by, taken)
    record["left_out"] = int((partition < 0).sum())
    record["contents_with_two_labels"] = contents_with_two_labels(labelled, content)
    train, validation, test = sources
    return Split(train, validation, test, asked.by, None if rows is None else (chosen[0], chosen[1], chosen[2]), record)


def _units_on(labelled: Labelled, by: By, chosen: NDArray[np.int64]) -> dict[str, JSONValue]:
    """Names of the classes or groups in a partition where these separate them, else how many classes there are."""
    if by in ("class", "group"):
        unit, names, what = _units(labelled, by)
        return {what: sorted(names[number] for number in np.unique(unit[chosen]))}
    return {} if labelled.labels is None else {"classes": len(np.unique(labelled.labels[chosen]))}


def contents_with_two_labels(labelled: Labelled, content: NDArray[np.int64]) -> int:
    """How many contents are in several classes, or how many pairs of contents are said to be the same and not."""
    # One number for each content (or pair of contents), and that with what is said of it: sorted faster than rows.
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


def check_split(labelled: Labelled, made: Split, contents: Sequence[bytes]) -> None:
    """Raises TrainingError where pairs cannot be made of a split: what is missing, and of which class.

    For training each class needs two different contents, and there must be two classes; on the other partitions some
    class must have two, if there is anything at all. Given pairs must be of both kinds.
    """
    content = content_numbers(contents)
    if labelled.labels is not None:
        for name, positions in zip(PARTITIONS, (made.train, made.validation, made.test), strict=True):
            _check_classes(name, labelled.classes, labelled.labels[positions], content[positions])
    elif labelled.same is not None and made.rows is not None:
        for name, rows in zip(PARTITIONS, made.rows, strict=True):
            if (name == "train" or len(rows)) and len(np.unique(labelled.same[rows])) < 2:
                raise TrainingError(
                    f"{len(labelled.same)} pairs are too few: after the split {name} has not both kinds of them"
                )


def _check_classes(
    partition: str, classes: Sequence[str], labels: NDArray[np.int64], content: NDArray[np.int64]
) -> None:
    distinct = np.unique(np.stack([labels, content], axis=1), axis=0)[:, 0]
    numbers, counts = np.unique(distinct, return_counts=True)
    if partition == "train":
        if len(numbers) < 2:
            raise TrainingError(f"{len(numbers)} classes are left to train on; at least 2 are needed")
        if counts.min() < 2:
            raise TrainingError(
                f"class {classes[numbers[counts.argmin()]]!r} has one source to train on (identical ones count once); "
                "pairs need at least 2: add to it or take it away"
            )
    elif len(numbers) == 1:
        raise TrainingError(
            f"only one class would be left for {partition}, so no pair of it could differ: {len(classes)} classes are "
            "too few to hold some out, use --split content"
        )
    elif len(numbers) and counts.max() < 2:
        raise TrainingError(f"no class has two different sources for {partition}; about 6 a class are needed")
