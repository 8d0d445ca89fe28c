"""simsearch reindex."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from simsearch.cli.options import force_option, index_option, json_option, quiet_option
from simsearch.cli.output import counted, print_json, print_line, print_skipped, print_status, progress
from simsearch.errors import UsageError
from simsearch.records import skip_records

if TYPE_CHECKING:
    from simsearch.collection.reindexing.encoder_change import ReindexReport


@click.command("reindex")
@click.option(
    "--encoder",
    metavar="NAME|FOLDER",
    help="The new encoder, or with --rollback the present folder of the previous one.  [default: the recorded one]",
)
@index_option
@click.option("--dry-run", is_flag=True, help="Encode and report, but do not switch; the next run does.")
@click.option("--rollback", is_flag=True, help="Return to the previous state.")
@click.option("--discard", is_flag=True, help="Delete the state that is kept for --rollback.")
@click.option(
    "--report", metavar="FILE", help="Save the items whose neighbors change most, before and after, as .png or .pdf."
)
@force_option
@json_option
@quiet_option
def reindex_command(
    encoder: str | None,
    index: str | None,
    dry_run: bool,
    rollback: bool,
    discard: bool,
    report: str | None,
    force: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Encode a collection again with another encoder; it can be rolled back.

    It is encoded beside the present state, which answers queries meanwhile, and replaces it in one step. Labels,
    metadata and enrolled examples are carried over. It can be killed at any moment: the same command resumes. The
    previous state is kept until --discard or the next reindex.
    """
    from simsearch.collection.entry import open_one

    _check_options(encoder, dry_run=dry_run, rollback=rollback, discard=discard)
    if report is not None:
        from simsearch.media.sheets import check_sheet

        check_sheet(report, force=force)
    with open_one(index) as collection:
        if discard:
            return _discard(str(collection.folder), collection.discard_previous(), as_json=as_json)
        if rollback:
            done = collection.roll_back(encoder=encoder, progress=progress(quiet))
        else:
            done = collection.reindex(encoder, dry_run=dry_run, progress=progress(quiet))
    pages = [] if report is None else done.save(report, force=force)
    _print_report(done, pages, as_json=as_json, quiet=quiet)
    return 0


def _check_options(encoder: str | None, *, dry_run: bool, rollback: bool, discard: bool) -> None:
    if rollback + discard + dry_run > 1 or (discard and encoder is not None):
        raise UsageError("--rollback, --discard and --dry-run exclude each other, and --discard takes no --encoder")


def _discard(folder: str, done: bool, *, as_json: bool) -> int:
    if as_json:
        print_json({"collection": folder, "discarded": done})
    else:
        print_line(f"{folder}: {'the previous state was deleted' if done else 'there is no previous state'}")
    return 0


def _print_report(done: ReindexReport, pages: list[Path], *, as_json: bool, quiet: bool) -> None:
    print_skipped(done.lost)
    change = done.change
    if as_json:
        print_json(
            {
                "collection": done.folder,
                "encoder": done.encoder,
                "before": done.before,
                "items": done.items,
                "switched": done.switched,
                "lost": skip_records(done.lost),
                "calibration_stale": done.calibration_stale,
                "overlap": None if change is None else change.overlap.value,
                "overlap_low": None if change is None else change.overlap.low,
                "overlap_high": None if change is None else change.overlap.high,
                "k": None if change is None else change.k,
                "sampled": 0 if change is None else change.sampled,
                "report": [str(page) for page in pages],
            }
        )
        return
    if quiet:
        return
    done_words = (
        f"now encoded by {done.encoder}" if done.switched else f"encoded by {done.encoder} beside, not switched"
    )
    print_line(f"{done.folder}: {counted(done.items, 'item')}, {done_words}")
    if change is not None:
        overlap = change.overlap
        print_line(
            f"overlap@{change.k} with the neighbors of {done.before}: {overlap.value:.3f} "
            f"({overlap.low:.3f} to {overlap.high:.3f}, {counted(change.sampled, 'content')})"
        )
    if done.calibration_stale:
        print_status("the calibration was made with another encoder: simsearch calibrate")
    if done.switched:
        print_status("the previous state is kept: simsearch reindex --rollback returns to it, --discard deletes it")
