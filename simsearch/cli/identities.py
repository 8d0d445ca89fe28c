"""simsearch enroll, recognize, forget."""

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
    place_option,
    questions,
    quiet_option,
    remark_words,
    text_option,
    threshold_option,
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
)

if TYPE_CHECKING:
    from simsearch.collection.entry import Enrolled
    from simsearch.collection.facade import Collection
    from simsearch.types import Recognition


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
        for name, report in done.labels.items():
            counts = {"added": report.added, "existing": report.existing, "skipped": len(report.skipped)}
            print_json({"label": name, "examples": done.examples.get(name, 0), **counts})
    elif not quiet:
        _print_enrolled(done)
    return 0 if done.any else 1


def _remark(given: Sequence[str | Path | bytes], quiet: bool, collection: Collection) -> None:
    # Words are no examples of pictures.
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


@click.command("recognize")
@click.argument("sources", metavar="FILE|TEXT|-...", nargs=-1, required=True)
@index_option
@text_option
@file_option
@encoding_option
@threshold_option
@place_option
@json_option
@quiet_option
def recognize_command(
    sources: tuple[str, ...],
    index: str | None,
    encoder: str | None,
    as_text: bool,
    as_file: bool,
    encoding: str | None,
    threshold: float | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Print the enrolled label of each image or text, or "unknown" below the threshold.

    Without a threshold the answer is always the label of the nearest example.
    """
    from simsearch.collection.entry import identify, open_one

    given = questions(sources, as_text=as_text, as_file=as_file)
    with open_one(index, encoder) as collection:
        if not quiet:
            remark_words(collection, given)
        identified = identify(collection, given, threshold=threshold, encoding=encoding)
    print_skipped(identified.skipped)
    if as_json:
        for query, recognition in identified.answers:
            print_json(_record(query, recognition))
    elif identified.answers:
        rows = [
            (_label(recognition), f"{recognition.score:.3f}", on_a_line(query))
            for query, recognition in identified.answers
        ]
        print_table(rows, right=(1,))
        if threshold is None and not quiet:
            print_status(_without_threshold(identified.encoder))
    return 0 if identified.answers else 1


def _without_threshold(encoder: str) -> str:
    of_encoder = f"; simsearch info {encoder} shows those of the encoder's own data" if encoder else ""
    return (
        "no threshold was given, so nothing can be unknown. To choose one for -t: simsearch evaluate "
        f"{encoder or 'ENCODER'} DATA prints scores with their FAR and TAR on labeled data of yours{of_encoder}"
    )


def _label(recognition: Recognition) -> str:
    return "unknown" if recognition.label is None else recognition.label


def _record(query: str, recognition: Recognition) -> dict[str, object]:
    second = recognition.runner_up
    return {
        "query": query,
        "label": recognition.label,
        "score": round(recognition.score, 6),
        "threshold": recognition.threshold,
        "runner_up": None if second is None else {"label": second.example.label, "score": round(second.score, 6)},
        "evidence": [
            {
                "label": each.example.label,
                "path": each.example.uri,
                "score": round(each.score, 6),
                "text": each.example.text,
            }
            for each in recognition.evidence
        ],
    }


@click.command("forget")
@click.argument("label")
@index_option
@json_option
@quiet_option
def forget_command(label: str, index: str | None, as_json: bool, quiet: bool) -> int:
    """Remove all examples of LABEL."""
    from simsearch.collection.entry import open_one

    with open_one(index) as collection:
        count = collection.forget(label)
        left = len(collection.labels())
    if as_json:
        print_json({"label": label, "removed": count})
    elif count == 0:
        print_status(f"Error: no example is enrolled as {label!r}; there are {left} labels")
    elif not quiet:
        print_line(f"{label}: {counted(count, 'example')} removed; {counted(left, 'label')} left")
    return 0 if count else 1
