"""The sections of a report: charts, and the worst queries and pairs of each protocol."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from simsearch.evaluation.metrics import Confusion, confusion
from simsearch.evaluation.ranking import Ranked, neighbors
from simsearch.evaluation.report.charts import grades, heatmap, histogram, roc
from simsearch.evaluation.report.open_set import open_set
from simsearch.evaluation.report.pictures import Gallery, Mark
from simsearch.evaluation.results import GradedDetail, OpenSetDetail, PairDetail, RunsDetail

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.evaluation.results import Section
    from simsearch.types import Vectors

WORST_QUERIES = 12
ANSWERS = 5
WORST_PAIRS = 12
MOST_CLASSES = 30
CONFUSIONS = 15


def show(
    section: Section, systems: Sequence[tuple[str, Section]], vectors: Vectors, gallery: Gallery, seed: int
) -> str:
    """The charts and items of a section; `systems` has this section of every system, that of the encoder first."""
    detail = section.detail
    if isinstance(detail, PairDetail):
        return _verification(detail, systems, gallery)
    if isinstance(detail, GradedDetail):
        return _graded(detail, gallery, seed)
    if isinstance(detail, OpenSetDetail):
        return open_set(
            detail, [(name, each.detail) for name, each in systems if isinstance(each.detail, OpenSetDetail)]
        )
    if isinstance(detail, RunsDetail):
        return _runs(detail, gallery)
    if isinstance(detail, Ranked):
        return _retrieval(detail, vectors, gallery)
    return ""


def _verification(detail: PairDetail, systems: Sequence[tuple[str, Section]], gallery: Gallery) -> str:
    curves = [(name, each.detail) for name, each in systems if isinstance(each.detail, PairDetail)]
    parts = [f'<div class="pair">{roc(curves)}{histogram(detail)}</div>']
    if detail.threshold is not None:
        parts.append(
            _confusion_matrix(confusion(detail.scores, detail.same, detail.threshold.value), detail.threshold.value)
        )
    same, different = np.flatnonzero(detail.same), np.flatnonzero(~detail.same)
    for title, rows in (
        ("Impostor pairs with the highest scores", different[_order(-detail.scores[different])]),
        ("Genuine pairs with the lowest scores", same[_order(detail.scores[same])]),
    ):
        notes = [f"score {score:.3f}" for score in detail.scores[rows]]
        parts.append(_pairs(title, detail.pairs[rows], notes, gallery))
    return "".join(parts)


def _confusion_matrix(counts: Confusion, threshold: float) -> str:
    """The confusion matrix of pairs as a table."""
    body = ""
    for name, both in (("same", (counts.tp, counts.fn)), ("different", (counts.fp, counts.tn))):
        cells = "".join(
            f'<td class="number">{count:,} <small>{count / max(1, sum(both)):.1%}</small></td>' for count in both
        )
        body += f'<tr><th scope="row">{name}</th>{cells}</tr>'
    return (
        f'<div class="scroll"><table><caption>Confusion matrix at the threshold {threshold:.3f}, '
        "labels by row, predictions by column"
        "</caption>"
        '<thead><tr><th></th><th scope="col">predicted same</th><th scope="col">predicted different</th></tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _order(values: NDArray[Any]) -> NDArray[np.int64]:
    """Positions from the smallest value to the largest, ties in their order."""
    order: NDArray[np.int64] = np.argsort(values, kind="stable")
    return order


def _graded(detail: GradedDetail, gallery: Gallery, seed: int) -> str:
    places = [_order(_order(side)) for side in (detail.scores, detail.truth)]
    gap = places[0] - places[1]
    parts = [f'<div class="pair">{grades(detail, seed)}</div>']
    for title, rows in (("Scored far too high", _order(-gap)), ("Scored far too low", _order(gap))):
        notes = [f"grade {detail.truth[row]:g}, score {detail.scores[row]:.3f}" for row in rows[: WORST_PAIRS // 2]]
        parts.append(_pairs(title, detail.pairs[rows[: WORST_PAIRS // 2]], notes, gallery))
    return "".join(parts)


def _pairs(title: str, pairs: NDArray[np.int64], notes: Sequence[str], gallery: Gallery) -> str:
    """Pairs side by side, each pair once."""
    rows: list[str] = []
    seen: set[tuple[int, int]] = set()
    for (left, right), note in zip(pairs.tolist(), notes, strict=True):
        if (left, right) in seen or len(seen) == WORST_PAIRS:
            continue
        seen.add((left, right))
        rows.append(f'<div class="row">{gallery.tile(left, note=note)}{gallery.tile(right)}</div>')
    return f'<h3>{escape(title)}</h3><div class="tags {_kind(gallery)}">{"".join(rows)}</div>' if rows else ""


def _kind(gallery: Gallery) -> str:
    return "texts" if gallery.modality == "text" else ""


def _retrieval(ranked: Ranked, vectors: Vectors, gallery: Gallery) -> str:
    assert gallery.labels is not None
    asked, found = gallery.labels[ranked.rows], gallery.labels[ranked.best]
    precision = ranked.values[:, ranked.names.index("map@r")]
    rank = ranked.values[:, ranked.names.index("mrr")]
    worst = np.lexsort((ranked.rows, rank, precision))
    rows = _of_different_classes(ranked.rows[worst], gallery.labels)
    shown = []
    for row, nearest in zip(rows.tolist(), neighbors(vectors, rows, ANSWERS), strict=True):
        tiles = [gallery.tile(row, "query")]
        for answer in nearest.tolist():
            right = gallery.labels[answer] == gallery.labels[row]
            score = float(vectors[row] @ vectors[answer])
            tiles.append(gallery.tile(answer, "right" if right else "wrong", f"score {score:.3f}"))
        shown.append(f'<div class="row">{"".join(tiles)}</div>')
    return (
        f'{_confusion_of_classes(asked, found, gallery)}<h3>The worst queries</h3><p class="setting">Each query '
        "and its nearest neighbors; at most one query of a class, those with the lowest MAP@R first.</p>"
        f'<div class="rows">{"".join(shown)}</div>'
    )


def _confusion_of_classes(asked: NDArray[np.int64], found: NDArray[np.int64], gallery: Gallery) -> str:
    """The most frequent confusions, and for few classes the whole confusion matrix."""
    present = np.unique(np.concatenate([asked, found]))
    table = _confusions(asked, found, gallery)
    if len(present) > MOST_CLASSES:
        return table
    counts = np.zeros((len(present), len(present)), dtype=np.int64)
    np.add.at(counts, (np.searchsorted(present, asked), np.searchsorted(present, found)), 1)
    shades = heatmap(counts, [gallery.classes[label] for label in present])
    return f'<div class="pair">{shades}{table}</div>'


def _of_different_classes(rows: NDArray[np.int64], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """The first row of each class, at most 12 of them, in the given order."""
    _, first = np.unique(labels[rows], return_index=True)
    return rows[np.sort(first)[:WORST_QUERIES]]


def _confusions(asked: NDArray[np.int64], found: NDArray[np.int64], gallery: Gallery) -> str:
    """The most frequently confused classes."""
    wrong = np.flatnonzero(asked != found)
    if not len(wrong):
        return "<p>Every query has one of its own class as its nearest neighbor.</p>"
    pairs, times = np.unique(np.stack([asked[wrong], found[wrong]], axis=1), axis=0, return_counts=True)
    sizes = dict(zip(*(part.tolist() for part in np.unique(asked, return_counts=True)), strict=True))
    body = ""
    for place in _order(-times)[:CONFUSIONS].tolist():
        label, other = pairs[place].tolist()
        body += (
            f'<tr><th scope="row">{escape(gallery.classes[label])}</th><td>{escape(gallery.classes[other])}</td>'
            f'<td class="number">{times[place]:,}</td><td class="number">{times[place] / sizes[label]:.0%}</td></tr>'
        )
    return (
        '<div class="scroll"><table><caption>The most frequent confusions with the class of the nearest '
        'neighbor</caption><thead><tr><th scope="col">query</th><th scope="col">confused with</th><th scope="col" '
        'class="number">queries</th><th scope="col" class="number">of the class</th></tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _runs(detail: RunsDetail, gallery: Gallery) -> str:
    runs = detail.runs
    lines, wrong = [], []
    for name, known, asked, answers, given in zip(
        runs.names, runs.known, runs.asked, runs.answers, detail.given, strict=True
    ):
        share = float(np.mean(given == answers))
        lines.append(
            f'<tr><th scope="row">{escape(name)}</th><td class="number">{share:.1%}</td>'
            f'<td><span class="bar" style="width:{share * 12:.2f}rem"></span></td></tr>'
        )
        wrong += [
            (asked[place], known[given[place]], known[answers[place]]) for place in np.flatnonzero(given != answers)
        ]
    table = (
        '<div class="scroll"><table><caption>Accuracy of each run</caption><thead><tr><th scope="col">run</th>'
        '<th scope="col" class="number">accuracy</th><th></th></tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )
    marks: tuple[Mark, ...] = ("query", "wrong", "right")
    shown = "".join(
        f'<div class="row">{"".join(gallery.tile(int(row), mark) for row, mark in zip(rows, marks, strict=True))}</div>'
        for rows in wrong[:: max(1, len(wrong) // WORST_PAIRS)][:WORST_PAIRS]
    )
    if not wrong:
        return f"{table}<p>Every answer is correct.</p>"
    return (
        f'{table}<h3>Wrong answers</h3><p class="setting">The query, the answer, and the correct answer; '
        f'{min(len(wrong), WORST_PAIRS)} of {len(wrong):,}.</p><div class="tags three">{shown}</div>'
    )
