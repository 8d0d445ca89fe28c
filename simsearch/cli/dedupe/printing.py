"""Printing of duplicates: groups, pairs and what each stage of the search has found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simsearch.cli.output import counted, print_line, print_status

if TYPE_CHECKING:
    from simsearch.collection.duplicates.applying import Applied
    from simsearch.collection.duplicates.report import DuplicateGroup, DuplicatePair, DuplicateReport
    from simsearch.duplicates.removal.runs import Method


def print_group(group: DuplicateGroup) -> None:
    split = ", split: some are also copies of what is no copy of the kept one" if group.split else ""
    print_line(f"group {group.number}{split}")
    print_line(f"  keep                                  {group.kept.item.uri}")
    for copy in group.copies:
        print_line(f"  {copy.score or 0.0:.3f}  {copy.kind or '':<28}  {copy.item.uri}  ({copy.reason})")


def print_stages(report: DuplicateReport) -> None:
    if report.calibration is not None:
        pairs = counted(report.calibration.pairs, "labeled pair")
        print_status(f"copies have a score of {report.calibration.score:.3f} or more, chosen by {pairs}")
    if report.is_outdated:
        print_status(
            "the score chosen by labeled pairs was of another encoder; choose again: simsearch dedupe calibrate"
        )
    for stage in report.stages:
        print_status(f"{stage.name}: {counted(stage.pairs, 'pair')}")
    copies = sum(len(group.copies) for group in report.groups)
    print_status(f"{counted(len(report.groups), 'group')}, {copies:,} items are copies of the one to keep")


def print_apart(pair: DuplicatePair) -> None:
    """Prints a pair of copies that are in no group together."""
    print_line(f"apart   {pair.score:.3f}  {pair.kind:<24}  {pair.a}  {pair.b}")


def size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB" if count >= 100_000 else f"{count:,} bytes"


def freed(done: Applied, method: Method) -> str:
    """The end of a sentence about what was removed: where it is, and the bytes."""
    if method == "quarantine" and done.files.journal is not None:
        return f", now in {done.quarantine}; deleting that folder frees {size(done.files.bytes)}"
    return f", {size(done.files.bytes)} freed"
