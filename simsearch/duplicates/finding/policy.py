"""Which of several copies to keep, by a stated order of preferences, and the reason in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

import numpy as np

from simsearch.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMATS = ("tiff", "png", "bmp", "heic", "heif", "avif", "webp", "jpeg", "jpg", "gif")
"""From what loses nothing to what loses most."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """What a policy looks at. `sharpness` and `color` are compared among copies only; `quality` is bytes a pixel;
    `metadata` counts entries (EXIF, labels, sidecars); `mtime_ns` is when the file was last changed."""

    path: str
    width: int
    height: int
    size: int
    mtime_ns: int
    format: str = ""
    sharpness: float = 0.0
    color: float = 0.0
    metadata: int = 0

    @property
    def pixels(self) -> int:
        return self.width * self.height

    @property
    def quality(self) -> float:
        return self.size / max(1, self.pixels)


@dataclass(frozen=True, slots=True)
class Choice:
    """The place of the one to keep among the candidates, and for each candidate why it goes; empty for the one kept."""

    kept: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Criterion:
    """What is preferred: the larger value. Values within the share `tolerance` of the largest are equal.

    With `typical`, only those below this share of the median lose: noise, sharpening and few colors raise sharpness and
    bytes without being better, but what is blurred or compressed hard is far below its copies.
    """

    value: Callable[[Candidate], float]
    reason: str
    """With the values of the one kept, `a`, and of the one that goes, `b`."""
    tolerance: float = 0.0
    typical: float | None = None

    def least(self, values: Sequence[float]) -> float:
        """The least of some values that does not lose."""
        if self.typical is not None:
            return self.typical * float(np.median(values))
        # Times in nanoseconds are whole numbers that no float holds exactly.
        return max(values) - self.tolerance * abs(max(values)) if self.tolerance else max(values)


def _format_rank(one: Candidate) -> float:
    name = one.format.lower()
    return -FORMATS.index(name) if name in FORMATS else -len(FORMATS)


CRITERIA: dict[str, _Criterion] = {
    "resolution": _Criterion(
        lambda one: one.pixels, "the one kept has more pixels: {a.width}x{a.height}, this {b.width}x{b.height}", 0.01
    ),
    "sharpness": _Criterion(
        lambda one: one.sharpness,
        "this is blurred: sharpness {b.sharpness:.3g}, of the one kept {a.sharpness:.3g}",
        typical=0.25,
    ),
    "color": _Criterion(
        lambda one: one.color, "this is gray or pale: color {b.color:.3g}, of the one kept {a.color:.3g}", typical=0.25
    ),
    "metadata": _Criterion(
        lambda one: one.metadata, "the one kept has {a.metadata} entries of metadata, this {b.metadata}", typical=0.5
    ),
    "compression": _Criterion(
        lambda one: one.quality,
        "this is compressed more: {b.quality:.2f} bytes a pixel, the one kept {a.quality:.2f}",
        typical=0.5,
    ),
    "format": _Criterion(_format_rank, "the one kept has the better format: {a.format}, this {b.format}"),
    "age": _Criterion(lambda one: -one.mtime_ns, "the one kept is older"),
    "newest": _Criterion(lambda one: one.mtime_ns, "the one kept is newer"),
    "size": _Criterion(lambda one: one.size, "the one kept is larger: {a.size:,} bytes, this {b.size:,}"),
    "smallest": _Criterion(lambda one: -one.size, "the one kept is smaller: {a.size:,} bytes, this {b.size:,}"),
}
DEFAULT_ORDER = ("folder", "resolution", "sharpness", "color", "metadata", "compression", "format", "age", "size")


@dataclass(frozen=True, slots=True)
class Policy:
    """The order of criteria, the first that tells two apart decides; `folders` are preferred in their order.

    Raises UsageError for a criterion that does not exist, or one that is named twice.
    """

    order: tuple[str, ...] = DEFAULT_ORDER
    folders: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        possible = ("folder", *CRITERIA)
        for name in self.order:
            if name not in possible:
                raise UsageError(f"no criterion {name!r}; possible are {', '.join(possible)}")
        if len(set(self.order)) < len(self.order):
            raise UsageError(f"a criterion is named twice: {', '.join(self.order)}")


def choose(candidates: Sequence[Candidate], policy: Policy | None = None) -> Choice:
    """The candidate to keep. A tie in all criteria is settled by the shorter path, then by its letters.

    The reason why one goes is the first criterion in which another was better. Raises UsageError without candidates.
    """
    if not candidates:
        raise UsageError("no candidates to choose from")
    policy = policy or Policy()
    left, beaten_by = list(range(len(candidates))), dict[int, str]()
    for name in policy.order:
        best = _best(name, left, candidates, policy)
        beaten_by |= {place: name for place in left if place not in best}
        left = best
    kept = min(left, key=lambda place: (len(candidates[place].path), candidates[place].path))
    reasons = [_reason(beaten_by.get(n), candidates[kept], one, policy) for n, one in enumerate(candidates)]
    reasons[kept] = ""
    return Choice(kept, tuple(reasons))


def sharpness(pixels: NDArray[np.uint8]) -> float:
    """The variance of the Laplacian of the gray RGB pixels (Pech-Pacheco et al. 2000), in squared gray levels.

    Comparable only between pictures of one scene in one size.
    """
    gray = pixels.astype(np.float32) @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    if min(gray.shape) < 3:
        return 0.0
    laplacian = gray[:-2, 1:-1] + gray[2:, 1:-1] + gray[1:-1, :-2] + gray[1:-1, 2:] - 4 * gray[1:-1, 1:-1]
    return float(laplacian.var())


def colorfulness(pixels: NDArray[np.uint8]) -> float:
    """The mean difference between the largest and the smallest of the RGB values of each pixel, in levels."""
    return float((pixels.max(axis=2).astype(np.int16) - pixels.min(axis=2)).mean())


def _best(name: str, left: Sequence[int], candidates: Sequence[Candidate], policy: Policy) -> list[int]:
    """Those of the places whose candidates no other beats in this criterion."""
    if name == "folder":
        values = [-float(_folder(candidates[place], policy)) for place in left]
        least = max(values)
    else:
        values = [CRITERIA[name].value(candidates[place]) for place in left]
        least = CRITERIA[name].least(values)
    return [place for place, value in zip(left, values, strict=True) if value >= least]


def _folder(candidate: Candidate, policy: Policy) -> int:
    """The place of the first preferred folder that the candidate lies in; their number where it lies in none."""
    path = PurePath(candidate.path)
    return next((n for n, folder in enumerate(policy.folders) if path.is_relative_to(folder)), len(policy.folders))


def _reason(name: str | None, kept: Candidate, beaten: Candidate, policy: Policy) -> str:
    if name is None:
        return "equal in all that counts; the one kept has the shorter or the first path"
    if name == "folder":
        return f"the one kept is in the preferred folder {policy.folders[_folder(kept, policy)]}"
    return CRITERIA[name].reason.format(a=kept, b=beaten)
