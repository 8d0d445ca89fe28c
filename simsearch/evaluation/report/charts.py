"""The charts of a report, as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from simsearch.evaluation.report.svg import HEIGHT, LEFT, TOP, WIDTH, Plane, chart, color, drawing, legend, ticks
from simsearch.evaluation.statistics.curves import curve

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.evaluation.results import GradedDetail, PairDetail
    from simsearch.evaluation.statistics.intervals import Figure

BINS = 50
LEAST_FAR = 1e-4
MOST_POINTS = 4000
RANGE_WIDTH, RANGE_HEIGHT = 180, 16


def roc(systems: Sequence[tuple[str, PairDetail]]) -> str:
    """The ROC curve of each system, FAR on a logarithmic scale, since thresholds in practice have a low FAR."""
    different = min(int(np.count_nonzero(~detail.same)) for _, detail in systems)
    least = 10.0 ** np.floor(np.log10(max(1 / different, LEAST_FAR)))
    plane = Plane((min(least, 0.1), 1.0), (0.0, 1.0), log_x=True)
    grid = np.geomspace(plane.x[0], 1, 240)
    parts = [f'<path class="chance" d="{plane.path(grid, grid)}"/>']
    for number, (_, detail) in reversed(list(enumerate(systems))):
        far, tar = curve(detail.scores, detail.same).rates()
        # The best TAR of any threshold whose FAR is at most that of the grid: a step function.
        reached = tar[np.searchsorted(far, grid, side="right") - 1]
        parts.append(f'<path class="curve" style="stroke:{color(number)}" d="{plane.path(grid, reached)}"/>')
    x_ticks = [10.0**power for power in range(int(np.log10(plane.x[0])), 1)]
    axes = plane.axes("FAR (false accept rate)", "TAR (true accept rate)", x_ticks, ticks(0, 1))
    svg = drawing("ROC", "True accept rate over false accept rate, one curve for each system.", axes + "".join(parts))
    key = legend([*((name, color(number)) for number, (name, _) in enumerate(systems)), ("chance", "var(--muted)")])
    return chart(svg, "True accept rate at each false accept rate. Up and left is better.", key)


def histogram(detail: PairDetail) -> str:
    """Histograms of the scores of same and of different pairs, each normalized."""
    low, high = float(detail.scores.min()), float(detail.scores.max())
    edges = np.linspace(low, high if high > low else low + 1e-3, BINS + 1)
    shares = {}
    for name, kind in (("different", ~detail.same), ("same", detail.same)):
        shares[name] = np.histogram(detail.scores[kind], edges)[0] / max(1, np.count_nonzero(kind))
    plane = Plane((edges[0], edges[-1]), (0.0, float(max(share.max() for share in shares.values())) * 1.08))
    parts = []
    for shade, share in zip((color(1), color(0)), shares.values(), strict=True):
        x, y = np.repeat(edges, 2), np.concatenate([[0], np.repeat(share, 2), [0]])
        parts.append(f'<path class="area" style="fill:{shade};stroke:{shade}" d="{plane.path(x, y)}"/>')
    key = [("same", color(0)), ("different", color(1))]
    caption = "Scores of same and of different pairs, each normalized. The less they overlap, the better."
    if detail.threshold is not None and low <= detail.threshold.value <= high:
        place = float(plane.across(detail.threshold.value))
        parts.append(f'<path class="mark" d="M{place:.1f} {TOP}V{HEIGHT - 44}"/>')
        caption += f" Dashed: the threshold {detail.threshold.value:.3f}, {detail.threshold.origin}."
    axes = plane.axes("score (cosine)", "share of the pairs", ticks(*plane.x, most=9), ticks(*plane.y))
    description = "Two histograms of scores, one of same and one of different pairs."
    return chart(drawing("Scores", description, axes + "".join(parts)), caption, legend(key))


def grades(detail: GradedDetail, seed: int) -> str:
    """Scatter plot of scores over grades; of many pairs a sample."""
    chosen = np.random.default_rng(seed).permutation(len(detail.truth))[:MOST_POINTS]
    truth, scores = detail.truth[chosen], detail.scores[chosen]
    spans = [_padded(float(values.min()), float(values.max())) for values in (truth, scores)]
    plane = Plane(spans[0], spans[1])
    x, y = plane.across(truth), plane.down(scores)
    opacity = 0.75 if len(chosen) < 300 else 0.35
    dots = "".join(f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3"/>' for a, b in zip(x, y, strict=True))
    axes = plane.axes("grade", "score (cosine)", ticks(*plane.x), ticks(*plane.y))
    marks = f'<g style="fill:{color(0)};fill-opacity:{opacity}">{dots}</g>'
    some = "" if len(chosen) == len(detail.truth) else f" {len(chosen):,} of {len(detail.truth):,} pairs are shown."
    svg = drawing(
        "Scores over grades", "Scatter plot with one dot for each pair: its grade and its score.", axes + marks
    )
    return chart(svg, f"Each dot is a pair. The closer to an increasing curve, the better.{some}")


def heatmap(counts: NDArray[np.int64], names: Sequence[str]) -> str:
    """The confusion matrix as a heatmap, each row normalized; for at most 30 classes."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    cell = min(44.0, 560 / len(names))
    left, top = 160.0, 130.0
    parts = []
    for (row, column), share in np.ndenumerate(shares):
        x, y = left + column * cell, top + row * cell
        shade = color(0) if row == column else color(1)
        parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{cell - 1:.1f}" height="{cell - 1:.1f}" rx="2" style="fill:{shade};'
            f'fill-opacity:{0.04 + 0.96 * share:.3f}"><title>{escape(names[row])} taken for {escape(names[column])}: '
            f"{counts[row, column]:,} ({share:.0%})</title></rect>"
        )
    for place, name in enumerate(names):
        middle = place * cell + cell / 2
        parts.append(
            f'<text class="name" x="{left - 8}" y="{top + middle + 5:.1f}" text-anchor="end">{_short(name)}</text>'
        )
        turned = f"translate({left + middle + 4:.1f} {top - 8}) rotate(-60)"
        parts.append(f'<text class="name" transform="{turned}">{_short(name)}</text>')
    size = (left + len(names) * cell + 60, top + len(names) * cell + 8)
    description = "Rows are the classes of the queries, columns the classes of their nearest neighbors."
    caption = (
        "Rows: the class of the query. Columns: the class of its nearest neighbor. Blue is correct, orange a "
        "confusion; the darker, the larger the share of the row."
    )
    return chart(drawing("Confusion of classes", description, "".join(parts), size), caption)


def interval(figures: Sequence[Figure | None], low: float) -> str:
    """Dots with error bars on a common scale from `low` to 1, one line for each system."""
    height = RANGE_HEIGHT * max(1, len(figures)) * 0.6 + 6
    parts = [f'<path class="grid" d="M1 {height / 2}H{RANGE_WIDTH - 1}"/>'] if len(figures) == 1 else []
    for number, figure in enumerate(figures):
        if figure is None:
            continue
        y = height * (number + 0.5) / len(figures)
        start, place, end = (
            4 + (min(max(value, low), 1) - low) / (1 - low) * (RANGE_WIDTH - 8)
            for value in (figure.low, figure.value, figure.high)
        )
        shade = color(number)
        parts.append(f'<path style="stroke:{shade};stroke-width:2" d="M{start:.1f} {y:.1f}H{end:.1f}"/>')
        parts.append(f'<circle cx="{place:.1f}" cy="{y:.1f}" r="3.4" style="fill:{shade}"/>')
    return (
        f'<svg aria-hidden="true" width="{RANGE_WIDTH}" height="{height:g}" viewBox="0 0 {RANGE_WIDTH} {height:g}">'
        f'<path class="axis" d="M.5 0V{height:g}M{RANGE_WIDTH - 0.5} 0V{height:g}"/>{"".join(parts)}</svg>'
    )


def _padded(low: float, high: float) -> tuple[float, float]:
    room = (high - low or 1.0) * 0.04
    return low - room, high + room


def _short(name: str) -> str:
    return escape(name if len(name) <= 18 else name[:8] + "…" + name[-9:])


__all__ = ["LEFT", "WIDTH", "grades", "heatmap", "histogram", "interval", "roc"]
