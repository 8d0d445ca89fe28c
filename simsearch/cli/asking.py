"""simsearch query, simsearch items."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from simsearch.cli.options import (
    comparable,
    encoding_option,
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
    where_option,
)
from simsearch.cli.output import (
    counted,
    item_record,
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
    from simsearch.collection.queries.asking import Answer
    from simsearch.types import Item, Match

T = TypeVar("T")
TOP = 10
ROWS_AT_ONCE = 1_000
"""Rows of a table whose columns are made equally wide."""
offset_option = click.option(
    "--offset", metavar="N", default=0, type=click.IntRange(0), help="Skip the first N, for the next page."
)


@click.command("query")
@click.argument("sources", metavar="[FILE|TEXT|-]...", nargs=-1)
@index_option
@top_option
@min_score_option
@click.option("--threshold", type=click.FloatRange(-1, 1), callback=comparable, hidden=True)
@where_option
@offset_option
@click.option("--exclude-self", is_flag=True, help="Leave the query itself out of its results.")
@click.option(
    "--mix",
    "mixes",
    metavar="SUM",
    multiple=True,
    help="Query by a weighted sum in one argument, such as 'photo.png + 0.5*\"red\" - other.png'; may be repeated.",
)
@click.option("--like", metavar="FILE|TEXT", multiple=True, help="Prefer what is like this one; may be repeated.")
@click.option("--unlike", metavar="FILE|TEXT", multiple=True, help="Avoid what is like this one; may be repeated.")
@click.option("--diverse", is_flag=True, help="Prefer matches that differ from one another, and fold near copies.")
@click.option(
    "--diversity",
    metavar="WEIGHT",
    type=click.FloatRange(0, 1),
    callback=comparable,
    help="Weight of the differences with --diverse, from 0 to 1.  [default: 0.3]",
)
@text_option
@file_option
@encoding_option
@place_option
@click.option("--save", metavar="SHEET.png", type=click.Path(), help="Save a contact sheet of the matches.")
@force_option
@json_option
@quiet_option
def query_command(
    sources: tuple[str, ...],
    index: str | None,
    top: int | None,
    min_score: float | None,
    threshold: float | None,
    where: str | None,
    offset: int,
    exclude_self: bool,
    mixes: tuple[str, ...],
    like: tuple[str, ...],
    unlike: tuple[str, ...],
    diverse: bool,
    diversity: float | None,
    as_text: bool,
    as_file: bool,
    encoding: str | None,
    encoder: str | None,
    save: str | None,
    force: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Find the items most similar to an image or a text.

    An argument is a file if one of that name exists, else an item of the collection (such as faq.csv#7), else a text;
    - is standard input. Several queries are answered in turn. -t without -k finds everything at or above that score.
    """
    from simsearch.collection.entry import open_one
    from simsearch.collection.queries.asking import Wanted, ask, check_drawable, plain

    if threshold is not None:
        print_status("query --threshold is deprecated: use --min-score")
        min_score = threshold if min_score is None else min_score
    if save is not None:
        from simsearch.media.sheets import check_sheet

        check_sheet(save, force=force)
    given = _queries(sources, mixes, like, unlike, as_text=as_text, as_file=as_file)
    wanted = Wanted(
        k=TOP if top is None and (min_score is None or diverse or diversity) else top,
        min_score=min_score,
        where=where,
        offset=offset,
        exclude_self=exclude_self,
        diverse=diverse if diversity is None else diversity,
        encoding=encoding,
        at_once=save is not None,
    )
    with open_one(index, encoder) as collection:
        if save is not None:
            check_drawable(collection)
        if not quiet:
            remark_words(collection, plain(given))
        answers = []
        for answer in ask(collection, given, wanted):
            if isinstance(answer, Skip):
                print_unanswered(answer, as_json)
            else:
                _print(answer, as_json, titled=len(given) > 1)
                answers.append(answer)
    if save is not None and answers:
        _save(answers, save, force=force, quiet=quiet or as_json)
    return 0 if answers else 1


def _queries(
    sources: Sequence[str],
    mixes: Sequence[str],
    like: Sequence[str],
    unlike: Sequence[str],
    *,
    as_text: bool,
    as_file: bool,
) -> list[Any]:
    """The queries that arguments and options make: the plain ones, each with its examples, and the sums."""
    from simsearch.collection.queries.asking import with_examples
    from simsearch.mixes import Mix

    def read(arguments: Sequence[str]) -> list[Any]:
        return questions(arguments, as_text=as_text, as_file=as_file)

    parsed = [Mix.parse(mix) for mix in mixes]
    sums = [
        Mix(zip([weight for weight, _ in mix.terms], read([term for _, term in mix.terms]), strict=True))
        for mix in parsed
    ]
    queries = with_examples([*read(sources), *sums], read(like), read(unlike))
    if not queries:
        raise click.UsageError("there is nothing to query by; give a file or a text, --mix or --like")
    return queries


def _save(answers: Sequence[Answer], save: str, *, force: bool, quiet: bool) -> None:
    from simsearch.collection.queries.asking import save_matches

    files = save_matches(answers, Path(save), force=force)
    if not quiet:
        print_status(f"sheet: {', '.join(map(str, files))}")


def _print(answer: Answer, as_json: bool, titled: bool) -> None:
    """Prints the matches as they come, so that there may be any number of them."""
    if as_json:
        for match in answer.matches:
            print_json(match_record(answer.query, match, answer.score_kind))
        return
    if titled:
        print_line(f"{on_a_line(answer.query)}:")
    none = True
    for matches in _parts(answer.matches):
        none = False
        _print_table(matches)
    if none:
        print_line("no match")


def _parts(matches: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(matches)
    while part := list(islice(rest, ROWS_AT_ONCE)):
        yield part


def _print_table(matches: Sequence[Match]) -> None:
    labelled = any(match.item.label for match in matches)
    texts = any(match.item.text is not None for match in matches)
    copied = any(match.copies for match in matches)
    rows = [
        (
            match.rank,
            f"{match.score:.3f}",
            *([counted(match.copies, "copy", "copies") if match.copies else ""] if copied else []),
            *([match.item.label or ""] if labelled else []),
            shown(match.item.uri),
            *([match.item.text or ""] if texts else []),
        )
        for match in matches
    ]
    print_table(rows, right=(0, 1), shortened=texts)


@click.command("items")
@index_option
@where_option
@click.option("-k", "--top", type=click.IntRange(1), help="Number of items.  [default: all]")
@offset_option
@json_option
@quiet_option
def items_command(
    index: str | None, where: str | None, top: int | None, offset: int, as_json: bool, quiet: bool
) -> int:
    """List the items of a collection, or those for which a condition holds.

    They are in the order in which they were added.
    """
    from simsearch.collection.entry import open_one

    count = 0
    with open_one(index) as collection:
        chosen = islice(collection.items(where), offset, None if top is None else offset + top)
        for items in _parts(chosen):
            count += len(items)
            if as_json:
                for item in items:
                    print_json(item_record(item))
            else:
                _print_items(items)
    if not (as_json or quiet):
        print_status(counted(count, "item"))
    return 0


def _print_items(items: Sequence[Item]) -> None:
    labelled = any(item.label for item in items)
    texts = any(item.text is not None for item in items)
    rows = [
        (*([item.label or ""] if labelled else []), item.uri, *([item.text or ""] if texts else [])) for item in items
    ]
    print_table(rows, shortened=texts)
