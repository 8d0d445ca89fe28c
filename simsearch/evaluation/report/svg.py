"""SVG charts: axes and marks. Colors are those of the style sheet, so that dark mode works."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

WIDTH, HEIGHT = 520, 330
LEFT, RIGHT, TOP, BOTTOM = 54, 14, 12, 44
COLORS = 6


def color(number: int) -> str:
    """The color of a system or a class by its number; the last ones are gray."""
    return f"var(--s{number})" if 0 <= number < COLORS else "var(--rest)"


@dataclass(frozen=True, slots=True)
class Plane:
    """The mapping from values to positions on a chart of 520 x 330, with an optional logarithmic x axis."""

    x: tuple[float, float]
    y: tuple[float, float]
    log_x: bool = False

    def across(self, values: NDArray[Any] | float) -> NDArray[np.float64]:
        low, high = self.x
        places = np.asarray(values, dtype=np.float64)
        if self.log_x:
            places, low, high = np.log10(places), math.log10(low), math.log10(high)
        return LEFT + (places - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def down(self, values: NDArray[Any] | float) -> NDArray[np.float64]:
        low, high = self.y
        return HEIGHT - BOTTOM - (np.asarray(values, dtype=np.float64) - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    def path(self, x: NDArray[Any], y: NDArray[Any]) -> str:
        """The points joined by straight lines, as the `d` of a path."""
        return "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in zip(self.across(x), self.down(y), strict=True))

    def axes(self, x_name: str, y_name: str, x_ticks: Sequence[float], y_ticks: Sequence[float]) -> str:
        """Grid, numbers and names of both axes."""
        right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
        parts = []
        for tick, place in zip(x_ticks, self.across(np.array(x_ticks)), strict=True):
            parts.append(f'<path class="grid" d="M{place:.1f} {TOP}V{bottom}"/>')
            parts.append(f'<text x="{place:.1f}" y="{bottom + 17}" text-anchor="middle">{tick:g}</text>')
        for tick, place in zip(y_ticks, self.down(np.array(y_ticks)), strict=True):
            parts.append(f'<path class="grid" d="M{LEFT} {place:.1f}H{right}"/>')
            parts.append(f'<text x="{LEFT - 7}" y="{place + 4:.1f}" text-anchor="end">{tick:g}</text>')
        parts.append(f'<path class="axis" d="M{LEFT} {TOP}V{bottom}H{right}"/>')
        middle = (TOP + bottom) / 2
        parts.append(
            f'<text class="title" x="{(LEFT + right) / 2}" y="{HEIGHT - 8}" text-anchor="middle">{x_name}</text>'
        )
        parts.append(
            f'<text class="title" transform="translate(14 {middle}) rotate(-90)" text-anchor="middle">{y_name}</text>'
        )
        return "".join(parts)


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers from `low` to `high`, at most `most` of them."""
    span = high - low
    for step in (digit * 10.0**power for power in count(math.floor(math.log10(span)) - 2) for digit in (1, 2, 5)):
        first = math.ceil(low / step - 1e-9)
        number = math.floor(high / step + 1e-9) - first + 1
        if number <= most:
            return [round((first + place) * step, 10) for place in range(number)]
    raise AssertionError("the steps grow without end")


def drawing(name: str, description: str, content: str, size: tuple[float, float] = (WIDTH, HEIGHT)) -> str:
    """An SVG with a title and a description for screen readers. `content` is SVG already."""
    return (
        f'<svg role="img" viewBox="0 0 {size[0]:g} {size[1]:g}"><title>{escape(name)}</title>'
        f"<desc>{escape(description)}</desc>{content}</svg>"
    )


def legend(entries: Sequence[tuple[str, str]]) -> str:
    """The legend: names with their colors. Empty without entries."""
    if not entries:
        return ""
    return (
        '<ul class="legend">'
        + "".join(f'<li><i style="background:{shade}"></i>{escape(name)}</li>' for name, shade in entries)
        + "</ul>"
    )


def chart(svg: str, caption: str, key: str = "") -> str:
    """A chart in a frame, with a legend and a caption."""
    return f'<figure class="chart">{svg}{key}<figcaption>{escape(caption)}</figcaption></figure>'
