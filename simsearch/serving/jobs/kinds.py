"""The work of each kind of job: one call on a collection, and its result as JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from simsearch.records import calibration_report_record, skip_records
from simsearch.serving.records import added_record

if TYPE_CHECKING:
    from simsearch.collection.facade import Collection
    from simsearch.progress import Progress
    from simsearch.serving.maps import Maps

    Work: TypeAlias = Callable[[Collection, Progress], dict[str, Any]]


def indexing(folders: Sequence[str], labels: str | None, verify: bool) -> Work:
    """Brings folders up to date; all that were indexed before where none is named."""

    def work(collection: Collection, progress: Progress) -> dict[str, Any]:
        sources = folders or collection.info().roots
        report = collection.add(sources, labels=labels, verify_content=verify, progress=progress)
        return added_record(report) | {"items": len(collection)}

    return work


def calibrating(far: float, confidence: float, unknown_prior: float, impostors: str | None) -> Work:
    def work(collection: Collection, progress: Progress) -> dict[str, Any]:
        report = collection.calibrate(
            far, impostors=impostors, confidence=confidence, unknown_prior=unknown_prior, progress=progress
        )
        return calibration_report_record(report)

    return work


def finding(place: Path, preset: str, keep: Sequence[str]) -> Work:
    """Finds duplicates and writes the plan of their removal to `place`."""

    def work(collection: Collection, progress: Progress) -> dict[str, Any]:
        place.parent.mkdir(parents=True, exist_ok=True)
        planned = collection.plan_duplicates(place, preset=preset, keep=keep, progress=progress)
        totals = planned.totals
        return {
            "plan": place.stem,
            "groups": len(planned.report.groups),
            "files": totals.files,
            "bytes": totals.bytes,
            "skipped_files": skip_records((*planned.report.skipped, *planned.skipped)),
        }

    return work


def applying(place: Path) -> Work:
    """Moves what a plan removes into the quarantine folder."""

    def work(collection: Collection, progress: Progress) -> dict[str, Any]:
        done = collection.apply_duplicates(place, progress=progress)
        files = done.files
        return {
            "removed": files.applied,
            "bytes": files.bytes,
            "already": files.already,
            "items": done.items.removed,
            "method": "quarantine",
            "journal": None if files.journal is None else str(files.journal),
            "skipped_files": skip_records((*files.skipped, *done.items.skipped)),
        }

    return work


def undoing() -> Work:
    """Puts back what the latest removal has moved."""

    def work(collection: Collection, progress: Progress) -> dict[str, Any]:
        done = collection.undo_duplicates(progress=progress)
        return {
            "restored": done.files.restored,
            "items": done.items.restored if done.items else 0,
            "failed": skip_records(done.files.failed),
            "incomplete": skip_records(done.files.incomplete),
            "journal": str(done.files.journal),
        }

    return work


def mapping(name: str, maps: Maps) -> Work:
    def work(collection: Collection, progress: Progress) -> dict[str, Any]:
        drawn = collection.map(progress=progress)
        maps.keep(name, drawn)
        return {"items": len(drawn.ids), "generation": drawn.generation}

    return work
