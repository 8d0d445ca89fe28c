"""A job: what it does, how far it is, and how it ended."""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass, field
from typing import Any

WAITING, RUNNING, DONE, FAILED, CANCELLED, INTERRUPTED = (
    "waiting",
    "running",
    "done",
    "failed",
    "cancelled",
    "interrupted",
)
ENDED = (DONE, FAILED, CANCELLED, INTERRUPTED)
KEPT = {
    "index": "what was stored is kept; indexing again goes on where this stopped",
    "calibrate": "the calibration is as it was before",
    "duplicates": "the comparisons that were made are kept; the next search makes only the others",
    "apply": "what was moved is in the journal: the same plan goes on where this stopped, and undo puts it back",
    "undo": "what was put back stays; undoing again goes on where this stopped",
    "map": "nothing was changed",
}
"""What a job leaves that did not end by itself."""


class JobCancelled(BaseException):
    """Raised inside a job that is to stop; like an interrupt from the keyboard, it is no error to be handled."""


@dataclass(slots=True, eq=False)
class Job:
    """One piece of long work on a collection. Threads may read it at any time."""

    kind: str
    collection: str
    asked: dict[str, Any] = field(default_factory=dict)
    id: str = field(default_factory=lambda: f"{time.time_ns():020d}-{secrets.token_hex(4)}")
    state: str = WAITING
    created: float = field(default_factory=time.time)
    started: float | None = None
    ended: float | None = None
    description: str | None = None
    unit: str | None = None
    done: int = 0
    total: int | None = None
    note: str | None = None
    error: str | None = None
    result: dict[str, Any] | None = None
    _cancelled: threading.Event = field(default_factory=threading.Event, repr=False)

    def cancel(self) -> None:
        """Asks the job to stop at the next unit of its work."""
        self._cancelled.set()

    def check(self) -> None:
        """Raises JobCancelled when the job was asked to stop."""
        if self._cancelled.is_set():
            raise JobCancelled

    def record(self) -> dict[str, Any]:
        """The job as JSON."""
        return {
            "id": self.id,
            "kind": self.kind,
            "collection": self.collection,
            "asked": self.asked,
            "state": self.state,
            "created": self.created,
            "started": self.started,
            "ended": self.ended,
            "progress": {
                "description": self.description,
                "unit": self.unit,
                "done": self.done,
                "total": self.total,
                "note": self.note,
            },
            "error": self.error,
            "kept": KEPT[self.kind] if self.state in (FAILED, CANCELLED, INTERRUPTED) else None,
            "result": self.result,
        }

    @classmethod
    def of_record(cls, record: dict[str, Any], collection: str) -> Job:
        """The job of a stored record. Raises KeyError or TypeError for what is none."""
        progress = record["progress"]
        job = cls(record["kind"], collection, record["asked"], record["id"], record["state"], record["created"])
        job.started, job.ended, job.error, job.result = (
            record[name] for name in ("started", "ended", "error", "result")
        )
        job.description, job.unit, job.done, job.total = (
            progress[name] for name in ("description", "unit", "done", "total")
        )
        _ = KEPT[job.kind]
        return job


class JobProgress:
    """Shows progress in a job, and ends the work of one that is to stop."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def start(self, total: int | None, unit: str, description: str) -> None:
        self._job.check()
        job = self._job
        job.description, job.unit, job.total, job.done, job.note = description, unit, total, 0, None

    def advance(self, n: int = 1) -> None:
        self._job.done += n
        self._job.check()

    def note(self, text: str) -> None:
        self._job.note = text

    def close(self) -> None:
        return None
