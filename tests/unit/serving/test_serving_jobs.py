"""Jobs: one at a time, observed, cancelled, ended with the server, and known after it was killed."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from serving_client import API, Connect

from simsearch import Collection
from simsearch.errors import MediaError
from simsearch.serving.api.context import Context
from simsearch.serving.jobs.job import Job
from simsearch.serving.jobs.keeping import JobFiles

if TYPE_CHECKING:
    from starlette.testclient import TestClient

    from simsearch.progress import Progress


def context_of(client: TestClient) -> Context:
    context = client.app.state.context  # type: ignore[attr-defined]
    assert isinstance(context, Context)
    return context


def until_cancelled(collection: Collection, progress: Progress) -> dict[str, Any]:
    progress.start(None, "turns", "turning")
    while True:
        progress.advance()


def start(client: TestClient, work: Callable[[Collection, Progress], dict[str, Any]], kind: str = "index") -> Job:
    context = context_of(client)
    return context.jobs.start(context.registry.get(None), kind, {}, work)


def test_a_job_is_observed_and_cancelled(client: TestClient, place: Path) -> None:
    begun = threading.Event()

    def work(collection: Collection, progress: Progress) -> dict[str, Any]:
        begun.set()
        return until_cancelled(collection, progress)

    job, other = start(client, work), start(client, lambda *_: {"answer": 42})
    assert begun.wait(30)
    shown = client.get(f"{API}/jobs/{job.id}").json()
    assert (shown["state"], shown["collection"], shown["result"]) == ("running", "index", None)
    assert client.get(f"{API}/jobs/{other.id}").json()["state"] == "waiting"
    client.delete(f"{API}/jobs/{job.id}")
    jobs = context_of(client).jobs
    jobs.wait(job.id)
    assert jobs.wait(other.id).result == {"answer": 42}
    ended = client.get(f"{API}/jobs/{job.id}").json()
    assert (ended["state"], ended["error"]) == ("cancelled", None)
    assert "goes on where this stopped" in ended["kept"]
    assert ended["progress"]["done"] > 0
    listed = client.get(f"{API}/jobs", params={"collection": "index"}).json()["jobs"]
    assert [one["id"] for one in listed] == [other.id, job.id]
    assert client.delete(f"{API}/jobs/{job.id}").json()["state"] == "cancelled"


def test_a_waiting_job_is_cancelled_before_it_begins(client: TestClient) -> None:
    first, second = start(client, until_cancelled), start(client, until_cancelled)
    client.delete(f"{API}/jobs/{second.id}")
    client.delete(f"{API}/jobs/{first.id}")
    jobs = context_of(client).jobs
    assert (jobs.wait(second.id).state, jobs.wait(second.id).started) == ("cancelled", None)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MediaError("no such file"), "no such file"),
        (PermissionError(13, "Permission denied", "/x"), "/x: Permission denied"),
        (MemoryError(), "out of memory"),
    ],
)
def test_a_job_that_fails_says_why_and_what_was_kept(client: TestClient, error: Exception, said: str) -> None:
    def work(collection: Collection, progress: Progress) -> dict[str, Any]:
        raise error

    job = start(client, work, "calibrate")
    context_of(client).jobs.wait(job.id)
    shown = client.get(f"{API}/jobs/{job.id}").json()
    assert (shown["state"], shown["error"], shown["kept"]) == ("failed", said, "the calibration is as it was before")


def test_a_fault_in_a_job_is_logged(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    def work(collection: Collection, progress: Progress) -> dict[str, Any]:
        raise ZeroDivisionError

    job = start(client, work)
    with pytest.raises(ZeroDivisionError):
        context_of(client).jobs.wait(job.id)
    shown = client.get(f"{API}/jobs/{job.id}").json()
    assert (shown["state"], "fault" in shown["error"]) == ("failed", True)
    assert "ZeroDivisionError" in caplog.text


def test_a_server_that_ends_cancels_its_jobs(connect: Connect, place: Path) -> None:
    client = connect()
    job = start(client, until_cancelled)
    client.__exit__(None, None, None)
    client.__enter__()
    assert job.state == "cancelled"
    record = json.loads((place / "index/serving/jobs" / f"{job.id}.json").read_text())
    assert record["state"] == "cancelled"


def test_a_new_server_knows_the_jobs_of_the_one_before(connect: Connect, place: Path) -> None:
    first = connect()
    done = start(first, lambda *_: {"answer": 42})
    context_of(first).jobs.wait(done.id)
    broken = place / "index/serving/jobs/broken.json"
    broken.write_text("{")
    (place / "index/serving/jobs/other.json").write_text(json.dumps(done.record()))
    assert [job["id"] for job in connect().get(f"{API}/jobs").json()["jobs"]] == [done.id]


def test_only_a_job_whose_lock_is_free_was_interrupted(tmp_path: Path) -> None:
    running, killed, waiting = Job("index", "a"), Job("index", "a"), Job("map", "a")
    files = JobFiles(tmp_path)
    for job in (running, killed, waiting):
        job.state = "waiting" if job is waiting else "running"
        files.begin(job)
    for job in (killed, waiting):
        files._locks.pop(job.id).release()
    states = {job.id: job.state for job in JobFiles(tmp_path).load("a")}
    assert states == {running.id: "running", killed.id: "interrupted", waiting.id: "interrupted"}
    files.end(running)


def test_an_index_job_stores_what_is_new_and_says_what_was_skipped(
    client: TestClient, place: Path, draw: Callable[..., Path], finished: Callable[[Any], dict[str, Any]]
) -> None:
    draw(place / "gallery/cats/new.png", 99)
    (place / "gallery/cats/bad.png").write_bytes(b"bad")
    job = finished(client.post(f"{API}/jobs", json={"kind": "index"}))
    assert (job["result"]["added"], job["result"]["unchanged"], job["result"]["skipped"]) == (1, 8, 1)
    assert job["result"]["items"] == 9


def test_too_many_jobs_are_turned_away(client: TestClient) -> None:
    for _ in range(16):
        start(client, until_cancelled)
    answer = client.post(f"{API}/jobs", json={"kind": "map"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "busy")


def test_what_other_processes_write_is_in_the_next_answer(
    client: TestClient, place: Path, draw: Callable[..., Path], tiny: Path
) -> None:
    new = draw(place / "gallery/cats/new.png", 99)
    search = {"content": new.read_bytes(), "headers": {"Content-Type": "image/png"}, "params": {"k": 1}}
    assert client.post(f"{API}/search", **search).json()["matches"][0]["score"] < 0.99
    with Collection.open(place / "index") as collection:
        collection.add(place / "gallery")
    assert client.post(f"{API}/search", **search).json()["matches"][0]["path"] == str(new)
    with Collection.open(place / "index") as collection:
        collection.remove(new)
        collection.enroll("Ana", [place / "gallery/cats/0.png"])
    assert client.post(f"{API}/search", **search).json()["matches"][0]["score"] < 0.99
    assert client.get(f"{API}/identities").json()["identities"][0]["label"] == "Ana"
