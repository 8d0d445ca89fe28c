"""simsearch query."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from simsearch.cli.options import (
    comparable,
    encoding_option,
    file_option,
    index_option,
    json_option,
    min_score_option,
    place_option,
    questions,
    quiet_option,
    remark_words,
    text_option,
    top_option,
)
from simsearch.cli.output import (
    match_record,
    on_a_line,
    print_json,
    print_line,
    print_skipped,
    print_status,
    print_table,
    shown,
)

if TYPE_CHECKING:
    from simsearch.collection.entry import Answer


@click.command("query")
@click.argument("sources", metavar="FILE|TEXT|-...", nargs=-1, required=True)
@index_option
@top_option
@min_score_option
@click.option("--threshold", type=click.FloatRange(-1, 1), callback=comparable, hidden=True)
@click.option("--exclude-self", is_flag=True, help="Leave the query itself out of its results.")
@text_option
@file_option
@encoding_option
@place_option
@click.option("--save", metavar="SHEET.png", type=click.Path(), help="Save a contact sheet of the matches.")
@json_option
@quiet_option
def query_command(
    sources: tuple[str, ...],
    index: str | None,
    top: int,
    min_score: float | None,
    threshold: float | None,
    exclude_self: bool,
    as_text: bool,
    as_file: bool,
    encoding: str | None,
    encoder: str | None,
    save: str | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Find the items most similar to an image or a text.

    An argument is a file if one of that name exists, else an item of the collection (such as faq.csv#7), else a text;
    - is standard input. Several queries are answered in turn.
    """
    from simsearch.collection.entry import ask, check_sheet, open_one

    if threshold is not None:
        print_status("query --threshold is deprecated: use --min-score")
        min_score = threshold if min_score is None else min_score
    given = questions(sources, as_text=as_text, as_file=as_file)
    with open_one(index, encoder) as collection:
        if save is not None:
            check_sheet(collection)
        if not quiet:
            remark_words(collection, given)
        answered = ask(collection, given, k=top, min_score=min_score, exclude_self=exclude_self, encoding=encoding)
        print_skipped(answered.skipped)
        for answer in answered.answers:
            _print(answer, as_json, titled=len(sources) > 1)
    if save is not None and answered.answers:
        from simsearch.collection.entry import save_matches

        save_matches(answered.answers, Path(save))
        if not (quiet or as_json):
            print_status(f"sheet: {save}")
    return 0 if answered.answers else 1


def _print(answer: Answer, as_json: bool, titled: bool) -> None:
    if as_json:
        for match in answer.matches:
            print_json(match_record(answer.query, match, answer.score_kind))
        return
    if titled:
        print_line(f"{on_a_line(answer.query)}:")
    if not answer.matches:
        print_line("no match")
        return
    labelled = any(match.item.label for match in answer.matches)
    texts = any(match.item.text is not None for match in answer.matches)
    rows = [
        (
            match.rank,
            f"{match.score:.3f}",
            *([match.item.label or ""] if labelled else []),
            shown(match.item.uri),
            *([match.item.text or ""] if texts else []),
        )
        for match in answer.matches
    ]
    print_table(rows, right=(0, 1), shortened=texts)
