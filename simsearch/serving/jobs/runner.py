"""Running jobs: one at a time for each collection, in a thread of its own."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from simsearch.errors import SimsearchError
from simsearch.serving.answers import ApiError
from simsearch.serving.jobs.job import CANCELLED, DONE, ENDED, FAILED, RUNNING, Job, JobCancelled, JobProgress
from simsearch.serving.jobs.keeping import JobFiles

if TYPE_CHECKING:
    from simsearch.serving.jobs.kinds import Work
    from simsearch.serving.served import Registry, Served

WAITING_AT_MOST = 16
_LOG = logging.getLogger(__name__)


class Jobs:
    """The jobs of a server, those of earlier ones included."""

    def __init__(self, registry: Registry) -> None:
        self._files = {one.name: JobFiles(one.state_folder) for one in registry}
        self._threads = {one.name: ThreadPoolExecutor(1, thread_name_prefix=f"job-{one.name}") for one in registry}
        self._jobs = {job.id: job for one in registry for job in self._files[one.name].load(one.name)}
        self._futures: dict[str, Future[None]] = {}
        self._turn = threading.Lock()

    def all(self, collection: str | None = None) -> list[Job]:
        """The jobs, newest first."""
        with self._turn:
            found = [job for job in self._jobs.values() if collection in (None, job.collection)]
        return sorted(found, key=lambda job: job.id, reverse=True)

    def get(self, job_id: str) -> Job:
        """Raises ApiError 404."""
        with self._turn:
            if job_id not in self._jobs:
                raise ApiError(404, "no_job", f"there is no job {job_id[:60]!r}")
            return self._jobs[job_id]

    def start(self, served: Served, kind: str, asked: dict[str, Any], work: Work) -> Job:
        """Starts a job, or puts it behind those of its collection. Raises ApiError 503 when too many wait."""
        job = Job(kind, served.name, asked)
        with self._turn:
            open_ones = [one for one in self._jobs.values() if one.collection == served.name and one.state not in ENDED]
            if len(open_ones) >= WAITING_AT_MOST:
                raise ApiError(503, "busy", f"{len(open_ones)} jobs wait already; try again when some are done")
            self._files[served.name].begin(job)
            self._jobs[job.id] = job
        self._futures[job.id] = self._threads[served.name].submit(self._run, served, job, work)
        return job

    def wait(self, job_id: str) -> Job:
        """The job when it has ended."""
        job = self.get(job_id)
        if job_id in self._futures:
            self._futures[job_id].result()
        return job

    def running(self, collection: str, kind: str) -> Job | None:
        """The job of a kind that is not ended, if there is one."""
        return next((job for job in self.all(collection) if job.kind == kind and job.state not in ENDED), None)

    def cancel(self, job_id: str) -> Job:
        """Asks a job to stop; one that has ended stays as it is."""
        job = self.get(job_id)
        job.cancel()
        return job

    def _run(self, served: Served, job: Job, work: Work) -> None:
        try:
            job.check()
            job.state, job.started = RUNNING, time.time()
            self._files[served.name].save(job)
            with served.own() as collection:
                job.result = work(collection, JobProgress(job))
            _end(job, DONE)
        except JobCancelled:
            _end(job, CANCELLED)
        except OSError as error:
            _end(job, FAILED, f"{error.filename or 'the system'}: {error.strerror or error}")
        except (SimsearchError, MemoryError) as error:
            _end(job, FAILED, "out of memory" if isinstance(error, MemoryError) else str(error))
        finally:
            if job.state not in ENDED:
                # What nobody expected: a fault in the program.
                _LOG.exception("the job %s %s failed", job.kind, job.id)
                _end(job, FAILED, "a fault in the program; the log of the server has it")
            self._files[served.name].end(job)

    def close(self) -> None:
        """Stops all jobs, and waits until they have."""
        for job in self.all():
            job.cancel()
        for thread in self._threads.values():
            thread.shutdown(wait=True)


def _end(job: Job, state: str, error: str | None = None) -> None:
    job.state, job.error, job.ended = state, error, time.time()
