"""Options that several commands share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from simsearch.cli.output import on_a_line, print_status, read_standard_input
from simsearch.errors import UsageError
from simsearch.media.files import is_url
from simsearch.types import Text

if TYPE_CHECKING:
    from simsearch.collection.facade import Collection

index_option = click.option(
    "--index",
    "index",
    metavar="NAME|PATH",
    help="The collection: a name under indexes/ (or $SIMSEARCH_HOME), or a folder.  [default: the only one there is]",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object per line.")
quiet_option = click.option("--quiet", is_flag=True, help="Print no progress and no remarks, only results and errors.")
encoder_option = click.option(
    "--encoder",
    metavar="NAME|FOLDER",
    help="Encoder of a new collection, or where that of the collection was moved to.  [default: photo, or text for "
    "texts]",
)
place_option = click.option(
    "--encoder", metavar="FOLDER", help="Where the encoder of the collection was moved to, which is remembered."
)
text_option = click.option(
    "--text", "as_text", is_flag=True, help="Treat all arguments as texts, even if such a file exists."
)
file_option = click.option("--file", "as_file", is_flag=True, help="Treat all arguments as files, even if none exists.")
where_option = click.option(
    "--where",
    metavar="CONDITION",
    help="Only items for which this holds, such as \"label = 'cat' and size > 1000\": fields are label, path, name, "
    "folder, date, size, width, height, kind, text, problem, and the keys of the metadata.",
)
top_option = click.option(
    "-k", "--top", type=click.IntRange(1), help="Number of matches.  [default: 10, or all with --min-score]"
)


def comparable(context: click.Context, parameter: click.Parameter, value: float | None) -> float | None:
    """The value, unless it is "nan", which lies in every range and below no score."""
    if value is not None and math.isnan(value):
        raise click.BadParameter("nan is not a number to compare with", context, parameter)
    return value


force_option = click.option(
    "--force", is_flag=True, help="Replace a file that is there and was not written by simsearch."
)
threshold_option = click.option(
    "-t",
    "--threshold",
    type=click.FloatRange(-1, 1),
    callback=comparable,
    help="Minimum score of a known label, a cosine similarity from -1 to 1.",
)
same_option = click.option(
    "-t",
    "--threshold",
    type=click.FloatRange(-1, 1),
    callback=comparable,
    help="Score from which on the two count as the same, from -1 to 1.  [default: of the encoder's own curve]",
)
min_score_option = click.option(
    "-t",
    "--min-score",
    type=click.FloatRange(-1, 1),
    callback=comparable,
    help="Minimum score of a match, a cosine similarity from -1 to 1.",
)


convention_option = click.option(
    "--convention",
    type=click.Choice(["same", "different"]),
    help="Meaning of 1 in a table of pairs whose column is not named same or different.",
)


encoding_option = click.option(
    "--encoding",
    metavar="NAME",
    help="Encoding of texts and tables without a byte order mark, such as cp1252 or utf-16-le.  [default: utf-8]",
)
exclude_option = click.option(
    "--exclude",
    multiple=True,
    metavar="PATTERN",
    help="Leave out files and folders of a folder, as in .gitignore; may be repeated. Or write a .simsearchignore.",
)
hidden_option = click.option("--include-hidden", is_flag=True, help="Include names that begin with a dot.")
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
        raise click.BadParameter(f"{value!r} is not a range; give two numbers as 0,5", context, parameter) from None
    return low, high


score_range_option = click.option(
    "--score-range",
    callback=_range,
    metavar="LOW,HIGH",
    help="The grades for dissimilar and for identical, such as 0,5.  [default: the smallest and largest in the data]",
)


def remark_words(collection: Collection, given: Sequence[str | Path | bytes]) -> None:
    """Prints which arguments look like missing files and are treated as texts, and what of them is unknown or cut."""
    from simsearch.collection.querying import is_folder, remarks, taken_as_text, unknown_words

    for words in taken_as_text(collection, given):
        found = "a folder" if is_folder(words) else "no such file"
        print_status(f"{words}: {found}, treated as a text; --file requires a file, --text states that it is a text")
    for words, remark in remarks(collection, given).items():
        print_status(f"{on_a_line(words, 60)}: {remark}")
    for word in unknown_words(collection, given):
        print_status(f"{word}: not in the vocabulary of {collection.encoder.name}, ignored")


def questions(arguments: Sequence[str], *, as_text: bool, as_file: bool) -> list[str | Path | bytes]:
    """The arguments as queries: bytes of standard input for -, texts or paths as the options say, else plain strings.

    The collection decides what a plain string is (see `querying.interpret`).
    """
    if as_text and as_file:
        raise UsageError("--text and --file exclude each other; give one of them")
    # A Path would drop one of the slashes of a URL, which the message names.
    kinds = [Text if as_text else Path if as_file and not is_url(argument) else str for argument in arguments]
    return [
        read_standard_input() if argument == "-" else kind(argument)
        for kind, argument in zip(kinds, arguments, strict=True)
    ]
