"""The map of the embeddings: items at their first two principal components, some with thumbnails."""

from __future__ import annotations

from collections import Counter
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from simsearch.errors import MediaError
from simsearch.evaluation.plots import project
from simsearch.evaluation.report.pictures import Gallery
from simsearch.evaluation.report.svg import COLORS, chart, color, drawing, legend

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.types import Vectors

MOST_POINTS = 1500
THUMBNAIL = 36
CELL = THUMBNAIL + 8
SIDE = 23 * CELL
MARGIN = 26
LETTERS, LETTER, LINE = 28, 7.5, 12
"""Of a snippet: its length, and the size of a letter and half a line on the drawing."""
MOST_SNIPPETS = 60


def embedding_map(vectors: Vectors, gallery: Gallery, seed: int) -> str:
    """The first two principal components of the embeddings; of many items a sample, with thumbnails where they fit."""
    chosen = np.sort(np.random.default_rng(seed).permutation(len(vectors))[:MOST_POINTS])
    points, explained = project(vectors[chosen], 2)
    x, y, height = _places(points)
    shades, key = _shades(gallery, chosen)
    dots = "".join(
        f'<circle cx="{a:.0f}" cy="{b:.0f}" r="5" style="fill:{shade}"><title>{escape(gallery.name(int(row)))}</title>'
        "</circle>"
        for a, b, shade, row in zip(x, y, shades, chosen, strict=True)
    )
    if gallery.modality == "image":
        shown = _pictures(x, y, shades, chosen, gallery)
        moved = " Thumbnails are moved so that none covers another."
    else:
        shown, moved = _snippets(x, y, chosen, gallery), ""
    some = "" if len(chosen) == len(vectors) else f" {len(chosen):,} of {len(vectors):,} items are shown."
    caption = (
        f"Items at the first two principal components of their embeddings, which explain {explained.sum():.0%} of the "
        f"variance: items that are far apart here are dissimilar, but close ones need not be similar.{moved}{some}"
    )
    svg = drawing(
        "Map of the embeddings",
        "Items at the first two principal components of their embeddings.",
        f'<g fill-opacity=".8">{dots}</g>{shown}',
        (SIDE, height),
    )
    return chart(svg, caption, legend(key))


def _places(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Positions on the map, and its height; both axes have the same scale."""
    low, high = points.min(axis=0), points.max(axis=0)
    scale = (SIDE - 2 * MARGIN) / max(float((high - low)[0]), float((high - low)[1]), 1e-9)
    x = MARGIN + (points[:, 0] - low[0]) * scale
    y = MARGIN + (high[1] - points[:, 1]) * scale
    return x, y, float(y.max()) + CELL


def _shades(gallery: Gallery, chosen: NDArray[np.int64]) -> tuple[list[str], list[tuple[str, str]]]:
    """A color for each item; the largest classes have their own."""
    if gallery.labels is None:
        return [color(0)] * len(chosen), []
    counts = Counter(gallery.labels[chosen].tolist())
    named = sorted(sorted(counts), key=lambda label: -counts[label])[:COLORS]
    number = {label: place for place, label in enumerate(sorted(named))}
    shades = [color(number.get(int(label), COLORS)) for label in gallery.labels[chosen]]
    key = [(gallery.classes[label], color(place)) for label, place in number.items()]
    if len(counts) > len(named):
        key.append((f"{len(counts) - len(named):,} other classes", color(COLORS)))
    return shades, key


def _pictures(
    x: NDArray[np.float64], y: NDArray[np.float64], shades: list[str], chosen: NDArray[np.int64], gallery: Gallery
) -> str:
    """One image for each cell of a grid that has an item, framed in the color of its class."""
    taken: set[tuple[int, int]] = set()
    parts = []
    for a, b, row, shade in zip(x.tolist(), y.tolist(), chosen.tolist(), shades, strict=True):
        place = int(a // CELL), int(b // CELL)
        if place in taken:
            continue
        taken.add(place)
        try:
            uri = gallery.uri(row, THUMBNAIL)
        except MediaError:
            # Its dot stays.
            continue
        left, top = place[0] * CELL + 4, place[1] * CELL + 4
        parts.append(
            f'<rect x="{left - 2}" y="{top - 2}" width="{THUMBNAIL + 4}" height="{THUMBNAIL + 4}" rx="3" '
            f'style="fill:#fff;stroke:{shade};stroke-width:2"/><image x="{left}" y="{top}" width="{THUMBNAIL}" '
            f'height="{THUMBNAIL}" href="{uri}"><title>{escape(gallery.name(row))}</title></image>'
        )
    return "".join(parts)


def _snippets(x: NDArray[np.float64], y: NDArray[np.float64], chosen: NDArray[np.int64], gallery: Gallery) -> str:
    """The beginnings of texts beside their dots, as many as have room without covering each other."""
    parts: list[str] = []
    taken = np.empty((0, 4))
    for item, (a, b) in enumerate(zip(x.tolist(), y.tolist(), strict=True)):
        text = " ".join(gallery.sources[int(chosen[item])].split())
        short = text if len(text) <= LETTERS else text[:LETTERS] + "…"
        width = LETTER * len(short)
        # Those on the right end at their dot, so that none leaves the drawing.
        left = a - 9 - width if a > SIDE / 2 else a + 9
        box = np.array([left, b - LINE, left + width, b + LINE])
        if ((taken[:, :2] < box[2:]) & (taken[:, 2:] > box[:2])).all(axis=1).any():
            continue
        taken = np.vstack([taken, box])
        anchor, place = ("end", a - 9) if a > SIDE / 2 else ("start", a + 9)
        parts.append(
            f'<text class="snippet" x="{place:.0f}" y="{b + 4:.0f}" text-anchor="{anchor}">{escape(short)}</text>'
        )
        if len(parts) == MOST_SNIPPETS:
            break
    return "".join(parts)
