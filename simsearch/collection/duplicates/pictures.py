"""Comparing pictures: equal pixels first, then a transformation that is proved."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from simsearch.collection.duplicates.contents import OUTDATED
from simsearch.duplicates.finding.evidence import Described, Evidence, describe, examine
from simsearch.duplicates.finding.kinds import SAME_PIXELS, kind_of, pixel_digest
from simsearch.duplicates.finding.pairs import Pairs, strongest
from simsearch.duplicates.finding.policy import sharpness
from simsearch.errors import MediaError
from simsearch.media.ahead import ahead
from simsearch.media.images import frames, metadata_entries, read_file
from simsearch.store import Compared, Look
from simsearch.types import Skip

if TYPE_CHECKING:
    from simsearch.collection.duplicates.contents import Contents

NEAREST = 20
"""Of the pairs below `COMPLETE`, each picture is compared with so many."""
COMPLETE = 0.97
"""From this cosine on all pairs are compared."""
ALIKE = 0.95
"""Equal pixels have equal embeddings but for the rounding of decoders."""
HELD = 800
"""Described pictures in memory, about 0.5 MB each."""
_ANY = 1e-9


def narrow(pairs: Pairs, reference: bool) -> Pairs:
    """The pairs that are worth comparing: all that are very close, and the nearest of each picture.

    With a reference the nearest of each picture of the collection.
    """
    near = pairs.scores >= COMPLETE
    rest = strongest(Pairs(pairs.left[~near], pairs.right[~near], pairs.scores[~near]), NEAREST, of_left=reference)
    return Pairs.joined([Pairs(pairs.left[near], pairs.right[near], pairs.scores[near]), rest])


def _look(described: Described, content: bytes) -> Look:
    return Look(sharpness(described.view.pixels), metadata_entries(content), frames(content))


class PictureExaminer:
    """Compares pictures, read from their files; what cannot be read is listed in `skipped`."""

    def __init__(self, contents: Contents) -> None:
        self._contents = contents
        self._held: OrderedDict[int, Described] = OrderedDict()
        self._digests: dict[int, str] = {}
        self._failed: dict[int, Skip] = {}
        self._turn = threading.Lock()

    @property
    def skipped(self) -> tuple[Skip, ...]:
        return tuple(self._failed.values())

    def __call__(self, pairs: Sequence[tuple[int, int, float]]) -> tuple[list[Compared], dict[bytes, Look]]:
        """The comparisons of pairs of which both can be read, and looks at the pictures that were read for them."""
        wanted = dict.fromkeys(number for left, right, _ in pairs for number in (left, right))
        missing = [number for number in wanted if number not in self._held and number not in self._failed]
        looks: dict[bytes, Look] = {}
        for number, described, look in ahead(self._described, missing):
            if described is not None and look is not None:
                self._held[number] = described
                looks[self._contents.rows[number].sha256] = look
        for number in wanted:
            if number in self._held:
                self._held.move_to_end(number)
        good = [pair for pair in pairs if pair[0] in self._held and pair[1] in self._held]
        rows = [row for row in ahead(self._compared, good) if row is not None]
        while len(self._held) > max(HELD, len(wanted)):
            self._held.popitem(last=False)
        return rows, looks

    def _described(self, number: int) -> tuple[int, Described | None, Look | None]:
        content = self._read(number)
        if content is None:
            return number, None, None
        try:
            described = describe(content)
            return number, described, _look(described, content)
        except MediaError as error:
            self._fail(number, str(error))
            return number, None, None

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

    def _compared(self, pair: tuple[int, int, float]) -> Compared | None:
        left, right, cosine = pair
        if self._contents.rows[left].sha256 > self._contents.rows[right].sha256:
            left, right = right, left
        one, other = self._contents.rows[left], self._contents.rows[right]
        if cosine >= ALIKE and (one.width, one.height) == (other.width, other.height):
            digests = self._digest(left), self._digest(right)
            if None in digests:
                return None
            if digests[0] == digests[1]:
                return Compared(one.sha256, other.sha256, cosine, SAME_PIXELS, "same pixels")
        evidence = examine(self._held[left], self._held[right])
        if evidence is None or evidence.score <= 0:
            return Compared(one.sha256, other.sha256, cosine, 0.0)
        agreement, matrix = evidence.agreement, self._matrix(evidence, left, right)
        shares = agreement.left, agreement.right, agreement.outside
        kind = kind_of(evidence, _ANY)
        return Compared(one.sha256, other.sha256, cosine, evidence.score, kind, matrix, *shares)

    def _matrix(self, evidence: Evidence, left: int, right: int) -> tuple[tuple[float, ...], ...]:
        matrix = evidence.on_originals(self._held[left].view, self._held[right].view)
        return tuple(tuple(float(number) for number in row) for row in np.round(matrix, 6))

    def _digest(self, number: int) -> str | None:
        """The checksum of the pixels; None where they cannot be read."""
        found = self._digests.get(number)
        if found is None and (content := self._read(number)) is not None:
            try:
                found = self._digests[number] = pixel_digest(content)
            except MediaError as error:
                self._fail(number, str(error))
        return found
