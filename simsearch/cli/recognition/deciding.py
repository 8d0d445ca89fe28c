"""simsearch recognize."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from simsearch.cli.options import (
    encoding_option,
    file_option,
    force_option,
    index_option,
    json_option,
    place_option,
    questions,
    quiet_option,
    remark_words,
    text_option,
    threshold_option,
)
from simsearch.cli.output import on_a_line, print_json, print_status, print_table, print_unanswered
from simsearch.records import recognition_record
from simsearch.types import Skip

if TYPE_CHECKING:
    from simsearch.collection.facade import Collection
    from simsearch.collection.identity_entry import Identified
    from simsearch.types import Recognition

FROM_ENCODER = "probabilities are from the encoder's own curve: no identity has enough examples to fit them here"


@click.command("recognize")
@click.argument("sources", metavar="FILE|TEXT|-...", nargs=-1, required=True)
@index_option
@text_option
@file_option
@encoding_option
@threshold_option
@click.option("--distinct", is_flag=True, help="The arguments are all different identities: no label is given twice.")
@place_option
@click.option(
    "--save",
    metavar="FOLDER|SHEET.png",
    type=click.Path(path_type=Path),
    help="Save a picture of each query beside the examples that decided: one of all, or in a folder one for each.",
)
@force_option
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
    save: Path | None,
    force: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Print the enrolled label of each image or text, or "unknown" below the threshold.

    The threshold is that of the last calibrate, unless -t gives another; without both the answer is always a
    label. The score of a label is the cosine to its example; of several examples it is the average of the cosine to the
    nearest one and that to their mean.
    """
    from simsearch.collection.entry import open_one
    from simsearch.collection.identity_entry import identify

    given = questions(sources, as_text=as_text, as_file=as_file)
    with open_one(index, encoder) as collection:
        if save is not None:
            from simsearch.collection.identities.evidence import check_place

            check_place(collection, save, force=force)
        if not quiet:
            remark_words(collection, given)
        answers = []
        for answer in identify(collection, given, threshold=threshold, distinct=distinct, encoding=encoding):
            if isinstance(answer, Skip):
                print_unanswered(answer, as_json)
                continue
            answers.append(answer)
            if as_json:
                print_json(recognition_record(answer.query, answer.answer))
        if answers and not as_json:
            rows = [_row(answer) for answer in answers]
            # All but the label and the query are numbers.
            print_table(rows, right=range(1, len(rows[0]) - 1))
            if not quiet:
                _print_remarks(collection, threshold)
        if save is not None and answers:
            decided = [one.answer for one in answers]
            files = collection.save_evidence(save, [one.source for one in answers], decided, force=force)
            if not (quiet or as_json):
                print_status(f"saved: {save if save.is_dir() else ', '.join(map(str, files))}")
    return 0 if answers else 1


def _row(found: Identified) -> tuple[str, ...]:
    """Label, probability if there is one, score and query."""
    answer = found.answer
    chance = () if answer.probability is None else (f"p {answer.probability:.3f}",)
    return (_label(answer), *chance, f"{answer.score:.3f}", on_a_line(found.query))


def _print_remarks(collection: Collection, threshold: float | None) -> None:
    calibration, stale = collection.decider.calibration, collection.decider.stale
    if calibration is None:
        if threshold is None:
            print_status(_without_threshold(collection.store.setting("encoder") or ""))
        return
    if stale is not None:
        print_status(
            f"stale: the calibration no longer holds ({stale}). Calibrate again: simsearch calibrate "
            f"--far {calibration.threshold.rate:g}"
        )
    if calibration.probability is not None and calibration.probability.kind == "encoder":
        print_status(FROM_ENCODER)


def _without_threshold(encoder: str) -> str:
    of_encoder = f"; simsearch info {encoder} shows those of the encoder's own data" if encoder else ""
    return (
        "no threshold was given, so nothing can be unknown. To find one: simsearch calibrate --far RATE --impostors "
        f"FOLDER, with inputs of identities that are not enrolled{of_encoder}"
    )


def _label(recognition: Recognition) -> str:
    return "unknown" if recognition.label is None else recognition.label
