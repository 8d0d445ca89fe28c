"""simsearch dedupe calibrate."""

from __future__ import annotations

import click

from simsearch.cli.options import index_option, json_option, quiet_option
from simsearch.cli.output import counted, print_json, print_line, print_skipped
from simsearch.errors import UsageError
from simsearch.records import skip_records


@click.command("calibrate")
@click.argument("pairs", metavar="[PAIRS.csv]", required=False)
@index_option
@click.option(
    "--precision",
    type=float,
    default=0.99,
    show_default=True,
    help="Share of the accepted pairs that must be copies.",
)
@click.option("--reset", is_flag=True, help="Return to the default score.")
@json_option
@quiet_option
def calibrate_command(
    pairs: str | None, index: str | None, precision: float, reset: bool, as_json: bool, quiet: bool
) -> int:
    """Choose the score from which on pairs count as copies, from labeled pairs.

    PAIRS.csv has the columns a and b (paths, relative to the table, or names of items) and same (1 for copies). The
    lowest score is taken that has the precision on these pairs; find and plan use it unless --strict or --loose is
    given.
    """
    from simsearch.collection.entry import open_one

    if (pairs is None) != reset:
        raise UsageError("give a table of labeled pairs, or --reset without one")
    with open_one(index) as collection:
        found = collection.calibrate_duplicates(pairs, precision=precision)
    skipped = () if found is None else found.skipped
    print_skipped(skipped)
    if as_json:
        fields = ("score", "precision", "recall", "pairs", "accepted")
        record = {field: None if found is None else getattr(found, field) for field in fields}
        print_json({**record, "skipped_files": skip_records(skipped)})
    elif found is None and not quiet:
        print_line("Copies are accepted from the default score on.")
    elif found is not None and not quiet:
        print_line(
            f"Copies are accepted from a score of {found.score:.3f} on: {found.accepted:,} of "
            f"{counted(found.pairs, 'labeled pair')}, precision {found.precision:.3f}, recall {found.recall:.3f}"
        )
    return 0
