"""Options that several commands share."""

from __future__ import annotations

import math

import click

index_option = click.option(
    "--index", "index", metavar="NAME|PATH",
    help="Which collection: a name under indexes/ (or $SIMSEARCH_HOME), or a folder. Default: the only one there is.",
)  # fmt: skip
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
quiet_option = click.option("--quiet", is_flag=True, help="No progress and no remarks; errors are still told.")
top_option = click.option(
    "-k", "--top", default=10, show_default=True, type=click.IntRange(1), help="How many matches."
)


def _comparable(context: click.Context, parameter: click.Parameter, value: float | None) -> float | None:
    """The value, unless it is "nan", which lies in every range and below no score."""
    if value is not None and math.isnan(value):
        raise click.BadParameter("nan is no number to compare with", context, parameter)
    return value


threshold_option = click.option(
    "-t", "--threshold", type=click.FloatRange(-1, 1), callback=_comparable,
    help="Least score, a cosine from -1 to 1.",
)  # fmt: skip
