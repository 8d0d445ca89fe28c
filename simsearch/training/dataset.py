"""What a run trains, validates and tests on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from simsearch.errors import TrainingError
from simsearch.media.images import IMAGE_SUFFIXES, PixelSpec
from simsearch.media.labelled import (
    LabelledFiles,
    Split,
    read_class_folders,
    read_pairs,
    split_by_class,
    split_by_content,
)
from simsearch.progress import Progress
from simsearch.training.pictures import Pictures, load_pictures
from simsearch.training.recipes import Recipe
from simsearch.training.sampling import ClassSampler, PairSampler, Sampler
from simsearch.types import Skip

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Side:
    """One side of the split: labelled pictures, or given pairs of them. Numbers are rows of the pixels."""

    rows: NDArray[np.int64]
    labels: NDArray[np.int64] | None = None
    pairs: NDArray[np.int64] | None = None
    """(m, 2) positions within `rows`."""
    same: NDArray[np.bool_] | None = None
    groups: NDArray[np.int64] | None = None
    """The group of each picture, where classes come in groups."""


@dataclass(frozen=True, slots=True)
class Dataset:
    pixels: NDArray[np.uint8]
    paths: tuple[str, ...]
    """The file of each row of the pixels."""
    train: Side
    validation: Side
    test: Side
    classes: tuple[str, ...]
    """Names of the classes, () for given pairs."""
    split: str
    sampler: Sampler
    digest: str
    """SHA-256 over the contents and the split: a resumed run must find the same."""
    copies: int
    skipped: tuple[Skip, ...]

    @property
    def training_classes(self) -> int:
        return len(np.unique(self.train.labels)) if self.train.labels is not None else 0


def load_dataset(
    source: Path, recipe: Recipe, *, test: Sequence[str], convention: str | None, cache: Path, progress: Progress
) -> Dataset:
    """Reads class folders, or a CSV file of pairs, and splits them without leaks."""
    spec = PixelSpec(recipe.model.width, recipe.model.height, recipe.model.channels, recipe.fit)
    if source.is_dir():
        files = read_class_folders(source, IMAGE_SUFFIXES)
        return _of_classes(files, load_pictures(files.paths, spec, cache, progress), recipe, test)
    if not source.exists():
        raise TrainingError(f"{source} does not exist; give a folder of class folders, or a CSV file of pairs")
    return _of_pairs(source, spec, recipe, convention, cache, progress)


def _of_classes(files: LabelledFiles, pictures: Pictures, recipe: Recipe, test: Sequence[str]) -> Dataset:
    paths = tuple(files.paths[position] for position in pictures.positions)
    labels = files.labels[pictures.positions]
    readable = LabelledFiles(paths, labels, files.classes, files.groups)
    if recipe.split == "class":
        shares = (recipe.counts[1], recipe.counts[2])
        split = split_by_class(readable, pictures.contents, shares=shares, test=test, seed=recipe.seed)
    else:
        split = split_by_content(labels, pictures.contents, counts=recipe.counts, seed=recipe.seed)
    _check_classes(split, labels, files.classes)
    _, group = np.unique(np.array(files.groups), return_inverse=True)
    grouped = group[labels] if len(set(files.groups)) < len(files.classes) else None
    train, validation, tested = (
        Side(rows, labels[rows], groups=None if grouped is None else grouped[rows])
        for rows in (split.train, split.validation, split.test)
    )
    dense = np.unique(labels[split.train], return_inverse=True)[1]
    sampler = ClassSampler(
        dense, rows=split.train, classes=recipe.batch_classes, images=recipe.batch_images, seed=recipe.seed
    )
    return Dataset(
        pictures.pixels, paths, train, validation, tested, files.classes, split.by, sampler,
        _digest(pictures.contents, split.train, labels[split.train]),
        len(paths) - len(set(pictures.contents)), (*files.skipped, *pictures.skipped),
    )  # fmt: skip


def _check_classes(split: Split, labels: NDArray[np.int64], classes: Sequence[str]) -> None:
    numbers, counts = np.unique(labels[split.train], return_counts=True)
    if len(numbers) < 2:
        raise TrainingError(f"{len(numbers)} classes are left to train on; at least 2 are needed")
    if counts.min() < 2:
        name = classes[numbers[counts.argmin()]]
        raise TrainingError(
            f"class {name!r} has one picture to train on (identical ones count once); pairs need at least 2: "
            "add pictures or take the folder away"
        )
    for side, rows in (("validation", split.validation), ("test", split.test)):
        if len(rows) and len(np.unique(labels[rows])) < 2:
            raise TrainingError(
                f"only one class would be left for {side}, so no pair of it could differ: {len(classes)} classes are "
                "too few to hold some out, use --split content"
            )
        if len(rows) and np.unique(labels[rows], return_counts=True)[1].max() < 2:
            raise TrainingError(
                f"too few pictures: no class has two different ones for {side}; about 6 a class are needed"
            )
    if not len(split.validation):
        raise TrainingError("too few pictures: none are left for validation; about 6 a class are needed")


def _of_pairs(
    source: Path, spec: PixelSpec, recipe: Recipe, convention: str | None, cache: Path, progress: Progress
) -> Dataset:
    if recipe.loss not in ("contrastive", "dot"):
        raise TrainingError(f"loss {recipe.loss!r} needs class folders; pairs can be learned with contrastive or dot")
    given = read_pairs(source, convention=convention)
    pictures = load_pictures(given.paths, spec, cache, progress)
    row = np.full(len(given.paths), -1)
    row[pictures.positions] = np.arange(len(pictures.positions))
    pairs = row[given.pairs]
    readable = (pairs >= 0).all(axis=1)
    pairs, same = pairs[readable], given.same[readable]
    train, validation, test = _split_pairs(pairs, same, pictures.contents, recipe)
    assert train.pairs is not None and train.same is not None
    sampler = PairSampler(train.rows[train.pairs], train.same, count=recipe.batch_pairs, seed=recipe.seed)
    return Dataset(
        pictures.pixels, tuple(given.paths[position] for position in pictures.positions),
        train, validation, test, (), "content", sampler,
        _digest(pictures.contents, train.rows[train.pairs], train.same),
        len(pictures.contents) - len(set(pictures.contents)), pictures.skipped,
    )  # fmt: skip


def _split_pairs(
    pairs: NDArray[np.int64], same: NDArray[np.bool_], contents: Sequence[bytes], recipe: Recipe
) -> tuple[Side, Side, Side]:
    """Pairs whose contents are all on one side; a pair with a foot on two sides is used on none."""
    _, content = np.unique(np.array(contents, dtype=object), return_inverse=True)
    order = np.random.default_rng(recipe.seed).random(content.max() + 1)
    # Both pictures of a pair fall on one side with the square of its share: give the side for training more.
    side_of = np.where(order < 0.7, 0, np.where(order < 0.85, 1, 2))[content]
    sides = []
    for number in range(3):
        inside = (side_of[pairs] == number).all(axis=1)
        if len(set(same[inside].tolist())) < 2:
            if number < 2:
                raise TrainingError(
                    f"{len(pairs)} pairs are too few: after the split no pairs of both kinds are left on a side"
                )
            # Nothing can be measured on pairs of one kind: the run goes without a test.
            inside[:] = False
        rows, positions = np.unique(pairs[inside], return_inverse=True)
        sides.append(Side(rows, pairs=positions.reshape(-1, 2), same=same[inside]))
    return sides[0], sides[1], sides[2]


def _digest(contents: Sequence[bytes], *arrays: NDArray[np.int64] | NDArray[np.bool_]) -> str:
    digest = hashlib.sha256(b"".join(contents))
    for array in arrays:
        digest.update(array.tobytes())
    return digest.hexdigest()
