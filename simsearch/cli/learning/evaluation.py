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
    exclude_option,
    force_option,
    hidden_option,
    json_option,
    quiet_option,
    score_range_option,
    strict_option,
)
from simsearch.cli.output import print_json, print_line, print_skipped, print_status, print_table, progress
from simsearch.records import skip_records

if TYPE_CHECKING:
    from simsearch.evaluation.results import Evaluation, Section
    from simsearch.labelled.material import Kind


@click.command("evaluate")
@click.argument("encoder", metavar="ENCODER")
@click.argument("source", metavar="DATA", type=click.Path(path_type=Path))
@click.option(
    "--protocol",
    "protocols",
    multiple=True,
    metavar="NAME",
    help="episodes, runs, verification, retrieval, open-set, graded or triplets; may be repeated.  [default: all but "
    "runs and open-set that fit DATA]",
)
@click.option(
    "--ways", multiple=True, type=int, help="Classes in an episode or a run; may be repeated.  [default: 5 and 20]"
)
@click.option(
    "--shots",
    multiple=True,
    type=int,
    help="Examples of each class; may be repeated.  [default: 1; of open-set 1, 2 and 5]",
)
@click.option(
    "--identities",
    multiple=True,
    type=int,
    help="Enrolled classes of open-set; may be repeated.  [default: an eighth, a quarter and half of the classes]",
)
@click.option("--draws", type=int, default=5, show_default=True, help="Draws of who is enrolled and who is unknown.")
@click.option("--episodes", type=int, default=1000, show_default=True, help="Number of episodes.")
@click.option("--runs", type=int, default=20, show_default=True, help="Number of runs to draw from class folders.")
@click.option("--pairs", type=int, default=20_000, show_default=True, help="Number of pairs to draw from classes.")
@click.option(
    "--far",
    "fars",
    multiple=True,
    type=float,
    help="Report TAR, or DIR, at this FAR; may be repeated.  [default: 0.1, 0.01 and 0.001]",
)
@click.option("--at", multiple=True, type=int, help="k of recall@k; may be repeated.  [default: 1, 5 and 10]")
@click.option(
    "--threshold",
    type=float,
    callback=comparable,
    help="Score from which on a pair counts as the same, for the accuracy.",
)
@click.option(
    "--threshold-from",
    metavar="DATA",
    type=click.Path(path_type=Path),
    help="Choose the threshold on these other classes or pairs.  [default: that of the encoder's validation]",
)
@click.option("--held-out", is_flag=True, help="Only the classes that were held out when the encoder was trained.")
@click.option("--test", "tests", multiple=True, metavar="NAME", help="Only this class or group; may be repeated.")
@click.option("--partition", help="train, validation, test or all, if DATA has a column split.  [default: test]")
@click.option(
    "--kind",
    type=click.Choice(["classes", "pairs", "graded", "triplets"]),
    help="What DATA contains, if its columns leave that open.",
)
@click.option("--columns", help="Roles of the columns, such as left=s1,right=s2,score=grade.")
@convention_option
@score_range_option
@click.option("--label-until", metavar="SIGNS", help="Cut labels before the first of these characters.")
@click.option("--by-line", is_flag=True, help="In folders, each line of a text file is one text.")
@encoding_option
@strict_option
@exclude_option
@hidden_option
@click.option("--baselines", is_flag=True, help="Also evaluate baselines: raw pixels and color histograms, or TF-IDF.")
@click.option("--rounds", type=int, default=1000, show_default=True, help="Bootstrap resamples for each interval.")
@click.option("--seed", type=int, default=0, show_default=True, help="Random seed.")
@click.option(
    "--report", metavar="FILE.html", type=click.Path(path_type=Path), help="Write an HTML report with charts."
)
@force_option
@json_option
@quiet_option
def evaluate_command(
    encoder: str,
    source: Path,
    protocols: tuple[str, ...],
    ways: tuple[int, ...],
    shots: tuple[int, ...],
    identities: tuple[int, ...],
    draws: int,
    episodes: int,
    runs: int,
    pairs: int,
    fars: tuple[float, ...],
    at: tuple[int, ...],
    threshold: float | None,
    threshold_from: Path | None,
    held_out: bool,
    tests: tuple[str, ...],
    partition: str | None,
    kind: Kind | None,
    columns: str | None,
    convention: str | None,
    score_range: tuple[float, float] | None,
    label_until: str | None,
    by_line: bool,
    encoding: str | None,
    strict: bool,
    exclude: tuple[str, ...],
    include_hidden: bool,
    baselines: bool,
    rounds: int,
    seed: int,
    report: Path | None,
    force: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Evaluate an encoder on labeled data that it was not trained on.

    DATA contains classes, pairs, graded pairs or triplets, in the forms that train reads, or is a folder of runs like
    Omniglot's. Each figure has a 95 % confidence interval. With the data that the encoder was trained on, use
    --held-out.
    """
    from simsearch.evaluation.evaluate import evaluate
    from simsearch.evaluation.judging import EvaluationOptions
    from simsearch.evaluation.report import check_report, write_report
    from simsearch.evaluation.selection import Selection
    from simsearch.labelled.reading import Reading

    if report is not None:
        check_report(report, force=force)
    counts = (ways, shots, identities, draws, episodes, runs, pairs)
    defaults = EvaluationOptions()
    options = EvaluationOptions(*counts, fars or defaults.fars, at or defaults.at, rounds, seed)
    reading = Reading(
        kind, None, columns, convention, score_range, label_until, by_line, encoding, strict, exclude, include_hidden
    )
    found = evaluate(
        encoder,
        source,
        protocols=protocols,
        options=options,
        selection=Selection(partition, tests, held_out),
        reading=reading,
        threshold=threshold,
        threshold_from=threshold_from,
        with_baselines=baselines,
        progress=progress(quiet),
    )
    print_skipped(found.skipped)
    if as_json:
        print_json({**found.record(), "skipped_files": skip_records(found.skipped)})
    else:
        _print(found)
    if report is not None:
        write_report(found, report, force=force)
        if not (quiet or as_json):
            print_status(f"report: {report}")
    return 0


def _print(found: Evaluation) -> None:
    for remark in found.remarks:
        print_line(remark)
    for number, section in enumerate(found.systems[0].sections):
        print_line(f"{section.protocol}: {section.setting}")
        head = ("", *(system.name for system in found.systems))
        print_table([head, *_rows(found, number)])


def _rows(found: Evaluation, number: int) -> Iterator[tuple[str, ...]]:
    from simsearch.evaluation.results import figure_name

    sections = [system.sections[number] for system in found.systems]
    for name in sections[0].figures:
        yield (f"  {figure_name(name)}", *(_formatted(section, name) for section in sections))


def _formatted(section: Section, name: str) -> str:
    from simsearch.evaluation.results import shown_threshold

    if (figure := section.figures.get(name)) is None:
        return ""
    text, threshold = f"{figure.value:.3f} [{figure.low:.3f}, {figure.high:.3f}]", section.thresholds.get(name)
    return text if threshold is None else f"{text} at score {shown_threshold(threshold)}"
