"""Following folders after they were indexed, until the program is asked to stop."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.cli.output import counted, print_json, print_line, print_remarks, print_skipped, print_status

if TYPE_CHECKING:
    from simsearch.types import AddReport

CHANGES = ("added", "reused", "updated", "removed")


def check_followed(sources: Sequence[str]) -> None:
    """Raises UsageError or MissingExtraError, before anything is indexed, where the sources cannot be followed."""
    from simsearch.collection.following.watching import require_followed

    require_followed(sources)


def follow(
    folder: Path, sources: Sequence[str], *, labels: str | None, strict: bool, prune: bool, as_json: bool, quiet: bool
) -> None:
    """Follows the folders until Ctrl-C or SIGTERM; prints what changes, and all of it at the end."""
    from simsearch.collection.facade import Collection

    stop, total = threading.Event(), dict.fromkeys(CHANGES, 0)
    known = set[object]()
    with _stopping(stop), Collection.open(folder) as collection:
        if not quiet:
            print_status(f"following {', '.join(sources)}; Ctrl-C ends it")
        for report in collection.watch(sources, labels=labels, strict=strict, prune=prune, stop=stop):
            changed = {name: int(getattr(report, name)) for name in CHANGES}
            for name, count in changed.items():
                total[name] += count
            _print_news(report, known, quiet=quiet)
            if any(changed.values()):
                _print(str(folder), len(collection), changed, as_json=as_json, quiet=quiet)
        items = len(collection)
    if as_json:
        print_json({"collection": str(folder), "items": items, "stopped": True, **total})
    elif not quiet:
        print_line(f"{folder}: stopped; {counted(items, 'item')} ({_listed(total)} while following)")


def _print_news(report: AddReport, known: set[object], *, quiet: bool) -> None:
    """Prints what was skipped or is to be known, and was not printed before."""
    print_skipped([skip for skip in report.skipped if skip not in known])
    if not quiet:
        print_remarks([remark for remark in report.remarks if remark not in known])
        for note in report.notes:
            if note not in known:
                print_status(note)
        if report.vanished and report.vanished not in known:
            print_status(f"{counted(report.vanished, 'item')} vanished, more than half; kept, --prune removes them")
    known.clear()
    known.update(report.skipped, report.remarks, report.notes, [report.vanished])


def _print(folder: str, items: int, changed: dict[str, int], *, as_json: bool, quiet: bool) -> None:
    if as_json:
        print_json({"collection": folder, "items": items, "stopped": False, **changed})
    elif not quiet:
        print_line(f"{folder}: {counted(items, 'item')} ({_listed(changed)})")


def _listed(changed: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in changed.items() if count) or "no changes"


@contextlib.contextmanager
def _stopping(stop: threading.Event) -> Iterator[None]:
    """Ctrl-C and SIGTERM set `stop`; a second Ctrl-C interrupts the work."""

    def ask(number: int, frame: object) -> None:
        del number, frame
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
