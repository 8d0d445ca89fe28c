"""Synthetic product codes with hard negatives, which differ in one character."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

LETTERS = "abcdefghijklmnopqrstuvwxyz"
DIGITS = "0123456789"
PATTERNS = (
    "LLLDDDD",
    "LLDDD",
    "L-DDDD",
    "LLL-LDDD",
    "LDDDDL",
    "DDDDDD",
    "LLDDDDLL",
    "DDLLDDDD",
    "LLL-DDD-LL",
    "DDDDD-L",
)
"""Letters (L) and digits (D) of the codes of cameras, parts, televisions, orders and the like."""


def synthetic_codes(count: int, seed: int) -> tuple[list[str], list[str]]:
    """Codes, and for each a hard negative that differs in one character."""
    rng = np.random.default_rng(seed)
    codes, near = [], []
    for _ in range(count):
        pattern = PATTERNS[rng.integers(len(PATTERNS))]
        code = [_sign(kind, rng) for kind in pattern]
        places = [place for place, kind in enumerate(pattern) if kind != "-"]
        place = places[rng.integers(len(places))]
        other = list(code)
        while other[place] == code[place]:
            other[place] = _sign(pattern[place], rng)
        codes.append("".join(code))
        near.append("".join(other))
    return codes, near


def _sign(kind: str, rng: np.random.Generator) -> str:
    signs = {"L": LETTERS, "D": DIGITS, "-": "-"}[kind]
    return signs[rng.integers(len(signs))]


class CodePairs:
    """Texts with codes behind them, in pairs, and how similar each pair is to be."""

    def __init__(self, cut: Callable[[str], Sequence[int]], *, count: int, share: float, seed: int) -> None:
        """`cut` gives the ids of a code; `share` is how much of the similarity a code decides."""
        codes, near = synthetic_codes(count, seed)
        self._codes = [tuple(cut(code)) for code in codes]
        self._near = [tuple(cut(code)) for code in near]
        self._share = share

    def draw(
        self, ids: Sequence[tuple[int, ...]], vectors: NDArray[np.float32], rng: np.random.Generator
    ) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]], NDArray[np.float32]]:
        """Left and right texts and their wanted cosines, one pair a text.

        The right text is the same or another of those given; its code is the same, one that is nearly it, or any
        other, a third each. Wanted is `share` for an equal code, and the rest by the cosine of the texts' `vectors`.
        """
        n = len(ids)
        others = np.where(rng.random(n) < 0.5, np.arange(n), rng.integers(n, size=n))
        own, any_other, way = (
            rng.integers(len(self._codes), size=n),
            rng.integers(len(self._codes), size=n),
            rng.integers(3, size=n),
        )
        left = [ids[row] + self._codes[own[row]] for row in range(n)]
        right = []
        for row in range(n):
            code = (self._codes[own[row]], self._near[own[row]], self._codes[any_other[row]])[way[row]]
            right.append(ids[others[row]] + code)
        same = (way == 0) | ((way == 2) & (own == any_other))
        cosines = (vectors * vectors[others]).sum(axis=1)
        return left, right, (self._share * same + (1.0 - self._share) * cosines).astype(np.float32)
