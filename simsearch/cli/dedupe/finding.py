"""simsearch dedupe find and plan."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from simsearch.cli.dedupe.printing import print_apart, print_group, print_stages, size
from simsearch.cli.options import index_option, json_option, quiet_option
from simsearch.cli.output import counted, print_json, print_line, print_skipped, progress
from simsearch.errors import UsageError
from simsearch.records import pair_record, skip_records

if TYPE_CHECKING:
    from simsearch.collection.facade import Collection
    from simsearch.progress import Progress
    from simsearch.types import Skip

FOUND = 3
"""The exit code of `find` when there are duplicates."""
_F = TypeVar("_F", bound=Callable[..., Any])


def _comparing(function: _F) -> _F:
    """The arguments and options of `find` and `plan`."""
    for option in (
        click.argument("target", metavar="[COLLECTION|FOLDER]", required=False),
        index_option,
        click.option("--encoder", metavar="NAME|FOLDER", help="Encoder of a new collection, as in index."),
        click.option(
            "--against",
            metavar="COLLECTION|FOLDER",
            help="Reference that is never touched: find what has a copy in it.",
        ),
        click.option("--strict", is_flag=True, help="Only very certain copies."),
        click.option("--loose", is_flag=True, help="Less certain copies as well, for you to look at."),
        click.option(
            "--keep",
            metavar="CRITERION,...",
            help="What decides which copy is kept, most important first: folder, resolution, sharpness, color, "
            "metadata, compression, format, age, newest, size, smallest.",
        ),
        click.option(
            "--prefer", metavar="FOLDER", multiple=True, help="Keep the copies in this folder; can be repeated."
        ),
    )[::-1]:
        function = option(function)
    return function


@click.command("find")
@_comparing
@json_option
@quiet_option
def find_command(
    target: str | None,
    index: str | None,
    encoder: str | None,
    against: str | None,
    strict: bool,
    loose: bool,
    keep: str | None,
    prefer: tuple[str, ...],
    as_json: bool,
    quiet: bool,
) -> int:
    """List duplicates: equal files, equal pixels, and edited copies.

    A FOLDER is indexed first. Of texts: equal ones, and near ones with the same words, numbers and names. The exit code
    is 3 if there are any, 0 if there are none.
    """
    wanted = _wanted(strict, loose, keep, prefer)
    with _sides(target, index, encoder, against, progress(quiet)) as (collection, other, skipped):
        report = collection.find_duplicates(against=other, progress=progress(quiet), **wanted)
    skipped = (*skipped, *report.skipped)
    print_skipped(skipped)
    found = bool(report.groups or report.apart)
    if as_json:
        for pair in report.each_pair():
            print_json(pair_record(pair))
    else:
        for group in report.groups:
            print_group(group)
        for pair in report.apart:
            print_apart(pair)
    if not quiet:
        print_stages(report)
    return FOUND if found else 0


@click.command("plan")
@_comparing
@click.option("-o", "--output", required=True, metavar="PLAN.json", help="The file to write.")
@click.option("--report", metavar="REPORT.html", help="Write a page that shows each copy beside the one that is kept.")
@click.option("--force", is_flag=True, help="Replace a file that is no plan or report.")
@json_option
@quiet_option
def plan_command(
    target: str | None,
    index: str | None,
    encoder: str | None,
    against: str | None,
    strict: bool,
    loose: bool,
    keep: str | None,
    prefer: tuple[str, ...],
    output: str,
    report: str | None,
    force: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Write a plan of what to remove, with the reason for each file; nothing is removed.

    The plan is JSON, to be edited: "remove" becomes "leave" for what should stay. Sidecars go with their picture; a
    picture with a RAW file or a video stays unless the kept one has the same.
    """
    from simsearch.duplicates.removal.plan_file import check_plan_place
    from simsearch.duplicates.report.writing import check_report

    check_plan_place(Path(output), force=force)
    if report is not None:
        check_report(Path(report), force=force)
    wanted = _wanted(strict, loose, keep, prefer)
    with _sides(target, index, encoder, against, progress(quiet)) as (collection, other, skipped):
        planned = collection.plan_duplicates(
            output, report=report, force=force, against=other, progress=progress(quiet), **wanted
        )
    skipped = (*skipped, *planned.report.skipped, *planned.skipped)
    print_skipped(skipped)
    totals = planned.totals
    if as_json:
        print_json(
            {
                "plan": output,
                "groups": totals.groups,
                "files": totals.files,
                "bytes": totals.bytes,
                "skipped_files": skip_records(skipped),
            }
        )
    elif not quiet:
        print_line(
            f"{output}: {counted(totals.groups, 'group')}, {counted(totals.files, 'file')} to remove, which frees "
            f"{size(totals.bytes)}. Look at it, then: simsearch dedupe apply {output}"
        )
    return 0


@contextlib.contextmanager
def _sides(
    target: str | None, index: str | None, encoder: str | None, against: str | None, shows: Progress
) -> Iterator[tuple[Collection, Collection | None, tuple[Skip, ...]]]:
    """The collection that is searched, the reference, and files of both that could not be indexed."""
    from simsearch.collection.duplicate_entry import opened, reference

    with opened(target, index, shows, encoder) as own, reference(against, own.collection, shows) as other:
        skipped = (*own.skipped, *(other.skipped if other else ()))
        yield own.collection, other.collection if other else None, skipped


def _wanted(strict: bool, loose: bool, keep: str | None, prefer: tuple[str, ...]) -> dict[str, Any]:
    """The arguments of the search, checked before anything is indexed."""
    from simsearch.collection.duplicates.finding import Wanted

    if strict and loose:
        raise UsageError("--strict and --loose exclude each other; give one of them")
    preset = "strict" if strict else "loose" if loose else "default"
    criteria = tuple(name.strip() for name in keep.split(",")) if keep else ()
    folders = tuple(os.path.abspath(folder) for folder in prefer)  # noqa: PTH100  (items keep their links)
    Wanted(preset, criteria, folders)
    return {"preset": preset, "keep": criteria, "folders": folders}
