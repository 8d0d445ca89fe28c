"""The HTML page: header, metrics and sections."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import PurePath
from typing import TYPE_CHECKING

from simsearch.evaluation.report.charts import interval
from simsearch.evaluation.report.maps import embedding_map
from simsearch.evaluation.report.pictures import Gallery
from simsearch.evaluation.report.sections import show
from simsearch.evaluation.report.style import STYLE
from simsearch.evaluation.report.svg import color, legend
from simsearch.evaluation.results import figure_name, shown_threshold

if TYPE_CHECKING:
    from simsearch.evaluation.results import Evaluation, Section

MARK = '<meta name="generator" content="simsearch evaluation report">'
"""By which a report is known when another one is to replace it."""
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
TITLES = {
    "episodes": "Recognition from few examples",
    "runs": "One-shot runs of two drawers",
    "verification": "Verification",
    "retrieval": "Nearest neighbors",
    "open-set": "Recognition with unknown queries",
    "graded": "Correlation with grades",
    "triplets": "Triplets",
}
HEADLINES = {
    "runs": ("accuracy",),
    "verification": ("roc_auc", "accuracy"),
    "retrieval": ("recall@1", "map@r"),
    "open-set": ("accuracy", "auroc", "oscr"),
    "graded": ("spearman",),
    "triplets": ("accuracy",),
}
MAP = "Map of the embeddings"
ABOUT = """\
95 % confidence intervals, from {rounds:,} bootstrap resamples (of the classes, or without classes of the pairs or
runs); those of episodes are from the normal distribution. All random draws have the seed {seed}: the same command gives
the same figures."""


def page(evaluation: Evaluation) -> str:
    """The report as HTML without scripts and external resources."""
    title = escape(f"{evaluation.encoder} on {PurePath(evaluation.data).name or evaluation.data}")
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'{MARK}<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}"><style>{STYLE}</style></head><body>'
        f'<a class="skip" href="#figures">To the figures</a>{_head(evaluation, title)}'
        f'<main id="figures">{_body(evaluation)}</main>{_foot(evaluation)}</body></html>\n'
    )


def _head(evaluation: Evaluation, title: str) -> str:
    sections = evaluation.systems[0].sections
    links = [*((section.protocol, TITLES[section.protocol]) for section in sections), ("map", MAP)]
    navigation = "".join(f'<li><a href="#{name}">{escape(text)}</a></li>' for name, text in links)
    remarks = "".join(f'<p class="note">{escape(remark)}</p>' for remark in evaluation.remarks)
    return (
        f'<header><h1>{title}</h1><p class="facts">{_facts(evaluation)}</p>{remarks}'
        f'<nav aria-label="Sections"><ul>{navigation}</ul></nav></header>'
    )


def _body(evaluation: Evaluation) -> str:
    first, gallery = evaluation.systems[0], Gallery.of(evaluation)
    sections = "".join(_section(evaluation, number, gallery) for number in range(len(first.sections)))
    place = embedding_map(first.vectors, gallery, evaluation.seed)
    return f'{_cards(first.sections)}{sections}<section id="map"><h2>{MAP}</h2>{place}</section>{_skipped(evaluation)}'


def _foot(evaluation: Evaluation) -> str:
    about = escape(ABOUT.format(rounds=evaluation.rounds, seed=evaluation.seed))
    return f"<footer><h2>How this was measured</h2><p>{about}</p></footer>"


def _facts(evaluation: Evaluation) -> str:
    what = {"image": "images", "text": "texts"}[evaluation.modality]
    facts = [f"{len(evaluation.sources):,} {what}"]
    if evaluation.labels is not None:
        facts.append(f"{len(set(evaluation.labels.tolist())):,} classes")
    facts.append(f"encoder {evaluation.fingerprint}, {evaluation.systems[0].dim} dimensions")
    return escape(" · ".join(facts))


def _cards(sections: Sequence[Section]) -> str:
    """The main metrics."""
    cards = []
    for section in sections:
        for name in _headlines(section):
            figure = section.figures[name]
            title = escape(f"{figure_name(name)} · {section.protocol}")
            cards.append(
                f'<div class="card"><span>{title}</span><b>{_number(figure.value)}</b>'
                f"<span>{_number(figure.low)} to {_number(figure.high)}</span></div>"
            )
    return f'<div class="cards">{"".join(cards)}</div>'


def _headlines(section: Section) -> list[str]:
    """The names of the main metrics; of a protocol with several settings those of the last one."""
    if section.protocol not in HEADLINES:
        return list(section.figures)
    setting, separator, _ = list(section.figures)[-1].rpartition(": ")
    return [
        name for name in (setting + separator + name for name in HEADLINES[section.protocol]) if name in section.figures
    ]


def _section(evaluation: Evaluation, number: int, gallery: Gallery) -> str:
    systems = [(system.name, system.sections[number]) for system in evaluation.systems]
    section, vectors = systems[0][1], evaluation.systems[0].vectors
    return (
        f'<section id="{section.protocol}"><h2>{escape(TITLES[section.protocol])}</h2>'
        f'<p class="setting">{escape(section.setting)}</p>{_table(systems)}'
        f"{show(section, systems, vectors, gallery, evaluation.seed)}</section>"
    )


def _table(systems: Sequence[tuple[str, Section]]) -> str:
    """Metrics by row, systems by column, and all intervals of a row on one scale."""
    figures = [section.figures for _, section in systems]
    low = 0.0 if min(figure.low for each in figures for figure in each.values()) >= 0 else -1.0
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name, _ in systems)
    body = "".join(
        f'<tr><th scope="row">{escape(figure_name(name))}</th>'
        + "".join(f"<td>{_formatted(section, name)}</td>" for _, section in systems)
        + f"<td>{interval([each.get(name) for each in figures], low)}</td></tr>"
        for name in figures[0]
    )
    key = legend([(name, color(place)) for place, (name, _) in enumerate(systems)]) if len(systems) > 1 else ""
    return (
        '<div class="scroll"><table><caption>Metrics with 95 % confidence intervals</caption><thead><tr><th></th>'
        f'{head}<th scope="col">{low:g} to 1</th></tr></thead><tbody>{body}</tbody></table></div>{key}'
    )


def _formatted(section: Section, name: str) -> str:
    if (figure := section.figures.get(name)) is None:
        return "<small>not measured</small>"
    threshold = section.thresholds.get(name)
    at = "" if threshold is None else f", at score {shown_threshold(threshold)}".replace("-", "−")
    return f"{_number(figure.value)} <small>{_number(figure.low)} to {_number(figure.high)}{at}</small>"


def _number(value: float) -> str:
    return f"{value:.3f}".replace("-", "−")


def _skipped(evaluation: Evaluation) -> str:
    if not evaluation.skipped:
        return ""
    lines = "".join(f"<li>{escape(skip.path)}: {escape(skip.reason)}</li>" for skip in evaluation.skipped[:100])
    count = sum(skip.count for skip in evaluation.skipped)
    return f"<section><h2>Skipped</h2><p>{count:,} could not be read.</p><ul>{lines}</ul></section>"
