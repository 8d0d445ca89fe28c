"""What is asked for beside the query itself."""

from __future__ import annotations

from dataclasses import dataclass

from simsearch.errors import UsageError
from simsearch.media.arguments import COUNT, FLAG, NUMBER, allow, require
from simsearch.where.tree import Condition

DIVERSITY = 0.3
"""What `diverse=True` means."""


@dataclass(frozen=True, slots=True)
class Request:
    """At most `k` matches behind the first `offset`, all of them for None, with `min_score` or more and for which
    `where` holds; without the query itself for `exclude_self`; for a `diversity` above 0 see `diversity`."""

    k: int | None = 10
    min_score: float | None = None
    where: Condition | None = None
    offset: int = 0
    exclude_self: bool = False
    diversity: float = 0.0

    @property
    def beyond(self) -> int | None:
        """How many of the best matches are looked at."""
        return None if self.k is None else self.k + self.offset


def requested(
    k: int | None,
    min_score: float | None,
    where: Condition | None,
    offset: int,
    exclude_self: bool,
    diverse: bool | float = False,
) -> Request:
    """The request of a caller. Raises UsageError for what cannot be asked."""
    allow(COUNT, k=k)
    allow(NUMBER, min_score=min_score)
    require(COUNT, offset=offset)
    require(FLAG, exclude_self=exclude_self)
    if k is not None and k < 1:
        raise UsageError(f"k must be at least 1, not {k}")
    if k is None and min_score is None:
        raise UsageError("k is None without a min_score; give one of them, or both")
    if offset < 0:
        raise UsageError(f"offset must be 0 or more, not {offset}")
    return Request(k, min_score, where, int(offset), bool(exclude_self), _diversity(diverse, k))


def _diversity(diverse: bool | float, k: int | None) -> float:
    if isinstance(diverse, bool):
        weight = DIVERSITY if diverse else 0.0
    else:
        require(NUMBER, diverse=diverse)
        weight = float(diverse)
    if not 0 <= weight <= 1:
        raise UsageError(f"diverse must be from 0, only the scores count, to 1, only the differences; not {diverse}")
    if weight and k is None:
        raise UsageError("diverse results need a number: give k")
    return weight
