"""simsearch identities, rename, merge, forget."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import click

from simsearch.cli.options import index_option, json_option, quiet_option
from simsearch.cli.output import counted, on_a_line, print_json, print_line, print_status, print_table
from simsearch.records import finding_record

if TYPE_CHECKING:
    from simsearch.collection.facade import Collection
    from simsearch.types import Example


@click.command("identities")
@index_option
@click.option("--review", is_flag=True, help="List the examples that look wrong instead, as enroll --review has it.")
@json_option
def identities_command(index: str | None, review: bool, as_json: bool) -> int:
    """List the enrolled labels, with their examples and when these were enrolled."""
    from simsearch.collection.entry import open_one

    with open_one(index) as collection:
        if review:
            return _print_review(collection, as_json)
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


def _print_review(collection: Collection, as_json: bool) -> int:
    found = collection.review()
    if as_json:
        for finding in found:
            print_json(finding_record(finding))
    elif found:
        print_table([(one.label, one.kind, on_a_line(one.path), one.reason) for one in found], shortened=True)
    else:
        print_status(f"nothing looks wrong among {counted(len(collection.examples()), 'example')}")
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
