"""simsearch index, simsearch remove."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from simsearch.cli.options import (
    encoder_option,
    encoding_option,
    exclude_option,
    index_option,
    json_option,
    quiet_option,
    where_option,
)
from simsearch.cli.output import counted, print_json, print_line, print_remarks, print_skipped, print_status, progress
from simsearch.cli.watching import check_followed, follow
from simsearch.records import skip_records

if TYPE_CHECKING:
    from simsearch.collection.entry import Indexed
    from simsearch.types import AddReport


@click.command("index")
@click.argument("sources", metavar="FOLDER|FILE...", nargs=-1, required=True)
@index_option
@encoder_option
@click.option(
    "--labels",
    metavar="folder|FILE",
    help="Label items by their folder, or from a table with the columns path and label.",
)
@click.option(
    "--metadata",
    metavar="FILE",
    help="Set metadata of items from a table: the column path, and any others. Empty cells take a value away.",
)
@click.option(
    "--by",
    metavar="file|line|paragraph",
    help="Whether each .txt or .md file is one text, or each of its lines or paragraphs.  [default: file]",
)
@click.option(
    "--overlap",
    metavar="WORDS",
    type=int,
    help="Words that the parts of a long paragraph have in common, with --by paragraph.  [default: 20]",
)
@click.option("--text-column", metavar="NAME", help="Column of a table that holds the text.  [default: text]")
@click.option("--id-column", metavar="NAME", help="Column that identifies rows.  [default: id, else rows are numbered]")
@click.option("--label-column", metavar="NAME", help="Column with the labels of rows.")
@encoding_option
@exclude_option
@click.option(
    "--include-hidden/--no-include-hidden", default=None, help="Include names that begin with a dot.  [default: not]"
)
@click.option("--strict", is_flag=True, help="Skip images whose end is missing, in place of reading what is there.")
@click.option(
    "--prune",
    is_flag=True,
    help="Remove vanished items even if more than half have vanished, or their disk is not there.",
)
@click.option("--verify-content", is_flag=True, help="Read all files, also those that look unchanged.")
@click.option(
    "--recall",
    metavar="SHARE",
    type=float,
    help="Share of the ten nearest that queries must find on average; 1 compares with every vector.  [default: 0.99]",
)
@click.option("--memory", metavar="SIZE", help="Memory for building and searching the index, such as 2GB, or any.")
@click.option("--watch", is_flag=True, help="Then follow the folders, and index what changes, until Ctrl-C.")
@json_option
@quiet_option
def index_command(
    sources: tuple[str, ...],
    index: str | None,
    encoder: str | None,
    labels: str | None,
    metadata: str | None,
    by: str | None,
    overlap: int | None,
    text_column: str | None,
    id_column: str | None,
    label_column: str | None,
    encoding: str | None,
    exclude: tuple[str, ...],
    include_hidden: bool | None,
    strict: bool,
    prune: bool,
    verify_content: bool,
    recall: float | None,
    memory: str | None,
    watch: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Create or update a collection of the images, or of the texts, in folders and files.

    Texts are .txt and .md files, and the rows of tables: .csv, .tsv, .tab, .jsonl, .ndjson, .json. Only new and changed
    files are read. It can be killed at any moment: the same command resumes.
    """
    from simsearch.collection.entry import index_sources
    from simsearch.media.text_rows import Reading

    if watch:
        check_followed(sources)
    reading = Reading(by, text_column, id_column, label_column, encoding, overlap)
    done = index_sources(
        sources,
        index=index,
        encoder=encoder,
        labels=labels,
        metadata=metadata,
        reading=reading,
        prune=prune,
        verify=verify_content,
        progress=progress(quiet),
        exclude=exclude or None,
        include_hidden=include_hidden,
        strict=strict,
        recall=recall,
        memory=memory,
    )
    _print_index_report(done, as_json=as_json, quiet=quiet)
    if watch and not done.withdrawn:
        follow(done.folder, sources, labels=labels, strict=strict, prune=prune, as_json=as_json, quiet=quiet)
        return 0
    report = done.report
    present = report.added + report.reused + report.unchanged + report.updated
    return 1 if report.skipped and not present else 0


def _print_index_report(done: Indexed, *, as_json: bool, quiet: bool) -> None:
    report = done.report
    print_skipped(report.skipped)
    if not quiet:
        print_remarks(report.remarks)
    counts = {
        "added": report.added,
        "reused": report.reused,
        "unchanged": report.unchanged,
        "updated": report.updated,
        "removed": report.removed,
        "kept": report.kept,
        "renewed": report.renewed,
        "skipped": sum(skip.count for skip in report.skipped),
    }
    if as_json:
        print_json(
            {
                "collection": str(done.folder),
                "items": done.items,
                **counts,
                "vanished": report.vanished,
                "away": report.away,
                "notes": report.notes,
                "left_out": dict(report.left_out),
                "skipped_files": skip_records(report.skipped),
                "remarks": [{"path": one.path, "remark": one.text, "count": one.count} for one in report.remarks],
            }
        )
    elif done.withdrawn:
        print_status(f"Error: nothing could be stored, so {done.folder} was not made")
    elif not quiet:
        listed = ", ".join(f"{number:,} {name}" for name, number in counts.items() if number) or "nothing to do"
        print_line(f"{done.folder}: {counted(done.items, 'item')} ({listed})")
    if not quiet:
        _print_notes(report)
        _print_missing(report)


def _print_notes(report: AddReport) -> None:
    from simsearch.media.folders.filters import described

    if report.renewed:
        print_status(f"{report.renewed:,} were encoded again, as this version reads them better")
    if report.left_out:
        print_status(f"left out: {described(report.left_out)}")


def _print_missing(report: AddReport) -> None:
    """Prints what happened to items whose files were not found."""
    for note in report.notes:
        print_status(note)
    if report.away:
        print_status(f"not mounted: {', '.join(report.away)}; the items of that disk were kept, --prune removes them.")
    if report.vanished:
        print_status(
            f"{counted(report.vanished, 'item')} vanished, more than half; is a disk unmounted? They were kept; "
            "--prune removes them."
        )


@click.command("move")
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@index_option
@json_option
@quiet_option
def move_command(old: str, new: str, index: str | None, as_json: bool, quiet: bool) -> int:
    """Record that an indexed folder or file was moved from OLD to NEW. Files are not touched.

    Items keep labels, metadata and examples, and nothing is read again. A folder that was moved as it is is also
    recognized by index.
    """
    from simsearch.collection.entry import open_one

    with open_one(index) as collection:
        report = collection.move(old, new)
    if as_json:
        print_json({"old": old, "new": new, "moved": report.moved, "missing": report.missing})
    elif not quiet:
        print_line(f"{counted(report.moved, 'item')} moved")
    if report.missing and not quiet:
        print_status(f"{counted(report.missing, 'file')} not found in {new}; the next index decides on the items")
    return 0


@click.command("remove")
@click.argument("paths", metavar="[PATH]...", nargs=-1)
@index_option
@where_option
@json_option
@quiet_option
def remove_command(paths: tuple[str, ...], index: str | None, where: str | None, as_json: bool, quiet: bool) -> int:
    """Remove items from a collection, by path or by --where. Files stay.

    A PATH is a file, a folder, or a row (such as faq.csv#7). With both, the items of the paths for which the condition
    holds.
    """
    from simsearch.collection.entry import open_one

    if not paths and where is None:
        raise click.UsageError("there is nothing to remove; give paths, or --where")
    given: tuple[str | None, ...] = paths or (None,)
    with open_one(index) as collection:
        counts = {path: collection.remove(path, where=where) for path in given}
    for path, count in counts.items():
        if as_json:
            print_json({"path": path, "removed": count})
        elif count == 0:
            print_status(f"{path or 'no item'}: {'nothing in the collection has that path' if path else where}")
    if not (as_json or quiet):
        print_line(f"{counted(sum(counts.values()), 'item')} removed")
    return 0 if any(counts.values()) else 1
