"""simsearch query."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from simsearch.cli.options import (
    comparable,
    file_option,
    force_option,
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
    print_status,
    print_table,
    print_unanswered,
    shown,
)
from simsearch.types import Skip

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
@place_option
@click.option("--save", metavar="SHEET.png", type=click.Path(), help="Save a contact sheet of the matches.")
@force_option
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
    encoder: str | None,
    save: str | None,
    force: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Find the items most similar to an image or a text.

    An argument is a file if one of that name exists, else an item of the collection (such as faq.csv#7), else a text;
    - is standard input. Several queries are answered in turn.
    """
    from simsearch.collection.entry import ask, check_drawable, open_one

    if threshold is not None:
        print_status("query --threshold is deprecated: use --min-score")
        min_score = threshold if min_score is None else min_score
    if save is not None:
        from simsearch.media.sheets import check_sheet

        check_sheet(Path(save), force=force)
    given = questions(sources, as_text=as_text, as_file=as_file)
    with open_one(index, encoder) as collection:
        if save is not None:
            check_drawable(collection)
        if not quiet:
            remark_words(collection, given)
        answers = []
        for answer in ask(collection, given, k=top, min_score=min_score, exclude_self=exclude_self):
            if isinstance(answer, Skip):
                print_unanswered(answer, as_json)
            else:
                _print(answer, as_json, titled=len(sources) > 1)
                answers.append(answer)
    if save is not None and answers:
        from simsearch.collection.entry import save_matches

        files = save_matches(answers, Path(save), force=force)
        if not (quiet or as_json):
            print_status(f"sheet: {', '.join(map(str, files))}")
    return 0 if answers else 1


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
