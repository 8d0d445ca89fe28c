"""Options that several commands share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from simsearch.cli.output import read_standard_input, tell
from simsearch.errors import UsageError
from simsearch.types import Text

if TYPE_CHECKING:
    from simsearch.collection.facade import Collection

index_option = click.option(
    "--index",
    "index",
    metavar="NAME|PATH",
    help="Which collection: a name under indexes/ (or $SIMSEARCH_HOME), or a folder. Default: the only one there is.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
quiet_option = click.option("--quiet", is_flag=True, help="No progress and no remarks; errors are still told.")
text_option = click.option("--text", "as_text", is_flag=True, help="Take arguments as texts, also where a file is.")
file_option = click.option("--file", "as_file", is_flag=True, help="Take arguments as files, also where none is.")
top_option = click.option(
    "-k", "--top", default=10, show_default=True, type=click.IntRange(1), help="How many matches."
)


def comparable(context: click.Context, parameter: click.Parameter, value: float | None) -> float | None:
    """The value, unless it is "nan", which lies in every range and below no score."""
    if value is not None and math.isnan(value):
        raise click.BadParameter("nan is no number to compare with", context, parameter)
    return value


threshold_option = click.option(
    "-t",
    "--threshold",
    type=click.FloatRange(-1, 1),
    callback=comparable,
    help="Least score, a cosine from -1 to 1.",
)


convention_option = click.option(
    "--convention",
    type=click.Choice(["same", "different"]),
    help="What 1 means in a pair file whose column is not named same or different.",
)


encoding_option = click.option(
    "--encoding",
    metavar="NAME",
    help="Encoding of texts and tables without a byte order mark, as cp1252 or utf-16-le.  [default: utf-8]",
)
strict_option = click.option(
    "--strict", is_flag=True, help="Refuse tables with rows that cannot be used, in place of skipping these."
)


def _range(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[float, float] | None:
    if value is None:
        return None
    try:
        low, high = map(float, value.split(","))
    except ValueError:
        low = high = math.nan
    if not (math.isfinite(low) and math.isfinite(high)):
        raise click.BadParameter(f"{value!r} is no range; give two numbers as 0,5", context, parameter) from None
    return low, high


score_range_option = click.option(
    "--score-range",
    callback=_range,
    metavar="LOW,HIGH",
    help="The grades that mean not alike at all and the same, as 0,5.  [default: the least and largest there are]",
)


def remark_words(collection: Collection, given: Sequence[str | Path | bytes]) -> None:
    """Tells which arguments look like files that are not there, and are taken as texts, and which words are unknown."""
    from simsearch.collection.querying import taken_as_words, unknown_words

    for words in taken_as_words(collection, given):
        tell(f"{words}: no such file, taken as a text; --file wants a file, --text is sure that it is none")
    for word in unknown_words(collection, given):
        tell(f"{word}: not known to {collection.encoder.name}, left out of what is asked")


def questions(arguments: Sequence[str], *, as_text: bool, as_file: bool) -> list[str | Path | bytes]:
    """What the arguments stand for: - is standard input, others are texts or files where that is said.

    What is left open the collection decides (see `querying.understood`).
    """
    if as_text and as_file:
        raise UsageError("--text and --file exclude each other; give one of them")
    kind = Text if as_text else Path if as_file else str
    return [read_standard_input() if argument == "-" else kind(argument) for argument in arguments]
