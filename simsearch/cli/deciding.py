"""simsearch recognize, calibrate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from simsearch.cli.options import (
    encoding_option,
    file_option,
    index_option,
    json_option,
    place_option,
    questions,
    quiet_option,
    remark_words,
    text_option,
    threshold_option,
)
from simsearch.cli.output import (
    on_a_line,
    print_json,
    print_line,
    print_skipped,
    print_status,
    print_table,
    progress,
    rounded,
    skip_records,
)

if TYPE_CHECKING:
    from simsearch.collection.entry import Recognitions
    from simsearch.collection.identities.calibrating import CalibrationReport
    from simsearch.types import Recognition

FROM_ENCODER = "probabilities are from the encoder's own classes: too few identities have several examples"


@click.command("recognize")
@click.argument("sources", metavar="FILE|TEXT|-...", nargs=-1, required=True)
@index_option
@text_option
@file_option
@encoding_option
@threshold_option
@click.option("--distinct", is_flag=True, help="The arguments are all different identities: no label is given twice.")
@place_option
@json_option
@quiet_option
def recognize_command(
    sources: tuple[str, ...],
    index: str | None,
    encoder: str | None,
    as_text: bool,
    as_file: bool,
    encoding: str | None,
    threshold: float | None,
    distinct: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Print the enrolled label of each image or text, or "unknown" below the threshold.

    The threshold is that of the last calibrate, unless -t gives another; without both the answer is always the label
    of the nearest example.
    """
    from simsearch.collection.entry import identify, open_one

    given = questions(sources, as_text=as_text, as_file=as_file)
    with open_one(index, encoder) as collection:
        if not quiet:
            remark_words(collection, given)
        identified = identify(collection, given, threshold=threshold, distinct=distinct, encoding=encoding)
    print_skipped(identified.skipped)
    if as_json:
        for query, recognition in identified.answers:
            print_json(_record(query, recognition))
    elif identified.answers:
        print_table([_row(query, recognition) for query, recognition in identified.answers], right=(1, 2))
    if not (as_json or quiet):
        _print_remarks(identified, threshold)
    return 0 if identified.answers else 1


def _row(query: str, answer: Recognition) -> tuple[str, ...]:
    """Label, probability if there is one, score and query."""
    chance = () if answer.probability is None else (f"p {answer.probability:.3f}",)
    return (_label(answer), *chance, f"{answer.score:.3f}", on_a_line(query))


def _print_remarks(identified: Recognitions, threshold: float | None) -> None:
    calibration = identified.calibration
    if calibration is None:
        if threshold is None and identified.answers:
            print_status(_without_threshold(identified.encoder))
        return
    if identified.stale is not None:
        print_status(
            f"stale: the calibration no longer holds ({identified.stale}). Calibrate again: simsearch calibrate "
            f"--far {calibration.threshold.rate:g}"
        )
    if calibration.probability is not None and calibration.probability.kind == "encoder":
        print_status(
            "probabilities are from the encoder's own classes: no identity has enough examples to measure them"
        )


def _without_threshold(encoder: str) -> str:
    of_encoder = f"; simsearch info {encoder} shows those of the encoder's own data" if encoder else ""
    return (
        "no threshold was given, so nothing can be unknown. To find one: simsearch calibrate --far RATE --impostors "
        f"FOLDER, with inputs of identities that are not enrolled{of_encoder}"
    )


def _label(recognition: Recognition) -> str:
    return "unknown" if recognition.label is None else recognition.label


def _record(query: str, recognition: Recognition) -> dict[str, object]:
    second = recognition.runner_up
    return {
        "query": query,
        "label": recognition.label,
        "probability": rounded(recognition.probability),
        "impostor_p_value": rounded(recognition.impostor_p_value),
        "score": round(recognition.score, 6),
        "threshold": recognition.threshold,
        "stale": recognition.stale,
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
    help="False-accept rate: the share of unknown queries that may be given a label, as 0.01.",
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
@encoding_option
@place_option
@json_option
@quiet_option
def calibrate_command(
    index: str | None,
    far: float,
    impostors: str | None,
    confidence: float,
    unknown_prior: float,
    encoding: str | None,
    encoder: str | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Find the threshold of recognize at which unknown inputs are accepted at a rate of at most --far.

    With impostors the rate is guaranteed with the confidence, however the scores are distributed. They must be drawn
    like the unknown inputs that will come. Without impostors it is an estimate.
    """
    from simsearch.collection.entry import open_one

    with open_one(index, encoder) as collection:
        report = collection.calibrate(
            far,
            impostors=impostors,
            confidence=confidence,
            unknown_prior=unknown_prior,
            encoding=encoding,
            progress=progress(quiet),
        )
    print_skipped(report.left_out)
    if as_json:
        print_json(_calibration_record(report))
    elif not quiet:
        _print_calibration(report)
    return 0


def _calibration_record(report: CalibrationReport) -> dict[str, object]:
    threshold, curve = report.calibration.threshold, report.calibration.probability
    return {
        "threshold": threshold.score,
        "far": threshold.rate,
        "confidence": threshold.confidence,
        "guaranteed": threshold.guaranteed,
        "impostors": threshold.impostors if threshold.guaranteed else 0,
        "exceeding": threshold.exceeding,
        "identities": report.calibration.identities,
        "examples": report.calibration.examples,
        "unknown_prior": report.calibration.prior,
        "probability": None if curve is None else {"kind": curve.kind, "log_loss": curve.log_loss},
        "projections": [{"times": one.times, "far": one.rate, "worst": one.worst} for one in report.projections],
        "left_out": skip_records(report.left_out),
    }


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
        print_line(
            f"probabilities: {made.probability.kind}, cross-validated log loss {made.probability.log_loss:.3f}, for "
            f"{made.prior:g} unknown inputs"
        )
