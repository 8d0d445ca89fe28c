"""Records of jobs in the folder of their collection, so that a restarted server knows what was interrupted."""

from __future__ import annotations

import json
from pathlib import Path

import filelock

from simsearch.manifest import write_atomically
from simsearch.serving.jobs.job import ENDED, INTERRUPTED, Job

RECORDS = 50
"""So many are kept, the latest."""


class JobFiles:
    """The records of the jobs of one collection, in a folder; without one none are kept.

    From the start of a job to its end its lock is held, which the operating system releases when the process dies: a
    record of a job that has not ended and whose lock is free is that of one that was interrupted.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = None if folder is None else folder / "jobs"
        self._locks: dict[str, filelock.FileLock] = {}

    def begin(self, job: Job) -> None:
        """Takes the lock of a job and writes its first record."""
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._locks[job.id] = filelock.FileLock(self._lock(job), thread_local=False)
            self._locks[job.id].acquire()
            self.save(job)

    def save(self, job: Job) -> None:
        """Writes the record, whole or not at all."""
        if self._folder is not None:
            write_atomically(self._folder / f"{job.id}.json", json.dumps(job.record()).encode())

    def end(self, job: Job) -> None:
        """Writes the last record, and gives the lock back."""
        if self._folder is not None:
            try:
                self.save(job)
            finally:
                self._locks.pop(job.id).release()
                self._lock(job).unlink(missing_ok=True)

    def load(self, collection: str) -> list[Job]:
        """The jobs that are recorded, oldest first; those that were interrupted are recorded as such."""
        if self._folder is None or not self._folder.is_dir():
            return []
        found = [job for path in sorted(self._folder.glob("*.json")) if (job := _read(path, collection)) is not None]
        for job in found:
            if job.state not in ENDED and self._is_free(job):
                job.state, job.error = INTERRUPTED, "the server was stopped while the job ran"
                self.save(job)
        for job in found[:-RECORDS]:
            (self._folder / f"{job.id}.json").unlink(missing_ok=True)
        return found[-RECORDS:]

    def _lock(self, job: Job) -> Path:
        assert self._folder is not None
        return self._folder / f"{job.id}.lock"

    def _is_free(self, job: Job) -> bool:
        try:
            with filelock.FileLock(self._lock(job), timeout=0):
                pass
        except filelock.Timeout:
            return False
        self._lock(job).unlink(missing_ok=True)
        return True


def _read(path: Path, collection: str) -> Job | None:
    """The job of a record; None for a file that is none."""
    try:
        job = Job.of_record(json.loads(path.read_bytes()), collection)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return job if job.id == path.stem else None
