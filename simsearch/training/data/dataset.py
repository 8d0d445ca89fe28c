"""The data that a run trains, validates and tests on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from simsearch.errors import TrainingError
from simsearch.labelled.forgeries import writers_of
from simsearch.labelled.reading import Kind, Labelled, text_contents
from simsearch.labelled.split_checks import check_split
from simsearch.labelled.splits import By, Split, split
from simsearch.media.images import PixelSpec
from simsearch.progress import Progress
from simsearch.training.data.forgeries import genuine_only, with_forgeries
from simsearch.training.data.images import load_pictures
from simsearch.training.data.inputs import Arrays, Inputs
from simsearch.training.data.partition import Partition
from simsearch.training.data.texts import tokenized
from simsearch.training.data.tokenization import learned_tokenizer
from simsearch.training.networks.specification import TextSpec
from simsearch.training.recipes import Recipe
from simsearch.types import Skip

if TYPE_CHECKING:
    from numpy.typing import NDArray


LEAST_GRADED = 3
"""The least number of pairs for a rank correlation."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """Inputs and their labels, split into train, validation and test partitions."""

    kind: Kind
    modality: str
    inputs: Inputs
    sources: tuple[str, ...]
    """The file, or the text, of each row of the inputs."""
    train: Partition
    validation: Partition
    test: Partition
    classes: tuple[str, ...]
    """Names of the classes, () where there are none."""
    split: Split
    digest: str
    """SHA-256 over the contents and the split: a resumed run must find the same."""
    copies: int
    skipped: tuple[Skip, ...]
    tokenizer: bytes = b""
    """The tokenizer.json of the inputs, if they are texts."""
    vocabulary: int = 0
    """The number of token ids."""
    groups: tuple[str, ...] = ()
    """The group of each class, () where there are no classes."""

    @property
    def training_classes(self) -> int:
        """The number of classes in the train partition, without forgeries."""
        labels = genuine_only(self.train).labels
        return 0 if labels is None else len(np.unique(labels))


def load_dataset(
    labelled: Labelled, recipe: Recipe, *, test: Sequence[str], tokenizer: bytes, cache: Path, progress: Progress
) -> Dataset:
    """Decodes images or tokenizes texts, and splits them without leaks.

    Decoded images are cached in the file `cache`. `tokenizer` is the content of a tokenizer.json; if it is empty, one
    is trained on the train partition.
    """
    if isinstance(recipe.model, TextSpec):
        return _of_texts(labelled, recipe, recipe.model, test, tokenizer)
    spec = PixelSpec(recipe.model.width, recipe.model.height, recipe.model.channels, recipe.fit)
    pictures = load_pictures(labelled.sources, spec, cache, progress)
    readable = labelled.keep(pictures.positions)
    divided = _split(readable, pictures.contents, recipe, test)
    skipped = (*labelled.skipped, *pictures.skipped)
    return _dataset(readable, pictures.contents, divided, Arrays(pictures.pixels), skipped)


def _of_texts(labelled: Labelled, recipe: Recipe, spec: TextSpec, test: Sequence[str], tokenizer: bytes) -> Dataset:
    contents = text_contents(labelled.sources)
    divided = _split(labelled, contents, recipe, test)
    if not tokenizer:
        known = [labelled.sources[position] for position in divided.train]
        tokenizer = learned_tokenizer(known, size=spec.vocabulary - spec.codes)
    cut = tokenized(labelled.sources, tokenizer, spec)
    if len(cut.positions) < len(labelled.sources):
        labelled = labelled.keep(cut.positions)
        contents = text_contents(labelled.sources)
        divided = _split(labelled, contents, recipe, test)
    made = _dataset(labelled, contents, divided, cut.tokens, (*labelled.skipped, *cut.skipped))
    return replace(made, tokenizer=tokenizer, vocabulary=cut.vocabulary)


def _split(labelled: Labelled, contents: Sequence[bytes], recipe: Recipe, test: Sequence[str]) -> Split:
    by: By = recipe.split if labelled.kind == "classes" or recipe.split in ("group", "given") else "content"
    divided = split(labelled, contents, by=by, counts=recipe.counts, test=test, seed=recipe.seed)
    needed = _needed(recipe)
    check_split(labelled, divided, contents, needed)
    if labelled.scores is not None and divided.rows is not None and min(map(len, divided.rows[:2])) < LEAST_GRADED:
        raise TrainingError(
            f"{len(labelled.scores)} graded pairs are too few: after the split {len(divided.rows[1])} are left for "
            f"validation, at least {LEAST_GRADED} are needed; pairs sharing an input stay in one partition"
        )
    if not len(divided.train):
        raise TrainingError(f"no training data left after the split of {len(labelled.sources)} sources; add more")
    if not len(divided.validation) and recipe.counts[1]:
        raise TrainingError(f"too few: of {len(labelled.sources)} none are left for validation; {needed}")
    return divided


def _needed(recipe: Recipe) -> str:
    """How many sources of a class the recipe takes, for an error."""
    if recipe.split != "content" or max(recipe.counts) <= 1:
        return "about 6 in each class are needed"
    counts = " + ".join(f"{count:g}" for count in recipe.counts)
    return (
        f"preset {recipe.name!r} takes {counts} of each class for training, validation and test: add some, or set "
        "fractions with --set counts=0.6,0.2,0.2"
    )


def _dataset(
    labelled: Labelled, contents: Sequence[bytes], divided: Split, inputs: Inputs, skipped: tuple[Skip, ...]
) -> Dataset:
    rows = divided.rows or (None, None, None)
    parts = zip((divided.train, divided.validation, divided.test), rows, strict=True)
    train, validation, test = (_partition(labelled, positions, chosen) for positions, chosen in parts)
    return Dataset(
        labelled.kind,
        labelled.modality,
        inputs,
        labelled.sources,
        train,
        validation,
        test,
        labelled.classes,
        divided,
        _digest(contents, train),
        len(contents) - len(set(contents)),
        skipped,
        groups=labelled.groups,
    )


def _partition(labelled: Labelled, positions: NDArray[np.int64], chosen: NDArray[np.int64] | None) -> Partition:
    """The sources at these positions, or the chosen pairs or triplets with the sources at these positions."""
    if chosen is not None:
        part = labelled.take(chosen)
        pairs, triplets = (
            None if values is None else np.searchsorted(positions, values) for values in (part.pairs, part.triplets)
        )
        return Partition(positions, pairs=pairs, same=part.same, scores=part.scores, triplets=triplets)
    labels = None if labelled.labels is None else labelled.labels[positions]
    groups = None
    if labels is not None and len(set(labelled.groups)) < len(labelled.classes):
        groups = np.unique(np.array(labelled.groups), return_inverse=True)[1][labels]
    partition = Partition(positions, labels, groups, neighbours=_neighbours(labelled, positions))
    return with_forgeries(partition, writers_of(labelled.classes))


def _neighbours(labelled: Labelled, positions: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """The index in `positions` of the text that follows each one in its document, -1 for none."""
    if labelled.documents is None:
        return None
    following = np.append(np.diff(positions) == 1, False)
    same = np.append(np.diff(labelled.documents[positions]) == 0, False)
    return np.where(following & same, np.arange(1, len(positions) + 1), -1)


def _digest(contents: Sequence[bytes], train: Partition) -> str:
    digest = hashlib.sha256(b"".join(contents))
    for values in (train.rows, train.labels, train.pairs, train.same, train.scores, train.triplets, train.neighbours):
        if values is not None:
            digest.update(values.tobytes())
    return digest.hexdigest()
