"""simsearch calibrate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from simsearch.cli.options import index_option, json_option, place_option, quiet_option
from simsearch.cli.output import print_json, print_line, print_skipped, progress
from simsearch.cli.recognition.deciding import FROM_ENCODER
from simsearch.records import calibration_report_record

if TYPE_CHECKING:
    from simsearch.collection.identities.calibrating import CalibrationReport


def _rate(context: click.Context, parameter: click.Parameter, value: float) -> float:
    if not 0 < value < 1:
        raise click.BadParameter(f"{value:g} is not between 0 and 1", context, parameter)
    return value


@click.command("calibrate")
@index_option
@click.option(
    "--far",
    type=float,
    callback=_rate,
    required=True,
    metavar="RATE",
    help="False-accept rate: the share of unknown queries that may be given a label, such as 0.01.",
)
@click.option(
    "--impostors",
    metavar="FOLDER|TABLE",
    help="A file or a folder for each identity that is not enrolled.  [default: those of the last calibration]",
)
@click.option(
    "--confidence",
    type=float,
    callback=_rate,
    default=0.95,
    show_default=True,
    help="Confidence in the rate, over draws of the impostors.",
)
@click.option(
    "--unknown-prior",
    type=float,
    callback=_rate,
    default=0.5,
    show_default=True,
    help="Share of unknown queries for which the probabilities hold.",
)
@place_option
@json_option
@quiet_option
def calibrate_command(
    index: str | None,
    far: float,
    impostors: str | None,
    confidence: float,
    unknown_prior: float,
    encoder: str | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Find the threshold of recognize for a false-accept rate of at most --far.

    With impostors the rate is guaranteed with the confidence, however the scores are distributed. They must be drawn
    like the unknown inputs to come. Without impostors it is an estimate.
    """
    from simsearch.collection.entry import open_one

    with open_one(index, encoder) as collection:
        report = collection.calibrate(
            far, impostors=impostors, confidence=confidence, unknown_prior=unknown_prior, progress=progress(quiet)
        )
    print_skipped(report.left_out)
    if as_json:
        print_json(calibration_report_record(report))
    elif not quiet:
        _print_calibration(report)
    return 0


def _print_calibration(report: CalibrationReport) -> None:
    made = report.calibration
    held = made.threshold
    if held.guaranteed:
        print_line(
            f"threshold {held.score:.4f}: at most {held.rate:g} of unknown inputs are accepted, at confidence "
            f"{held.confidence:g} ({held.exceeding:,} of {held.impostors:,} impostors score higher)"
        )
    else:
        coarse = f", too few for a rate below {1 / held.impostors:.2g}" if held.rate * held.impostors < 1 else ""
        print_line(
            f"threshold {held.score:.4f}: estimate, no guarantee, of a false-accept rate of {held.rate:g}, from "
            f"leaving out each of {held.impostors:,} identities in turn{coarse}. For a guarantee: --impostors FOLDER"
        )
    for one in report.projections:
        rates = f"{one.rate:.3g}, at worst {one.worst:.3g}"
        print_line(f"projection to a gallery {one.times} times as large: {rates}; not measured")
    if made.probability is None:
        print_line("no probabilities: no identity has enough examples, and the encoder has no curve of its own")
    elif made.probability.kind == "encoder":
        print_line(FROM_ENCODER)
    else:
        kind = "mean of isotonic and logistic" if made.probability.kind == "mean" else made.probability.kind
        print_line(
            f"probabilities: {kind}, cross-validated log loss {made.probability.log_loss:.3f}, for "
            f"{made.prior:g} unknown inputs"
        )
