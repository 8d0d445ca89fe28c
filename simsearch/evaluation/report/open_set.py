"""The section of open-set recognition: DIR over FAR, the reliability diagram, and the figures over both numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from simsearch.evaluation.open_set.measure import GRID, PRIOR
from simsearch.evaluation.report.svg import Plane, chart, color, drawing, legend, ticks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.evaluation.open_set.measure import OpenSet
    from simsearch.evaluation.results import OpenSetDetail
    from simsearch.evaluation.statistics.reliability import Reliability

SIDE = (0.0, 1.0)


def open_set(detail: OpenSetDetail, systems: Sequence[tuple[str, OpenSetDetail]]) -> str:
    """The charts; those over the number of shots and of identities are of the evaluated encoder."""
    charts = [
        _dir_over_far([(name, each.results[-1].curve) for name, each in systems], _setting(detail.results[-1])),
        _dir_over_far([(_setting(one), one.curve) for one in detail.results], "each setting of the encoder"),
    ]
    calibrated = [one for one in detail.results if one.reliability is not None]
    if calibrated and calibrated[-1].reliability is not None:
        charts.append(_reliability(calibrated[-1].reliability, _setting(calibrated[-1])))
    return f'<div class="pair">{"".join(charts)}</div>'


def _setting(one: OpenSet) -> str:
    return f"{one.shots}-shot, {one.enrolled} enrolled"


def _dir_over_far(curves: Sequence[tuple[str, NDArray[np.float64]]], what: str) -> str:
    plane = Plane((float(GRID[0]), 1.0), SIDE, log_x=True)
    parts = [
        f'<path class="curve" style="stroke:{color(number)}" d="{plane.path(GRID, line)}"/>'
        for number, (_, line) in reversed(list(enumerate(curves)))
    ]
    axes = plane.axes(
        "FAR (unknown queries accepted)", "DIR (known queries identified)", [0.001, 0.01, 0.1, 1], ticks(*SIDE)
    )
    svg = drawing(
        "DIR over FAR", f"Detection and identification rate over false accept rate: {what}.", axes + "".join(parts)
    )
    caption = (
        f"The share of known queries that get their label at each rate of accepted unknown queries: {what}. It ends at "
        "the closed-set accuracy. Up and left is better."
    )
    return chart(svg, caption, legend([(name, color(number)) for number, (name, _) in enumerate(curves)]))


def _reliability(found: Reliability, what: str) -> str:
    plane = Plane(SIDE, SIDE)
    ends = np.array(SIDE)
    parts = [f'<path class="chance" d="{plane.path(ends, ends)}"/>']
    parts.append(f'<path class="curve" style="stroke:{color(0)}" d="{plane.path(found.predicted, found.observed)}"/>')
    parts += [
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" style="fill:{color(0)}"/>'
        for x, y in zip(plane.across(found.predicted), plane.down(found.observed), strict=True)
    ]
    axes = plane.axes("probability", "share of right labels", ticks(*SIDE), ticks(*SIDE))
    svg = drawing(
        "Reliability", "The share of right labels over the probability that was given.", axes + "".join(parts)
    )
    caption = (
        f"How often labels are right at each probability ({what}; {PRIOR:.0%} of the queries unknown), in bins of "
        f"equal count. On the dotted line they are true; expected calibration error {float(found.error()):.3f}."
    )
    return chart(svg, caption, legend([("measured", color(0)), ("perfect", "var(--muted)")]))
