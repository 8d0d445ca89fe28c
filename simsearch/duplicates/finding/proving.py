"""Proving that pictures are copies, cheap looks first: most pairs are refused by sketches, few are examined in full."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

from simsearch.duplicates.finding.evidence import Described, Evidence, described, examine, examine_sketched, settled
from simsearch.duplicates.finding.features import View, view
from simsearch.duplicates.finding.screening import Sketch, promising, sketch
from simsearch.errors import MediaError
from simsearch.media.ahead import ahead

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SKETCHES, VIEWS, FULL = 12_288, 512, 256
"""How many are held: sketches of 25 kB, views of 0.4 MB, views with features of 0.5 MB."""
AT_ONCE = 32
"""Pictures that one is compared with at once, by their sketches."""
Pair: TypeAlias = tuple[int, int]
_T = TypeVar("_T")
_A = TypeVar("_A")
_R = TypeVar("_R")


@dataclass(frozen=True, slots=True)
class Source:
    """Where pictures come from, by number. `read` gives the bytes, or None for what cannot be read; `failed` hears of
    bytes that are no picture, `viewed` of each picture that is looked at closely. Called by several threads."""

    read: Callable[[int], bytes | None]
    failed: Callable[[int, str], None]
    viewed: Callable[[int, bytes, View], None] | None = None


@dataclass(frozen=True, slots=True)
class Examined:
    """The evidence for a copy, and the transformation (2, 3) of pixels of the original on the left to the right."""

    evidence: Evidence
    matrix: NDArray[np.float64]


class Prover:
    """Examines pairs of pictures, and holds what it has computed of them, the latest, for the next pairs."""

    def __init__(self, source: Source, *, workers: int | None = None) -> None:
        self._source, self._workers = source, workers
        self._sketches = _Held[Sketch](SKETCHES)
        self._views = _Held[View](VIEWS)
        self._full = _Held[Described](FULL)

    def __call__(self, pairs: Sequence[Pair]) -> Iterator[tuple[Pair, Examined | None]]:
        """Each pair of which both can be read, with the evidence for a copy; None where there is none. In any order."""
        sketches = self._need(self._sketches, self._sketch, pairs)
        readable = sorted(pair for pair in pairs if pair[0] in sketches and pair[1] in sketches)
        passed = []
        for some in self._ahead(lambda part: _screened(part, sketches), _parts(readable)):
            for pair, hopeful in some:
                if hopeful:
                    passed.append(pair)
                else:
                    yield pair, None
        for start in range(0, len(passed), VIEWS // 2):
            yield from self._examined(passed[start : start + VIEWS // 2], sketches)

    def look(self, pairs: Sequence[Pair]) -> None:
        """Has the pictures of pairs viewed that need no proof."""
        for start in range(0, len(pairs), VIEWS // 2):
            self._need(self._views, self._view, pairs[start : start + VIEWS // 2])

    def _examined(self, pairs: Sequence[Pair], sketches: dict[int, Sketch]) -> Iterator[tuple[Pair, Examined | None]]:
        views = self._need(self._views, self._view, pairs)
        readable = [pair for pair in pairs if pair[0] in views and pair[1] in views]

        def briefly(pair: Pair) -> tuple[Pair, Evidence | None, bool]:
            both = sketches[pair[0]], sketches[pair[1]]
            evidence = examine_sketched(both, (views[pair[0]], views[pair[1]]))
            return pair, evidence, settled(evidence, both)

        rest = []
        for pair, evidence, done in self._ahead(briefly, readable):
            if done:
                yield pair, _on_originals(evidence, views[pair[0]], views[pair[1]])
            else:
                rest.append(pair)
        for start in range(0, len(rest), FULL // 2):
            part = rest[start : start + FULL // 2]
            full = self._need(self._full, lambda number: described(views[number]), part)
            examined = self._ahead(partial(_in_full, full), part)
            for pair, evidence in zip(part, examined, strict=True):
                yield pair, _on_originals(evidence, views[pair[0]], views[pair[1]])

    def _need(self, held: _Held[_T], make: Callable[[int], _T | None], pairs: Iterable[Pair]) -> dict[int, _T]:
        """What is held or made of the pictures of some pairs, without those of which it cannot be made."""
        wanted = dict.fromkeys(number for pair in pairs for number in pair)
        found = {number: one for number in wanted if (one := held.get(number)) is not None}
        missing = [number for number in wanted if number not in found]
        for number, made in zip(missing, self._ahead(make, missing), strict=True):
            if made is not None:
                found[number] = made
                held.put(number, made)
        return found

    def _sketch(self, number: int) -> Sketch | None:
        return self._of_bytes(number, sketch)

    def _view(self, number: int) -> View | None:
        def seen(content: bytes) -> View:
            picture = view(content)
            if self._source.viewed is not None:
                self._source.viewed(number, content, picture)
            return picture

        return self._of_bytes(number, seen)

    def _of_bytes(self, number: int, make: Callable[[bytes], _T]) -> _T | None:
        content = self._source.read(number)
        if content is None:
            return None
        try:
            return make(content)
        except MediaError as error:
            self._source.failed(number, str(error))
            return None

    def _ahead(self, function: Callable[[_A], _R], items: Iterable[_A]) -> Iterator[_R]:
        return ahead(function, items, workers=self._workers)


class _Held(Generic[_T]):
    """The latest of what was put, at most so many."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: OrderedDict[int, _T] = OrderedDict()

    def get(self, number: int) -> _T | None:
        found = self._held.get(number)
        if found is not None:
            self._held.move_to_end(number)
        return found

    def put(self, number: int, value: _T) -> None:
        self._held[number] = value
        if len(self._held) > self._most:
            self._held.popitem(last=False)


def _in_full(full: dict[int, Described], pair: Pair) -> Evidence | None:
    return examine(full[pair[0]], full[pair[1]])


def _on_originals(evidence: Evidence | None, left: View, right: View) -> Examined | None:
    return None if evidence is None else Examined(evidence, evidence.on_originals(left, right))


def _parts(pairs: Sequence[Pair]) -> Iterator[list[Pair]]:
    """Pairs with one picture on the left, at most `AT_ONCE`; `pairs` are sorted."""
    for _, group in groupby(pairs, key=lambda pair: pair[0]):
        some = list(group)
        for start in range(0, len(some), AT_ONCE):
            yield some[start : start + AT_ONCE]


def _screened(part: Sequence[Pair], sketches: dict[int, Sketch]) -> list[tuple[Pair, bool]]:
    left = sketches[part[0][0]]
    return list(zip(part, promising(left, [sketches[right] for _, right in part]), strict=True))
