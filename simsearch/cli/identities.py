"""simsearch enroll, recognize, forget."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from simsearch.cli.options import (
    file_option,
    index_option,
    json_option,
    questions,
    quiet_option,
    remark_words,
    text_option,
    threshold_option,
)
from simsearch.cli.output import counted, on_a_line, print_json, print_line, print_skipped, print_status, print_table

if TYPE_CHECKING:
    from simsearch.types import Recognition


@click.command("enroll")
@click.argument("label")
@click.argument("sources", metavar="FILE|TEXT|-...", nargs=-1, required=True)
@index_option
@click.option("--force", is_flag=True, help="Enroll blank images too, which are the nearest of every blank image.")
@text_option
@file_option
@json_option
@quiet_option
def enroll_command(
    label: str,
    sources: tuple[str, ...],
    index: str | None,
    force: bool,
    as_text: bool,
    as_file: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Store examples of LABEL, which recognize can then name. One is enough; nothing is trained."""
    from simsearch.collection.entry import open_one

    given = questions(sources, as_text=as_text, as_file=as_file)
    with open_one(index) as collection:
        if not quiet:
            remark_words(collection, given)
        report = collection.enroll(label, given, force=force)
        labels = collection.labels()
    print_skipped(report.skipped)
    if as_json:
        counts = {"added": report.added, "existing": report.existing, "skipped": len(report.skipped)}
        print_json({"label": label, "examples": labels.get(label, 0), **counts})
    elif not quiet:
        added, known = counted(report.added, "example"), counted(len(labels), "label")
        print_line(f"{label}: {added} added, {labels.get(label, 0)} in all; {known}")
    return 0 if report.added or report.existing else 1


@click.command("recognize")
@click.argument("sources", metavar="FILE|TEXT|-...", nargs=-1, required=True)
@index_option
@text_option
@file_option
@threshold_option
@json_option
@quiet_option
def recognize_command(
    sources: tuple[str, ...],
    index: str | None,
    as_text: bool,
    as_file: bool,
    threshold: float | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Print the enrolled label of each image or text, or "unknown" below the threshold.

    Without a threshold the answer is always the label of the nearest example.
    """
    from simsearch.collection.entry import identify, open_one

    given = questions(sources, as_text=as_text, as_file=as_file)
    with open_one(index) as collection:
        if not quiet:
            remark_words(collection, given)
        identified = identify(collection, given, threshold=threshold)
    print_skipped(identified.skipped)
    if as_json:
        for query, recognition in identified.answers:
            print_json(_record(query, recognition))
    elif identified.answers:
        rows = [
            (_label(recognition), f"{recognition.score:.3f}", on_a_line(query))
            for query, recognition in identified.answers
        ]
        print_table(rows, right=(1,))
        if threshold is None and not quiet:
            print_status("no threshold was given, so nothing can be unknown; -t 0.7 requires a score of 0.7 or more")
    return 0 if identified.answers else 1


def _label(recognition: Recognition) -> str:
    return "unknown" if recognition.label is None else recognition.label


def _record(query: str, recognition: Recognition) -> dict[str, object]:
    second = recognition.runner_up
    return {
        "query": query,
        "label": recognition.label,
        "score": round(recognition.score, 6),
        "threshold": recognition.threshold,
        "runner_up": None if second is None else {"label": second.example.label, "score": round(second.score, 6)},
        "evidence": [
            {
                "label": each.example.label,
                "path": each.example.uri,
                "score": round(each.score, 6),
                "text": each.example.text,
            }
            for each in recognition.evidence
        ],
    }


@click.command("forget")
@click.argument("label")
@index_option
@json_option
@quiet_option
def forget_command(label: str, index: str | None, as_json: bool, quiet: bool) -> int:
    """Remove all examples of LABEL."""
    from simsearch.collection.entry import open_one

    with open_one(index) as collection:
        count = collection.forget(label)
        left = len(collection.labels())
    if as_json:
        print_json({"label": label, "removed": count})
    elif count == 0:
        print_status(f"Error: no example is enrolled as {label!r}; there are {left} labels")
    elif not quiet:
        print_line(f"{label}: {counted(count, 'example')} removed; {counted(left, 'label')} left")
    return 0 if count else 1
