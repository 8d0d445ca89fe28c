"""Records of jobs in the folder of their collection, so that a restarted server knows what was interrupted."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import filelock

from simsearch.collection.places import SERVING
from simsearch.manifest import write_atomically
from simsearch.serving.jobs.job import ENDED, INTERRUPTED, Job

KEPT_RECORDS = 50


class JobFiles:
    """The records of the jobs of one collection; without a folder none are kept.

    While a job runs its lock is held, which the operating system releases when the process dies: so a record of a
    running job whose lock is free is that of one that was interrupted.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = None if folder is None else folder / SERVING / "jobs"

    def save(self, job: Job) -> None:
        """Writes the record, whole or not at all."""
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
            write_atomically(self._folder / f"{job.id}.json", json.dumps(job.record()).encode())

    @contextlib.contextmanager
    def running(self, job: Job) -> Iterator[None]:
        """Holds the lock of a job while it is not ended."""
        if self._folder is None:
            yield
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        place = self._folder / f"{job.id}.lock"
        with filelock.FileLock(place, timeout=0):
            self.save(job)
            try:
                yield
            finally:
                self.save(job)
        place.unlink(missing_ok=True)

    def load(self, collection: str) -> list[Job]:
        """The jobs that are recorded, oldest first; those that were interrupted are recorded as such."""
        if self._folder is None or not self._folder.is_dir():
            return []
        found = [job for path in sorted(self._folder.glob("*.json")) if (job := _read(path, collection)) is not None]
        for job in found:
            if job.state not in ENDED and self._is_free(job):
                job.state = INTERRUPTED
                job.error = "the server was stopped while the job ran"
                self.save(job)
        for job in found[:-KEPT_RECORDS]:
            (self._folder / f"{job.id}.json").unlink(missing_ok=True)
        return found[-KEPT_RECORDS:]

    def _is_free(self, job: Job) -> bool:
        assert self._folder is not None
        place = self._folder / f"{job.id}.lock"
        try:
            with filelock.FileLock(place, timeout=0):
                pass
        except filelock.Timeout:
            return False
        place.unlink(missing_ok=True)
        return True


def _read(path: Path, collection: str) -> Job | None:
    """The job of a record; None for a file that is none."""
    try:
        job = Job.of_record(json.loads(path.read_bytes()), collection)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return job if job.id == path.stem else None
