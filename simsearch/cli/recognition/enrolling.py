"""simsearch enroll."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from simsearch.cli.options import (
    encoder_option,
    encoding_option,
    file_option,
    index_option,
    json_option,
    questions,
    quiet_option,
    remark_words,
    text_option,
)
from simsearch.cli.output import LISTED, counted, print_json, print_line, print_skipped, print_status, progress, shown
from simsearch.records import finding_record, skip_records

if TYPE_CHECKING:
    from simsearch.collection.facade import Collection
    from simsearch.collection.identity_entry import Enrolled
    from simsearch.recognition.review import Finding, Review


@click.command("enroll")
@click.argument("label", required=False)
@click.argument("sources", metavar="FILE|TEXT|-...", nargs=-1)
@index_option
@click.option(
    "--from-folders",
    metavar="FOLDER",
    help="Enroll the files in each folder within FOLDER, with the folder's name as label, in place of LABEL and FILE.",
)
@encoder_option
@click.option("--force", is_flag=True, help="Enroll blank images too, which are the nearest of every blank image.")
@click.option(
    "--review",
    type=click.Choice(["off", "warn", "strict"]),
    default="warn",
    show_default=True,
    help="What is done about examples that look wrong: equal to one of another label, closer to another label than to "
    "their own, or an outlier among their own. warn reports them, strict refuses them.",
)
@text_option
@file_option
@encoding_option
@json_option
@quiet_option
def enroll_command(
    label: str | None,
    sources: tuple[str, ...],
    index: str | None,
    from_folders: str | None,
    encoder: str | None,
    force: bool,
    review: Review,
    as_text: bool,
    as_file: bool,
    encoding: str | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Store examples of LABEL, which recognize can then name. One is enough; nothing is trained.

    If there is no collection, or none named by --index, one is made (without --index it is named identities).
    """
    from simsearch.collection.identity_entry import enroll_folders, enroll_sources

    if from_folders is not None:
        if label is not None or as_text or as_file:
            raise click.UsageError(
                "--from-folders takes the labels from folders; leave out LABEL, FILE, --text and --file"
            )
        done = enroll_folders(
            from_folders,
            index=index,
            encoder=encoder,
            progress=progress(quiet),
            force=force,
            encoding=encoding,
            review=review,
        )
    else:
        if label is None or not sources:
            raise click.UsageError("give LABEL and FILE, as in enroll Ana ana.jpg, or --from-folders FOLDER")
        given = questions(sources, as_text=as_text, as_file=as_file)
        remark = partial(_remark, given, quiet)
        done = enroll_sources(
            label,
            given,
            index=index,
            encoder=encoder,
            remark=remark,
            force=force,
            encoding=encoding,
            review=review,
        )
    print_skipped(done.skipped)
    if review == "warn" and not quiet:
        _print_findings(done.findings)
    if as_json:
        _print_records(done)
    elif not quiet:
        _print_enrolled(done)
    return 0 if done.any else 1


def _print_findings(findings: Sequence[Finding]) -> None:
    for finding in findings[:LISTED]:
        print_status(f"looks wrong: {finding.label}: {shown(finding.path)}: {finding.reason}")
    if len(findings) > LISTED:
        print_status(f"and {len(findings) - LISTED:,} more look wrong: simsearch identities --review")


def _print_records(done: Enrolled) -> None:
    """An object for each label, and one without a label for the files that are in none."""
    for label, report in done.labels.items():
        print_json(
            {
                "label": label,
                "examples": done.examples.get(label, 0),
                "added": report.added,
                "existing": report.existing,
                "skipped": len(report.skipped),
                "skipped_files": skip_records(report.skipped),
                "findings": [finding_record(finding) for finding in report.findings],
            }
        )
    listed = {skip for report in done.labels.values() for skip in report.skipped}
    loose = [skip for skip in done.skipped if skip not in listed]
    if loose:
        counts = {"examples": 0, "added": 0, "existing": 0, "skipped": len(loose)}
        print_json({"label": None, **counts, "skipped_files": skip_records(loose), "findings": []})


def _remark(given: Sequence[str | Path | bytes], quiet: bool, collection: Collection) -> None:
    # Words are no examples of images.
    if not quiet and collection.store.setting("modality") == "text":
        remark_words(collection, given)


def _print_enrolled(done: Enrolled) -> None:
    if done.made:
        made = (
            f"is a new collection, with the encoder {done.encoder}" if done.any else "was not made: nothing to enroll"
        )
        print_status(f"{done.folder} {made}")
    if len(done.labels) == 1:
        ((label, report),) = done.labels.items()
        counts = f"{counted(report.added, 'example')} added, {done.examples.get(label, 0)} in all"
        print_line(f"{label}: {counts}; {counted(len(done.examples), 'label')}")
        return
    added = sum(report.added for report in done.labels.values())
    listed = f"{counted(added, 'example')} of {counted(len(done.labels), 'label')} added"
    print_line(f"{listed}, {sum(done.examples.values()):,} in all; {counted(len(done.examples), 'label')}")
