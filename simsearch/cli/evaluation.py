"""simsearch evaluate."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from simsearch.cli.options import (
    comparable,
    convention_option,
    encoding_option,
    json_option,
    quiet_option,
    score_range_option,
    strict_option,
)
from simsearch.cli.output import progress, say, say_json, table, tell, tell_skipped

if TYPE_CHECKING:
    from simsearch.evaluation.intervals import Figure
    from simsearch.evaluation.results import Evaluation
    from simsearch.labelled.material import Kind


@click.command("evaluate")
@click.argument("encoder", metavar="ENCODER")
@click.argument("source", metavar="DATA", type=click.Path(path_type=Path))
@click.option(
    "--protocol",
    "protocols",
    multiple=True,
    metavar="NAME",
    help="episodes, runs, verification, retrieval, graded or triplets; may be repeated.  [default: all but runs that "
    "fit DATA]",
)
@click.option("--ways", multiple=True, type=int, help="Classes of an episode or a run; may be repeated.  [5 and 20]")
@click.option("--shots", multiple=True, type=int, default=(1,), help="Examples of each class; may be repeated.  [1]")
@click.option("--episodes", type=int, default=1000, show_default=True, help="How many episodes.")
@click.option("--runs", type=int, default=20, show_default=True, help="How many runs to draw from class folders.")
@click.option("--pairs", type=int, default=20_000, show_default=True, help="How many pairs to draw from classes.")
@click.option("--far", "fars", multiple=True, type=float, help="TAR is told at this FAR.  [0.1, 0.01 and 0.001]")
@click.option("--at", multiple=True, type=int, help="k of recall@k; may be repeated.  [1, 5 and 10]")
@click.option(
    "--threshold", type=float, callback=comparable, help="Judge the accuracy of same or different at this score."
)
@click.option(
    "--threshold-from",
    metavar="DATA",
    type=click.Path(path_type=Path),
    help="Choose the threshold on this: other classes or pairs.  [default: the encoder's own]",
)
@click.option("--held-out", is_flag=True, help="Only the classes that the encoder's record says it never saw.")
@click.option("--test", "tests", multiple=True, metavar="NAME", help="Only this class or group; may be repeated.")
@click.option("--side", help="train, validation, test or all, where DATA names sides.  [default: test]")
@click.option(
    "--kind",
    type=click.Choice(["classes", "pairs", "graded", "triplets"]),
    help="What DATA holds, where its columns leave it open.",
)
@click.option("--columns", help="Which column is what, as left=s1,right=s2,score=grade.")
@convention_option
@score_range_option
@click.option("--label-until", metavar="SIGNS", help="Cut a label before the first of these signs.")
@click.option("--by-line", is_flag=True, help="In folders of texts each line is one text.")
@encoding_option
@strict_option
@click.option("--baselines", is_flag=True, help="Beside ours: raw pixels and colour histograms, or TF-IDF.")
@click.option("--rounds", type=int, default=1000, show_default=True, help="Resamples behind each interval.")
@click.option("--seed", type=int, default=0, show_default=True, help="Start of all randomness.")
@click.option("--report", metavar="FILE.html", type=click.Path(path_type=Path), help="Write a report with pictures.")
@json_option
@quiet_option
def evaluate_command(
    encoder: str,
    source: Path,
    protocols: tuple[str, ...],
    ways: tuple[int, ...],
    shots: tuple[int, ...],
    episodes: int,
    runs: int,
    pairs: int,
    fars: tuple[float, ...],
    at: tuple[int, ...],
    threshold: float | None,
    threshold_from: Path | None,
    held_out: bool,
    tests: tuple[str, ...],
    side: str | None,
    kind: Kind | None,
    columns: str | None,
    convention: str | None,
    score_range: tuple[float, float] | None,
    label_until: str | None,
    by_line: bool,
    encoding: str | None,
    strict: bool,
    baselines: bool,
    rounds: int,
    seed: int,
    report: Path | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Measure an encoder on labelled material that it was not trained on.

    DATA holds classes, pairs, graded pairs or triplets, as train takes them, or is a folder of runs as Omniglot's.
    Each figure is told with its 95 % interval. --held-out is the honest choice for the data an encoder was trained on.
    """
    from simsearch.encoders import open_encoder
    from simsearch.evaluation.evaluate import Reading, evaluate
    from simsearch.evaluation.judging import Options
    from simsearch.evaluation.report import check_report, write_report
    from simsearch.evaluation.selection import Selection

    if report is not None:
        check_report(report)
    defaults = Options()
    options = Options(ways, shots, episodes, runs, pairs, fars or defaults.fars, at or defaults.at, rounds, seed)
    found = evaluate(
        open_encoder(encoder),
        source,
        protocols=protocols,
        options=options,
        selection=Selection(side, tests, held_out),
        reading=Reading(kind, columns, convention, score_range, label_until, by_line, encoding, strict),
        threshold=threshold,
        threshold_from=threshold_from,
        with_baselines=baselines,
        progress=progress(quiet),
    )
    tell_skipped(found.skipped)
    if as_json:
        say_json(found.record())
    else:
        _print(found)
    if report is not None:
        write_report(found, report)
        if not (quiet or as_json):
            tell(f"report: {report}")
    return 0


def _print(found: Evaluation) -> None:
    for remark in found.remarks:
        say(remark)
    for number, section in enumerate(found.systems[0].sections):
        say(f"{section.protocol}: {section.setting}")
        head = ("", *(system.name for system in found.systems))
        table([head, *_rows(found, number)])


def _rows(found: Evaluation, number: int) -> Iterator[tuple[str, ...]]:
    from simsearch.evaluation.results import figure_name

    sections = [system.sections[number] for system in found.systems]
    for name in sections[0].figures:
        yield (f"  {figure_name(name)}", *(_told(section.figures.get(name)) for section in sections))


def _told(figure: Figure | None) -> str:
    return "" if figure is None else f"{figure.value:.3f} [{figure.low:.3f}, {figure.high:.3f}]"
