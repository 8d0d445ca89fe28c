"""simsearch dedupe apply and undo."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from simsearch.cli.dedupe.printing import freed
from simsearch.cli.options import index_option, json_option, quiet_option
from simsearch.cli.output import counted, print_json, print_line, print_skipped, print_status, progress
from simsearch.errors import UsageError
from simsearch.records import skip_records

if TYPE_CHECKING:
    from simsearch.duplicates.removal.runs import Method


@click.command("apply")
@click.argument("plan", metavar="PLAN.json")
@index_option
@click.option(
    "--quarantine",
    metavar="FOLDER",
    help="Where files and the journal go.  [default: a folder beside the first that was searched]",
)
@click.option("--trash", is_flag=True, help="Move files to the trash of the desktop; undo cannot bring them back.")
@click.option(
    "--link",
    type=click.Choice(["hard", "symbolic"]),
    help="Replace files that equal the kept one byte for byte by links to it.",
)
@click.option("--delete", is_flag=True, help="Delete files for good; undo cannot bring them back.")
@json_option
@quiet_option
def apply_command(
    plan: str,
    index: str | None,
    quarantine: str | None,
    trash: bool,
    link: str | None,
    delete: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Carry out a plan: remove files and their items. After an interruption the same command resumes.

    A file that has changed since the plan was made stays, and so does every copy of a kept file that has changed.
    """
    from simsearch.collection.duplicate_entry import planned

    method = _method(trash, link, delete)
    with planned(plan, index) as (collection, read):
        if method in ("trash", "delete"):
            what = "move {} to the trash" if method == "trash" else "delete {} for good"
            print_status(f"About to {what.format(counted(read.totals.files, 'file'))}: undo cannot bring them back.")
        done = collection.apply_duplicates(read, quarantine=quarantine, method=method, progress=progress(quiet))
    files, skipped = done.files, (*done.files.skipped, *done.items.skipped)
    print_skipped(skipped)
    if as_json:
        print_json(
            {
                "removed": files.applied,
                "bytes": files.bytes,
                "already": files.already,
                "items": done.items.removed,
                "method": method,
                "journal": None if files.journal is None else str(files.journal),
                "skipped_files": skip_records(skipped),
            }
        )
    elif not quiet:
        verb = "replaced by links" if link else "removed"
        before = f", {files.already:,} before" if files.already else ""
        print_line(f"{counted(files.applied, 'file')} {verb}{before}{freed(done, method)}")
        if files.journal is not None and method not in ("trash", "delete"):
            print_status(f"Undo: simsearch dedupe undo {files.journal}")
    return 1 if skipped and not (files.applied or files.already) else 0


@click.command("undo")
@click.argument("journal", metavar="[JOURNAL]", required=False)
@index_option
@json_option
@quiet_option
def undo_command(journal: str | None, index: str | None, as_json: bool, quiet: bool) -> int:
    """Put back what apply has removed: files, items, labels and metadata. By default the latest run of the collection.

    JOURNAL is the journal.jsonl of a run in its quarantine folder, or that folder.
    """
    from simsearch.collection.duplicate_entry import undo

    done = undo(journal, index, progress(quiet))
    if done.items is None:
        print_status("No collection here has removed these files; only the files are put back.")
    files = done.files
    items = done.items.restored if done.items else 0
    skipped = (*files.failed, *files.incomplete, *(done.items.skipped if done.items else ()))
    for skip in skipped:
        print_status(f"{skip.path}: {skip.reason}")
    if as_json:
        print_json(
            {
                "restored": files.restored,
                "items": items,
                "failed": skip_records(files.failed),
                "incomplete": skip_records(files.incomplete),
                "journal": str(files.journal),
            }
        )
    elif not quiet:
        print_line(f"{counted(files.restored, 'file')} and {counted(items, 'item')} restored")
    return 1 if files.failed else 0


def _method(trash: bool, link: str | None, delete: bool) -> Method:
    if (trash, link is not None, delete).count(True) > 1:
        raise UsageError("--trash, --link and --delete exclude each other; give one of them")
    if link is not None:
        return "hardlink" if link == "hard" else "symlink"
    return "trash" if trash else "delete" if delete else "quarantine"
