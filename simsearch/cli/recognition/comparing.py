"""simsearch compare."""

from __future__ import annotations

import click

from simsearch.cli.options import (
    encoding_option,
    file_option,
    index_option,
    json_option,
    questions,
    same_option,
    text_option,
)
from simsearch.cli.output import print_json, print_line
from simsearch.records import comparison_record


@click.command("compare")
@click.argument("first", metavar="FILE|TEXT")
@click.argument("second", metavar="FILE|TEXT")
@index_option
@click.option(
    "--encoder",
    metavar="NAME|FOLDER",
    help="The encoder.  [default: that of the collection, else photo, or text for texts]",
)
@text_option
@file_option
@encoding_option
@same_option
@json_option
def compare_command(
    first: str,
    second: str,
    index: str | None,
    encoder: str | None,
    as_text: bool,
    as_file: bool,
    encoding: str | None,
    threshold: float | None,
    as_json: bool,
) -> int:
    """Print whether two images, or two texts, are of the same identity.

    The probability is for equally many same and different pairs, and from the encoder's own held-out classes.
    """
    from simsearch.collection.identity_entry import compare_two

    one, other = questions([first, second], as_text=as_text, as_file=as_file)
    found = compare_two(one, other, index=index, encoder=encoder, threshold=threshold, encoding=encoding)
    if as_json:
        print_json(comparison_record(first, second, found))
    else:
        chance = "" if found.probability is None else f"P(same) {found.probability:.3f}, "
        verdict = "same" if found.same else "different"
        print_line(f"{verdict}: {chance}score {found.score:.3f}, the same from {found.threshold:.3f}")
    return 0
