"""simsearch query."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from simsearch.cli.options import index_option, json_option, quiet_option, threshold_option, top_option
from simsearch.cli.output import match_record, read_standard_input, say, say_json, shown, table, tell, tell_skipped

if TYPE_CHECKING:
    from simsearch.collection.entry import Answer


@click.command("query")
@click.argument("sources", metavar="FILE|-...", nargs=-1, required=True)
@index_option
@top_option
@threshold_option
@click.option("--exclude-self", is_flag=True, help="Leave out the picture that is asked for itself.")
@click.option("--save", metavar="SHEET.png", type=click.Path(), help="Draw a sheet of the matches.")
@json_option
@quiet_option
def query_command(
    sources: tuple[str, ...], index: str | None, top: int, threshold: float | None, exclude_self: bool,
    save: str | None, as_json: bool, quiet: bool,
) -> int:  # fmt: skip
    """Find the items most like a picture.

    FILE may be any picture, an item of the collection, or - for standard input. Several are answered in turn.
    """
    from simsearch.collection.entry import ask, open_one

    given = [read_standard_input() if source == "-" else source for source in sources]
    with open_one(index) as collection:
        answered = ask(collection, given, k=top, min_score=threshold, exclude_self=exclude_self)
        tell_skipped(answered.skipped)
        for answer in answered.answers:
            _print(answer, as_json, titled=len(sources) > 1)
    if save is not None and answered.answers:
        from simsearch.collection.entry import save_matches

        save_matches(answered.answers, Path(save))
        if not (quiet or as_json):
            tell(f"sheet: {save}")
    return 0 if answered.answers else 1


def _print(answer: Answer, as_json: bool, titled: bool) -> None:
    if as_json:
        for match in answer.matches:
            say_json(match_record(answer.query, match))
        return
    if titled:
        say(f"{answer.query}:")
    if not answer.matches:
        say("no match")
        return
    labelled = any(match.item.label for match in answer.matches)
    rows = [
        (match.rank, f"{match.score:.3f}", *([match.item.label or ""] if labelled else []), shown(match.item.uri))
        for match in answer.matches
    ]
    table(rows, right=(0, 1))
