"""The evaluation report: one HTML file without scripts and external resources."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.errors import UsageError
from simsearch.media.files import refuse_url

if TYPE_CHECKING:
    from simsearch.evaluation.results import Evaluation

SUFFIXES = (".html", ".htm")


def check_report(path: Path) -> None:
    """Raises UsageError unless a report can be written there; called before an evaluation starts."""
    refuse_url(path, "a file to write the report to")
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{path}: a report is one HTML file; give a name that ends in .html")
    if not path.parent.is_dir():
        raise UsageError(f"{path}: there is no folder {path.parent}; make it first")


def write_report(evaluation: Evaluation, path: Path) -> None:
    """Writes the report atomically. Raises UsageError for a name that does not end in .html."""
    from simsearch.evaluation.report.page import page
    from simsearch.manifest import write_atomically

    check_report(path)
    # A file name can have undecodable bytes.
    write_atomically(path, page(evaluation).encode("utf-8", "replace"))
