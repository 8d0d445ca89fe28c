"""Pairs of contents that are to be compared, and those that were: kept in the store, so that nothing is done twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np

from simsearch.duplicates.finding.pairs import Pairs
from simsearch.progress import Progress, Working

if TYPE_CHECKING:
    from simsearch.collection.duplicates.contents import Contents
    from simsearch.store import Compared, Look
    from simsearch.store.duplicates.comparisons import Comparisons

VERSION = 2
"""Raised when scores or looks change: what another version has compared is forgotten."""
LIMIT = 4_000_000
"""Candidates that are held before they are thinned out."""
BATCH = 512
"""Pairs that are compared between two transactions; what a kill loses at most."""
Numbers: TypeAlias = tuple[int, int]
Strips: TypeAlias = Callable[["Contents", int, float], Iterator[Pairs]]
More: TypeAlias = Callable[["Contents", int], Iterator[Pairs]]
Narrow: TypeAlias = Callable[[Pairs, bool], Pairs]
"""From candidates, and whether they are with a reference, to those that are compared."""


class Examiner(Protocol):
    """Compares contents by their numbers."""

    def __call__(self, pairs: Sequence[tuple[int, int, float]]) -> tuple[list[Compared], dict[bytes, Look]]:
        """The comparisons of pairs (with their cosines) of which both can be read, and looks at what was read."""
        ...


class Ledger:
    """What was compared among some contents, by their numbers, the smaller first."""

    def __init__(self, stored: Comparisons, contents: Contents) -> None:
        self._stored, self._contents = stored, contents
        if stored.progress().get("version", VERSION) != VERSION:
            stored.forget()
        self.cosines: dict[Numbers, float] = {}
        self.found: dict[Numbers, Compared] = {}
        """Those that speak for a copy at all."""
        self.looks = stored.looks()
        for row in stored.all():
            self._take(row)

    def add(self, rows: Sequence[Compared], looks: dict[bytes, Look]) -> None:
        """Stores comparisons, in one transaction."""
        self._stored.add(rows, looks)
        self.looks |= looks
        for row in rows:
            self._take(row)

    def first(self, cosine: float) -> int:
        """The number of the first content of the collection that was not compared with all before it."""
        progress = self._stored.progress()
        if not progress or progress["cosine"] > cosine:
            return 0
        ids = [row.id for row in self._contents.rows[: self._contents.own]]
        return int(np.searchsorted(ids, progress["last"], side="right"))

    def finish(self, cosine: float) -> None:
        """Records that all contents of the collection were compared with each other from this cosine on."""
        rows = self._contents.rows[: self._contents.own]
        self._stored.set_progress({"version": VERSION, "cosine": cosine, "last": rows[-1].id if rows else 0})

    def known(self) -> Pairs:
        """The pairs that were compared, with their cosines."""
        both = np.array(list(self.cosines), dtype=np.int64).reshape(-1, 2)
        return Pairs(both[:, 0], both[:, 1], np.fromiter(self.cosines.values(), np.float32, len(both)))

    def _take(self, row: Compared) -> None:
        for one in self._contents.numbers.get(row.one, ()):
            for other in self._contents.numbers.get(row.other, ()):
                key = min(one, other), max(one, other)
                self.cosines[key] = row.cosine
                if row.score > 0:
                    self.found[key] = row


def compare_all(
    contents: Contents,
    ledger: Ledger,
    examine: Examiner,
    *,
    cosine: float,
    strips: Strips,
    narrow: Narrow,
    more: More,
    progress: Progress,
) -> int:
    """Compares what has not been yet, and returns how many candidates there are: those of `strips`, `narrow`ed, and
    those of `more`.

    Within a collection only with what came since the last search; with a reference all pairs of one of each.
    """
    whole = not contents.reference
    first = ledger.first(cosine) if whole else 0
    known = ledger.known()
    found = _candidates(contents, known, strips(contents, first, cosine), narrow)
    found = _distinct(Pairs.joined([found, *map(_possible(contents), more(contents, first))]), len(contents))
    todo = [pair for pair in _listed(found) if pair[:2] not in ledger.cosines]
    done = _examined(todo, ledger, examine, progress) if todo else 0
    # What cannot be read now may be readable the next time.
    if whole and done == len(todo) and not contents.skipped:
        ledger.finish(cosine)
    return len(found)


def _examined(todo: list[tuple[int, int, float]], ledger: Ledger, examine: Examiner, progress: Progress) -> int:
    """Compares pairs, stored batch by batch; returns how many could be read."""
    done = 0
    with Working(progress, len(todo), "pairs", "comparing"):
        for start in range(0, len(todo), BATCH):
            part = todo[start : start + BATCH]
            rows, looks = examine(part)
            ledger.add(rows, looks)
            done += len(rows)
            progress.advance(len(part))
    return done


def _candidates(contents: Contents, known: Pairs, strips: Iterator[Pairs], narrow: Narrow) -> Pairs:
    """The new candidates and those that were compared before, without pairs that need no comparison."""
    reference = bool(contents.reference)
    parts, held = list[Pairs](), 0
    for strip in map(_possible(contents), chain([known], strips)):
        parts.append(strip)
        held += len(parts[-1])
        if held > LIMIT:
            parts, held = [narrow(_distinct(Pairs.joined(parts), len(contents)), reference)], 0
    return narrow(_distinct(Pairs.joined(parts), len(contents)), reference)


def _possible(contents: Contents) -> Callable[[Pairs], Pairs]:
    """A function that leaves out pairs that need no comparison."""
    there = np.zeros(len(contents), dtype=np.bool_)
    there[list(contents.items)] = True
    there[[own for own, _ in contents.shared()]] = False

    def possible(strip: Pairs) -> Pairs:
        wanted = there[strip.left] & there[strip.right]
        if contents.reference:
            wanted &= (strip.left < contents.own) & (strip.right >= contents.own)
        return Pairs(strip.left[wanted], strip.right[wanted], strip.scores[wanted])

    return possible


def _distinct(pairs: Pairs, contents: int) -> Pairs:
    """Each pair once, by both rows."""
    _, places = np.unique(pairs.left * contents + pairs.right, return_index=True)
    return Pairs(pairs.left[places], pairs.right[places], pairs.scores[places])


def _listed(pairs: Pairs) -> list[tuple[int, int, float]]:
    return list(zip(pairs.left.tolist(), pairs.right.tolist(), pairs.scores.tolist(), strict=True))
