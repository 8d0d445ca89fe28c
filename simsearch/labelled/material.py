"""Labelled material for training and evaluation: one dataclass for images and texts from any source."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar

import numpy as np

from simsearch.types import Skip

if TYPE_CHECKING:
    from numpy.typing import NDArray

Modality: TypeAlias = Literal["image", "text"]
Kind: TypeAlias = Literal["classes", "pairs", "graded", "triplets", "unlabelled"]
KINDS: tuple[Kind, ...] = ("classes", "pairs", "graded", "triplets", "unlabelled")
Number = TypeVar("Number", bound="np.generic")
PARTITIONS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class Labelled:
    """Sources and their labels. A row is one pair or one triplet; other kinds have no rows."""

    modality: Modality
    kind: Kind
    sources: tuple[str, ...]
    """Paths of files, or the texts themselves. For pairs and triplets, each distinct source once."""
    labels: NDArray[np.int64] | None = None
    """The number of the class of each source."""
    classes: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    """The group of each class: the top folder of its path, or the group in a manifest, else the class itself."""
    pairs: NDArray[np.int64] | None = None
    """(m, 2) positions in `sources`."""
    same: NDArray[np.bool_] | None = None
    scores: NDArray[np.float32] | None = None
    """The score of each pair, scaled to [0, 1] by `score_range`."""
    score_range: tuple[float, float] | None = None
    """The scores of the file that are scaled to 0 and 1."""
    triplets: NDArray[np.int64] | None = None
    """(t, 3) positions in `sources`: anchor, positive, negative."""
    documents: NDArray[np.int64] | None = None
    """The document of each text, ascending: adjacent texts of a document are a positive pair."""
    partitions: NDArray[np.int8] | None = None
    """The partition of each row, or source where there are no rows, by the file: a position in PARTITIONS, or -1."""
    grouped: NDArray[np.int64] | None = None
    """The group that the file gives each row, or each source where there are no rows: a number of `group_names`."""
    group_names: tuple[str, ...] = ()
    lines: NDArray[np.int64] | None = None
    """The line, counted from 1, at which each row, or each source where there are no rows, starts in its file."""
    files: tuple[str, ...] = ()
    """The file of each text that was read from a folder."""
    skipped: tuple[Skip, ...] = ()

    @property
    def rows(self) -> NDArray[np.int64] | None:
        """The pairs or triplets, or None."""
        return self.pairs if self.pairs is not None else self.triplets

    def keep(self, positions: Sequence[int] | NDArray[np.int64]) -> Labelled:
        """The material with these sources only, in this order, each at most once.

        Pairs and triplets with a removed source are dropped. Classes keep their numbers.
        """
        kept = np.asarray(positions, dtype=np.int64)
        sources = tuple(self.sources[position] for position in kept)
        if self.rows is None:
            return replace(
                self,
                sources=sources,
                labels=_at(self.labels, kept),
                documents=_at(self.documents, kept),
                partitions=_at(self.partitions, kept),
                grouped=_at(self.grouped, kept),
                lines=_at(self.lines, kept),
                files=tuple(self.files[position] for position in kept) if self.files else (),
            )
        moved = np.full(len(self.sources), -1)
        moved[kept] = np.arange(len(kept))
        left = self.take(np.flatnonzero((moved[self.rows] >= 0).all(axis=1)))
        return replace(left, sources=sources, pairs=_at(moved, left.pairs), triplets=_at(moved, left.triplets))

    def take(self, rows: NDArray[np.int64]) -> Labelled:
        """The material with these pairs or triplets only, and all sources."""
        return replace(
            self,
            pairs=_at(self.pairs, rows),
            same=_at(self.same, rows),
            scores=_at(self.scores, rows),
            triplets=_at(self.triplets, rows),
            partitions=_at(self.partitions, rows),
            grouped=_at(self.grouped, rows),
            lines=_at(self.lines, rows),
        )


def _at(values: NDArray[Number] | None, positions: NDArray[np.int64] | None) -> NDArray[Number] | None:
    return None if values is None or positions is None else values[positions]


def text_contents(texts: Sequence[str]) -> tuple[bytes, ...]:
    """A digest of each text: equal for texts that differ in upper and lower case or in white space alone."""
    return tuple(
        hashlib.blake2b(" ".join(text.casefold().split()).encode("utf-8", "surrogatepass"), digest_size=16).digest()
        for text in texts
    )


def sorted_classes(known: Mapping[str, int], numbers: Sequence[int]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """The sorted names of the classes, and the labels `numbers` (numbered as in `known`) renumbered in that order."""
    classes = tuple(sorted(known))
    order = np.empty(len(classes), dtype=np.int64)
    order[[known[name] for name in classes]] = np.arange(len(classes))
    return classes, order[np.array(numbers, dtype=np.int64)]


def left_out(skipped: Sequence[Skip]) -> str:
    """A note for an error message on skipped sources and rows, which may be its cause; empty without any."""
    if not skipped:
        return ""
    first = skipped[0]
    return f" ({sum(skip.count for skip in skipped):,} skipped, the first: {first.path}: {first.reason})"
