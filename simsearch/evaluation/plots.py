"""The charts of a training report, as PNG files. Needs the extra "plots".

Each function replaces its file atomically, and raises MissingExtraError when matplotlib is not installed.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simsearch.errors import MissingExtraError, VectorError
from simsearch.manifest import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from simsearch.evaluation.metrics import Confusion
    from simsearch.types import Vectors

BLUE, ORANGE, GRAY, INK = "#0072b2", "#d55e00", "#b8b8b8", "#262626"
COLORS = (BLUE, "#e69f00", "#009e73", "#cc79a7", "#56b4e9", ORANGE)
"""The palette of Okabe and Ito 2008, which can be distinguished with any kind of color blindness."""
MARKERS = ("o", "^")
MOST_NAMED = len(COLORS) * len(MARKERS)
LONGEST_NAME = 28
DOTS_PER_INCH = 120


def project(vectors: NDArray[np.floating[Any]], k: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The first `k` principal components of the rows, shape (n, k), and the share of variance that each explains.

    The largest coefficient of an axis is positive, so that the plot is not mirrored from run to run. Components
    beyond the rank of the rows are zero.
    """
    if vectors.ndim != 2 or not len(vectors) or k < 1:
        raise VectorError(f"{k} components of vectors of shape {vectors.shape}: give k >= 1 and at least one row")
    centered = np.asarray(vectors, dtype=np.float64)
    centered = centered - centered.mean(axis=0)
    left, size, axes = np.linalg.svd(centered, full_matrices=False)
    strongest = np.abs(axes).argmax(axis=1)
    signs = np.where(axes[np.arange(len(axes)), strongest] < 0, -1.0, 1.0)
    total = float((size**2).sum())
    points, explained = np.zeros((len(centered), k)), np.zeros(k)
    width = min(k, len(size))
    points[:, :width] = (left * size * signs)[:, :width]
    if total > 0:
        explained[:width] = size[:width] ** 2 / total
    return points, explained


def plot_curves(path: Path, history: Sequence[Mapping[str, float]]) -> None:
    """Plots each series of `history` over its "step", the loss first, and marks the best "validation"."""
    if not history:
        raise VectorError("the history is empty; there is no curve to plot")
    names = [name for name in history[0] if name != "step"]
    figure = _figure(7.0, 1.0 + 2.4 * len(names))
    steps = np.array([row["step"] for row in history])
    first: Axes | None = None
    for position, name in enumerate(names):
        axes = figure.add_subplot(len(names), 1, position + 1, sharex=first)
        first = first or axes
        values = np.array([row[name] for row in history])
        color = COLORS[(0, 5, 2, 3)[position % 4]]
        axes.plot(steps, values, color=color, linewidth=1.8, marker="o", markersize=3 if len(steps) < 60 else 0)
        axes.set_ylabel(name)
        if name == "validation":
            best = int(np.argmax(values))
            axes.plot(steps[best], values[best], "o", markersize=10, markerfacecolor="none", markeredgecolor=INK)
            axes.set_title(f"best {values[best]:.3f} at step {steps[best]:,.0f} (ringed)", fontsize=10, loc="right")
        axes.grid(alpha=0.25)
        axes.margins(x=0.02, y=0.12)
        axes.tick_params(labelbottom=position == len(names) - 1)
    figure.axes[-1].set_xlabel("training step")
    figure.suptitle("Training")
    _save(figure, path)


def plot_embedding(path: Path, vectors: Vectors, labels: Sequence[str]) -> None:
    """Plots the first two and the first three principal components side by side, colored by class.

    The 12 classes with the most vectors are named; all others are gray.
    """
    if len(labels) != len(vectors):
        raise VectorError(f"{len(vectors)} vectors but {len(labels)} labels; give one label for each vector")
    points, explained = project(vectors, 3)
    figure = _figure(13.5, 6.0)
    flat = figure.add_subplot(1, 2, 1)
    deep = figure.add_subplot(1, 2, 2, projection="3d", computed_zorder=False)
    names = [f"component {number + 1} ({share:.0%} of variance)" for number, share in enumerate(explained)]
    flat.set(xlabel=names[0], ylabel=names[1], title="two principal components")
    deep.set(xlabel=names[0], ylabel=names[1], zlabel=names[2], title="three principal components")
    deep.set_box_aspect(None, zoom=0.9)
    deep.locator_params(nbins=5)
    flat.set_aspect("equal", adjustable="datalim")
    flat.grid(alpha=0.25)
    flat.set_axisbelow(True)
    size = float(np.clip(12_000 / len(points), 10, 36))
    handles, texts = [], []
    for name, color, marker, chosen in _named_classes(labels):
        style: dict[str, Any] = {"color": color, "marker": marker, "linewidths": 0, "alpha": 0.75, "s": size}
        # Gray lies below the colors.
        style["zorder"] = 1 if color == GRAY else 2
        handles.append(flat.scatter(points[chosen, 0], points[chosen, 1], **style))
        deep.scatter(points[chosen, 0], points[chosen, 1], points[chosen, 2], depthshade=False, **style)
        texts.append(name)
    _legend(figure, handles, texts)
    figure.suptitle(f"Embedding of {len(points):,} vectors of {len(set(labels)):,} classes")
    _save(figure, path)


def plot_confusion(path: Path, confusion: Confusion) -> None:
    """Plots the confusion matrix: counts, and their share of the pairs with that label."""
    counts = np.array([[confusion.tp, confusion.fn], [confusion.fp, confusion.tn]])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = _figure(5.6, 5.0)
    axes = figure.add_subplot()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        share = shares[row, column]
        color = "white" if share > 0.55 else INK
        axes.text(column, row - 0.07, f"{count:,}", ha="center", va="center", fontsize=19, color=color)
        axes.text(column, row + 0.17, f"{share:.1%}", ha="center", va="center", fontsize=12, color=color)
    totals = counts.sum(axis=1)
    axes.set_xticks([0, 1], ["same", "different"])
    axes.set_yticks([0, 1], [f"same\n({totals[0]:,})", f"different\n({totals[1]:,})"])
    axes.set(xlabel="judged", ylabel="truth")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_title(f"{confusion.accuracy:.1%} of {counts.sum():,} pairs classified correctly")
    _save(figure, path)


def plot_scores(path: Path, scores: NDArray[np.floating[Any]], same: NDArray[np.bool_], threshold: float) -> None:
    """Plots the score distributions of same and of different pairs, and the threshold.

    Each distribution is normalized by its own number of pairs, so that a rare kind can be seen.
    """
    if not len(scores) or len(scores) != len(same):
        raise VectorError(f"{len(scores)} scores and {len(same)} truths; give at least one of each, equally many")
    figure = _figure(7.5, 4.2)
    axes = figure.add_subplot()
    low, high = float(np.min(scores)), float(np.max(scores))
    edges = np.linspace(low, high if high > low else low + 1e-3, 51)
    for name, kind, color in (("different", ~same, ORANGE), ("same", same, BLUE)):
        if not kind.any():
            continue
        share = np.histogram(scores[kind], edges)[0] / np.count_nonzero(kind)
        side = np.count_nonzero((scores[kind] >= threshold) == (name == "same")) / np.count_nonzero(kind)
        label = f"{name}: {np.count_nonzero(kind):,} pairs, {side:.1%} classified correctly"
        axes.stairs(share, edges, fill=True, color=color, alpha=0.35)
        axes.stairs(share, edges, color=color, linewidth=1.5, label=label)
    axes.axvline(threshold, color=INK, linestyle="--", linewidth=1.3, label=f"threshold {threshold:.3f}")
    axes.set(xlabel="score (cosine similarity)", ylabel="share of its pairs")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.25)
    figure.legend(loc="outside upper center", ncols=1, frameon=False)
    _save(figure, path)


def _figure(width: float, height: float) -> Figure:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("plots", "plots") from error
    return Figure(figsize=(width, height), dpi=DOTS_PER_INCH, layout="constrained", facecolor="white")


def _named_classes(labels: Sequence[str]) -> list[tuple[str, str, str, NDArray[np.bool_]]]:
    """Name, color, marker and rows of each class to draw; those without a name are one gray class, the last."""
    counts = Counter(labels)
    named = sorted(sorted(counts), key=lambda name: -counts[name])[:MOST_NAMED]
    array = np.array(labels, dtype=object)
    classes = [
        (name, COLORS[number % len(COLORS)], MARKERS[number // len(COLORS)], array == name)
        for number, name in enumerate(sorted(named))
    ]
    if len(counts) > len(named):
        rest = ~np.any([chosen for *_, chosen in classes], axis=0)
        classes.append((f"{len(counts) - len(named):,} other classes", GRAY, "o", rest))
    return classes


def _legend(figure: Figure, handles: Sequence[Any], names: Sequence[str]) -> None:
    """A legend whose names are shown as they are: no mathematics in "$", no name left out for a leading "_"."""
    blank = ["-"] * len(names)
    legend = figure.legend(handles, blank, loc="outside right upper", frameon=False, markerscale=1.4)
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_parse_math(False)
        text.set_text(_short(name))


def _short(name: str) -> str:
    line = " ".join(name.split())
    return line if len(line) <= LONGEST_NAME else line[: LONGEST_NAME - 1] + "…"


def _save(figure: Figure, path: Path) -> None:
    with replacing(path) as temporary, warnings.catch_warnings():
        # A class name in a script that the font lacks is drawn as boxes; that is no reason to warn.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(temporary, format="png")
