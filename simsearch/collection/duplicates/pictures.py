"""Comparing pictures: equal pixels first, then a transformation that is proved."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from simsearch.collection.duplicates.contents import OUTDATED
from simsearch.duplicates.finding.join import pairs_between, pairs_within
from simsearch.duplicates.finding.kinds import SAME_PIXELS, kind_of, pixel_digest
from simsearch.duplicates.finding.nearest import nearest_pairs
from simsearch.duplicates.finding.pairs import Pairs, strongest
from simsearch.duplicates.finding.policy import colorfulness, sharpness
from simsearch.duplicates.finding.proving import Examined, Prover, Source
from simsearch.errors import MediaError
from simsearch.media.ahead import ahead
from simsearch.media.image_facts import SMALL, frames, metadata_entries
from simsearch.media.images import read_file
from simsearch.store import Compared, Look
from simsearch.types import Skip

if TYPE_CHECKING:
    from simsearch.collection.duplicates.contents import Contents
    from simsearch.duplicates.finding.features import View

NEAREST = 10
"""Of the pairs below `COMPLETE`, each picture is compared with so many."""
COMPLETE = 0.97
"""From this cosine on all pairs are compared."""
ALIKE = 0.95
"""Equal pixels have equal embeddings but for the rounding of decoders."""
GRAY_NEAREST, GRAY_ALIKE = 5, 0.9
"""Each is compared with so many that are near by gray levels, from this correlation on: benchmarks/duplicates.py."""
_ANY = 1e-9


def strips(contents: Contents, first: int, cosine: float) -> Iterator[Pairs]:
    """Pairs that may be worth comparing: the nearest of each picture, and all that are very close.

    Of the collection those with a content from `first` on, or with a reference those of one of each.
    """
    vectors, reference = contents.vectors, contents.reference
    bounds, everything = (cosine, COMPLETE), range(len(vectors))
    if reference:
        own = range(contents.own)
        yield from nearest_pairs(vectors, NEAREST, bounds, own, reference)
        for strip in pairs_between(vectors[: own.stop], vectors[own.stop :], COMPLETE):
            yield Pairs(strip.left, strip.right + own.stop, strip.scores)
        return
    new = range(first, len(vectors))
    yield from nearest_pairs(vectors, NEAREST, bounds, new, everything)
    if first:
        yield from nearest_pairs(vectors, NEAREST, bounds, range(first), new)
    yield from pairs_within(vectors, COMPLETE, first=first)


def narrow(pairs: Pairs, reference: bool) -> Pairs:
    """The pairs that are worth comparing: all that are very close, and the nearest of each picture.

    With a reference the nearest of each picture of the collection.
    """
    near = pairs.scores >= COMPLETE
    rest = strongest(Pairs(pairs.left[~near], pairs.right[~near], pairs.scores[~near]), NEAREST, of_left=reference)
    return Pairs.joined([Pairs(pairs.left[near], pairs.right[near], pairs.scores[near]), rest])


def more(contents: Contents, first: int) -> Iterator[Pairs]:
    """Pairs that are near by a few gray levels, whatever their embeddings: strong blur and noise move those far.

    Images that an earlier version indexed have no gray levels, and plain ones have no contrast: these have no pairs.
    """
    rows = np.zeros((len(contents), SMALL * SMALL), dtype=np.float32)
    held = [number for number, row in enumerate(contents.rows) if row.small is not None]
    if held:
        levels = np.frombuffer(b"".join(contents.rows[n].small or b"" for n in held), np.uint8)
        rows[held] = levels.reshape(len(held), -1)
        rows -= rows.mean(axis=1, keepdims=True)
        rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1.0)
    own = range(contents.own) if contents.reference else range(first, len(rows))
    others = contents.reference or range(len(rows))
    parts = [nearest_pairs(rows, GRAY_NEAREST, (GRAY_ALIKE, 2.0), own, others)]
    if first and not contents.reference:
        parts.append(nearest_pairs(rows, GRAY_NEAREST, (GRAY_ALIKE, 2.0), range(first), own))
    for strip in chain.from_iterable(parts):
        vectors = contents.vectors
        yield Pairs(strip.left, strip.right, np.einsum("ij,ij->i", vectors[strip.left], vectors[strip.right]))


class PictureExaminer:
    """Compares pictures, read from their files; what cannot be read is listed in `skipped`."""

    def __init__(self, contents: Contents) -> None:
        self._contents = contents
        self._prover = Prover(Source(self._read, self._fail, self._look))
        self._looks: dict[bytes, Look] = {}
        self._digests: dict[int, str] = {}
        self._failed: dict[int, Skip] = {}
        self._turn = threading.Lock()

    @property
    def skipped(self) -> tuple[Skip, ...]:
        return tuple(self._failed.values())

    def __call__(self, pairs: Sequence[tuple[int, int, float]]) -> tuple[list[Compared], dict[bytes, Look]]:
        """The comparisons of pairs of which both can be read, and looks at the pictures that were looked at closely."""
        cosines = {self._ordered(left, right): cosine for left, right, cosine in pairs}
        equal = {pair for pair, same in ahead(self._same_pixels, cosines.items()) if same}
        rows = [self._row(pair, cosines[pair], SAME_PIXELS, "same pixels") for pair in sorted(equal)]
        self._prover.look(sorted(equal))
        for pair, examined in self._prover([pair for pair in cosines if pair not in equal]):
            rows.append(self._compared(pair, cosines[pair], examined))
        looks, self._looks = self._looks, {}
        return rows, looks

    def _ordered(self, left: int, right: int) -> tuple[int, int]:
        """The two by the checksums of their bytes, so that a pair is compared in one direction whatever its numbers."""
        rows = self._contents.rows
        return (right, left) if rows[left].sha256 > rows[right].sha256 else (left, right)

    def _look(self, number: int, content: bytes, view: View) -> None:
        look = Look(sharpness(view.pixels), metadata_entries(content), colorfulness(view.pixels), frames(content))
        with self._turn:
            self._looks[self._contents.rows[number].sha256] = look

    def _read(self, number: int) -> bytes | None:
        """The bytes of a content, from the first of its files that still holds them."""
        why = OUTDATED
        for path in self._contents.paths(number):
            try:
                content = read_file(path)
            except MediaError as error:
                why = str(error)
                continue
            if hashlib.sha256(content).digest() == self._contents.rows[number].sha256:
                return content
        self._fail(number, why)
        return None

    def _fail(self, number: int, why: str) -> None:
        with self._turn:
            self._failed[number] = Skip(self._contents.items[number][0].uri, why)

    def _same_pixels(self, candidate: tuple[tuple[int, int], float]) -> tuple[tuple[int, int], bool]:
        pair, cosine = candidate
        one, other = (self._contents.rows[number] for number in pair)
        if cosine < ALIKE or (one.width, one.height) != (other.width, other.height):
            return pair, False
        digests = [self._digest(number) for number in pair]
        return pair, digests[0] is not None and digests[0] == digests[1]

    def _compared(self, pair: tuple[int, int], cosine: float, examined: Examined | None) -> Compared:
        if examined is None or examined.evidence.score <= 0:
            return self._row(pair, cosine, 0.0)
        evidence = examined.evidence
        matrix = tuple(tuple(float(number) for number in row) for row in np.round(examined.matrix, 6))
        agreement = evidence.agreement
        shares = agreement.left, agreement.right, agreement.outside
        return self._row(pair, cosine, evidence.score, kind_of(evidence, _ANY), matrix, *shares)

    def _row(self, pair: tuple[int, int], cosine: float, score: float, *more: Any) -> Compared:
        one, other = (self._contents.rows[number].sha256 for number in pair)
        return Compared(one, other, cosine, score, *more)

    def _digest(self, number: int) -> str | None:
        """The checksum of the pixels; None where they cannot be read."""
        found = self._digests.get(number)
        if found is None and (content := self._read(number)) is not None:
            try:
                found = self._digests[number] = pixel_digest(content)
            except MediaError as error:
                self._fail(number, str(error))
        return found
