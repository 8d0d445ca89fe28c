"""The evaluation report: one HTML file without scripts and external resources."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.media.files import refuse_url
from simsearch.outputs import require_output

if TYPE_CHECKING:
    from simsearch.evaluation.results import Evaluation

SUFFIXES = (".html", ".htm")


def check_report(path: Path, *, force: bool = False) -> None:
    """Raises UsageError unless a report can be written there; called before an evaluation starts.

    A file that is there is replaced only if it is such a report, or with `force`.
    """
    from simsearch.evaluation.report.page import MARK

    refuse_url(path, "a file to write the report to")
    require_output(path, "an evaluation report", SUFFIXES, MARK.encode(), force=force)


def write_report(evaluation: Evaluation, path: Path, *, force: bool = False) -> None:
    """Writes the report atomically. Raises UsageError like `check_report`."""
    from simsearch.evaluation.report.page import page
    from simsearch.manifest import write_atomically

    check_report(path, force=force)
    # A file name can have undecodable bytes.
    write_atomically(path, page(evaluation).encode("utf-8", "replace"))
