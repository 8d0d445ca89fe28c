"""simsearch enroll, identities, rename, merge, forget."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
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
from simsearch.cli.output import (
    counted,
    on_a_line,
    print_json,
    print_line,
    print_skipped,
    print_status,
    print_table,
    progress,
    skip_records,
)

if TYPE_CHECKING:
    from simsearch.collection.entry import Enrolled
    from simsearch.collection.facade import Collection
    from simsearch.types import Example


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
    as_text: bool,
    as_file: bool,
    encoding: str | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Store examples of LABEL, which recognize can then name. One is enough; nothing is trained.

    If there is no collection, or none named by --index, one is made (without --index it is named identities).
    """
    from simsearch.collection.entry import enroll_folders, enroll_sources

    if from_folders is not None:
        if label is not None or as_text or as_file:
            raise click.UsageError(
                "--from-folders takes the labels from folders; leave out LABEL, FILE, --text and --file"
            )
        done = enroll_folders(
            from_folders, index=index, encoder=encoder, progress=progress(quiet), force=force, encoding=encoding
        )
    else:
        if label is None or not sources:
            raise click.UsageError("give LABEL and FILE, as in enroll Ana ana.jpg, or --from-folders FOLDER")
        given = questions(sources, as_text=as_text, as_file=as_file)
        remark = partial(_remark, given, quiet)
        done = enroll_sources(label, given, index=index, encoder=encoder, remark=remark, force=force, encoding=encoding)
    print_skipped(done.skipped)
    if as_json:
        _print_records(done)
    elif not quiet:
        _print_enrolled(done)
    return 0 if done.any else 1


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
            }
        )
    listed = {skip for report in done.labels.values() for skip in report.skipped}
    loose = [skip for skip in done.skipped if skip not in listed]
    if loose:
        counts = {"examples": 0, "added": 0, "existing": 0, "skipped": len(loose)}
        print_json({"label": None, **counts, "skipped_files": skip_records(loose)})


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


@click.command("identities")
@index_option
@json_option
def identities_command(index: str | None, as_json: bool) -> int:
    """List the enrolled labels, with their examples and when these were enrolled."""
    from simsearch.collection.entry import open_one

    with open_one(index) as collection:
        found: dict[str, list[Example]] = {}
        for example in collection.examples():
            found.setdefault(example.label, []).append(example)
    if as_json:
        for label in sorted(found):
            examples = [{"path": one.uri, "text": one.text, "added": _date(one)} for one in found[label]]
            print_json({"label": label, "examples": examples})
    elif found:
        rows = [
            (label, f"{len(found[label])}", _dates(found[label]), _sources(found[label])) for label in sorted(found)
        ]
        print_table([("label", "examples", "enrolled", "from"), *rows], right=(1,))
    else:
        print_status("nobody is enrolled yet: simsearch enroll LABEL FILE")
    return 0


def _date(example: Example) -> str | None:
    if example.added_at is None:
        return None
    return datetime.fromtimestamp(example.added_at).astimezone().isoformat(timespec="seconds")


def _dates(examples: Sequence[Example]) -> str:
    """The first and the last day."""
    days = sorted({(_date(one) or "unknown")[:10] for one in examples})
    return days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"


def _sources(examples: Sequence[Example]) -> str:
    first = on_a_line(examples[0].text or examples[0].uri or "memory")
    return first if len(examples) == 1 else f"{first}, and {counted(len(examples) - 1, 'other')}"


@click.command("rename")
@click.argument("label")
@click.argument("new")
@index_option
@json_option
@quiet_option
def rename_command(label: str, new: str, index: str | None, as_json: bool, quiet: bool) -> int:
    """Give LABEL the name NEW, which must not be enrolled yet."""
    from simsearch.collection.entry import open_one

    with open_one(index) as collection:
        count = collection.rename(label, new)
    if as_json:
        print_json({"label": label, "new": new, "examples": count})
    elif not quiet:
        print_line(f"{new}: {counted(count, 'example')}, was {label}")
    return 0


@click.command("merge")
@click.argument("label")
@click.argument("target")
@index_option
@json_option
@quiet_option
def merge_command(label: str, target: str, index: str | None, as_json: bool, quiet: bool) -> int:
    """Make the examples of LABEL examples of TARGET, if both are one identity."""
    from simsearch.collection.entry import open_one

    with open_one(index) as collection:
        count = collection.merge(label, target)
        examples = collection.labels()[target]
    if as_json:
        print_json({"label": label, "target": target, "moved": count, "examples": examples})
    elif not quiet:
        print_line(f"{target}: {counted(count, 'example')} from {label}, {examples} in all")
    return 0


@click.command("forget")
@click.argument("label", required=False)
@click.option("--example", metavar="FILE", help="Remove the examples from this file only, in place of LABEL.")
@index_option
@json_option
@quiet_option
def forget_command(label: str | None, example: str | None, index: str | None, as_json: bool, quiet: bool) -> int:
    """Remove all examples of LABEL, or those that were enrolled from one file."""
    from simsearch.collection.entry import open_one

    if (label is None) == (example is None):
        raise click.UsageError("give LABEL or --example FILE")
    with open_one(index) as collection:
        count = collection.forget(label) if label is not None else collection.forget_example(example or "")
        left, pending = len(collection.labels()), collection.erasure_pending
    if count and pending:
        print_status(
            "pending: it is overwritten when nothing reads the collection any more; simsearch check --forgotten"
        )
    meant = label if label is not None else example
    if as_json:
        named = {"label": label} if example is None else {"example": example}
        print_json({**named, "removed": count, "pending": bool(count and pending)})
    elif count == 0:
        what = f"as {label!r}" if label is not None else f"from {example}"
        print_status(f"Error: no example is enrolled {what}; there are {left} labels")
    elif not quiet:
        print_line(f"{meant}: {counted(count, 'example')} removed; {counted(left, 'label')} left")
    return 0 if count else 1
