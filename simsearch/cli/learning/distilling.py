"""simsearch distill."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from simsearch.cli.options import (
    convention_option,
    encoding_option,
    exclude_option,
    hidden_option,
    json_option,
    quiet_option,
    score_range_option,
    strict_option,
)
from simsearch.cli.output import print_json, print_line, print_skipped, progress
from simsearch.records import skip_records

if TYPE_CHECKING:
    from simsearch.training.distillation.session import Distilled


@click.command("distill")
@click.argument("teacher", metavar="TEACHER")
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True)
@click.option("-o", "--out", required=True, metavar="FOLDER", help="Encoder folder to write, such as encoders/NAME.")
@click.option("--validate", "validation", metavar="FILE", help="Graded pairs to validate on; not trained on.")
@click.option(
    "--columns", metavar="NAMES", help="Names of the columns of tables, or ROLE=NAME,...; see docs/training-data.md."
)
@convention_option
@score_range_option
@click.option("--by-line", is_flag=True, help="In folders, each line of a file is one text.")
@encoding_option
@strict_option
@exclude_option
@hidden_option
@click.option("--tokenizer", metavar="PLACE", help="Folder to take the tokenizer from.  [default: the teacher]")
@click.option("--dim", type=int, default=256, show_default=True, help="Dimensions of the embeddings.")
@click.option("--vocabulary", type=int, default=18_000, show_default=True, help="Maximum size of the vocabulary.")
@click.option("--codes", type=int, default=2_048, show_default=True, help="Hash buckets for product codes; 0 for none.")
@click.option("--epochs", type=int, default=4, show_default=True, help="Passes over the texts.")
@click.option("--seed", type=int, default=0, show_default=True, help="Random seed.")
@click.option("--restart", is_flag=True, help="Start again instead of resuming from a checkpoint.")
@click.option("--overwrite", is_flag=True, help="Replace an existing encoder.")
@json_option
@quiet_option
def distill_command(
    teacher: str,
    sources: tuple[str, ...],
    out: str,
    validation: str | None,
    columns: str | None,
    convention: str | None,
    score_range: tuple[float, float] | None,
    by_line: bool,
    encoding: str | None,
    strict: bool,
    exclude: tuple[str, ...],
    include_hidden: bool,
    tokenizer: str | None,
    dim: int,
    vocabulary: int,
    codes: int,
    epochs: int,
    seed: int,
    restart: bool,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Distill a large text encoder into a small, fast one.

    TEACHER is a text encoder, such as the folder of a sentence-transformers model. Each SOURCE is a file or folder of
    texts; the grades of graded pairs, and the labels of pairs that are the same or different, are trained on too. A
    stopped run resumes when the same command is given again.
    """
    from simsearch.labelled.reading import Reading
    from simsearch.training import Distilling, distill

    how = Distilling(dim=dim, vocabulary=vocabulary, codes=codes, epochs=epochs, seed=seed)
    made = distill(
        teacher,
        sources,
        out,
        validation=validation,
        tokenizer=tokenizer,
        how=how,
        restart=restart,
        reading=Reading(
            columns=columns,
            convention=convention,
            score_range=score_range,
            by_line=by_line,
            encoding=encoding,
            strict=strict,
            exclude=exclude,
            include_hidden=include_hidden,
        ),
        overwrite=overwrite,
        progress=progress(quiet),
    )
    _print(made, as_json)
    return 0


def _print(made: Distilled, as_json: bool) -> None:
    print_skipped(made.skipped)
    figure = made.config.figures["validation"]
    if as_json:
        print_json(
            {
                "folder": str(made.folder),
                "fingerprint": made.config.fingerprint,
                "validation": figure,
                "steps": made.config.training["steps_taken"],
                "texts": made.config.training["texts"],
                "skipped_files": skip_records(made.skipped),
            }
        )
    else:
        print_line(f"{made.folder}: {made.config.parameters:,} parameters, validation {figure:.4f}")
