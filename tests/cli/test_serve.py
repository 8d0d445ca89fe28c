"""`simsearch serve` as a process: started, asked, stopped, killed; and slow clients."""

from __future__ import annotations

import json
import select
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

Command = Callable[..., Any]
PATIENT = """
import sys, threading
from pathlib import Path
from simsearch.encoders import open_encoder
from simsearch.serving.server import listen, serve
from simsearch.serving.settings import Limits, ServeSettings

class Stuck:
    '''An encoder that embeds the first batches and then never comes back.'''

    def __init__(self, inner, batches):
        self.inner, self.left = inner, batches
        self.name, self.fingerprint, self.modality, self.dim = inner.name, inner.fingerprint, "image", inner.dim

    def prepare(self, source):
        return self.inner.prepare(source)

    def embed(self, prepared):
        if self.left == 0:
            print("stuck", flush=True)
            threading.Event().wait()
        self.left -= 1
        return self.inner.embed(prepared)

    def encode(self, sources):
        return self.inner.encode(sources)

encoder, folder, batches = sys.argv[1:]
settings = ServeSettings(port=0, token="t", limits=Limits(head_seconds=0.3, read_seconds=0.3, send_seconds=0.3))
with listen("127.0.0.1", 0) as listening:
    print(listening.getsockname()[1], flush=True)
    serve([("index", Path(folder), Stuck(open_encoder(encoder), int(batches)))], settings, listening)
"""


class Server:
    """A process that serves."""

    port = 0

    def __init__(self, words: list[object], place: Path) -> None:
        line = [sys.executable, *map(str, words)]
        self.process = subprocess.Popen(line, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def line(self) -> str:
        """The next line of its standard output."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def stopped(self, number: int) -> tuple[int, str]:
        """Its exit code and standard error after a signal."""
        self.process.send_signal(number)
        _, err = self.process.communicate(timeout=60)
        return self.process.returncode, err


@pytest.fixture
def start(place: Path) -> Iterator[Callable[..., Server]]:
    started: list[Server] = []

    def run(*words: object) -> Server:
        started.append(Server(list(words), place))
        return started[-1]

    yield run
    for server in started:
        server.process.kill()
        server.process.communicate()


@pytest.fixture
def patient(start: Callable[..., Server], place: Path, tiny: Path) -> Callable[[int], Server]:
    """Starts a server of the gallery with short limits, whose encoder comes to a halt after so many batches."""

    def run(batches: int) -> Server:
        script = place / "patient.py"
        script.write_text(PATIENT)
        server = start(script, tiny, place / "indexes/gallery", batches)
        server.port = int(server.line())
        return server

    return run


def call(address: str, path: str, body: object = None, token: str = "") -> Any:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    request = urllib.request.Request(
        address + path, None if body is None else json.dumps(body).encode(), headers if body is not None else {}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def test_it_starts_answers_and_stops(start: Callable[..., Server], command: Command, indexed: Path) -> None:
    server = start("-m", "simsearch", "serve", "--port", "0", "--json")
    said = json.loads(server.line())
    assert said["collections"] == ["gallery"]
    found = call(said["address"], "api/v1/search", {"item": 1, "k": 2})
    assert [match["rank"] for match in found["matches"]] == [1, 2]
    port = said["address"].rsplit(":", 1)[1].strip("/")
    host = command("serve", "--host", "no.such.host.invalid")
    assert (host.code, "no.such.host.invalid is no host to listen on" in host.err) == (2, True)
    taken = command("serve", "--port", port)
    assert (taken.code, taken.err.count("\n")) == (2, 1)
    assert f"port {port} of 127.0.0.1 cannot be used: address already in use; choose another with --port" in taken.err
    assert server.stopped(signal.SIGTERM) == (0, "")


def test_clients_that_go_away_end_nothing(start: Callable[..., Server], indexed: Path) -> None:
    """To write to one that has closed raises SIGPIPE, by which a command ends when its output is closed."""
    server = start("-m", "simsearch", "serve", "--port", "0", "--json")
    address = json.loads(server.line())["address"]
    place = ("127.0.0.1", int(address.rsplit(":", 1)[1].strip("/")))
    for _ in range(30):
        with socket.create_connection(place, 30) as client:
            client.sendall(b"GET /api/v1/items HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 5)
    assert call(address, "api/v1/health")["status"] == "ok"
    assert server.stopped(signal.SIGTERM) == (0, "")


def test_control_c_stops_it_too(start: Callable[..., Server], indexed: Path) -> None:
    server = start("-m", "simsearch", "serve", "--port", "0", "--quiet")
    assert server.line().startswith("http://127.0.0.1:")
    assert server.stopped(signal.SIGINT) == (0, "")


def test_what_cannot_be_served_is_said_in_a_line(
    command: Command, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    none = command("serve", "--port", "0")
    assert (none.code, "No collection in indexes yet" in none.err) == (1, True)
    missing = command("serve", "--index", "nothing")
    assert (missing.code, missing.err.count("\n")) == (1, 1)
    (place / "indexes/other").mkdir(parents=True)
    (place / "indexes/other/collection.sqlite").write_bytes(b"not a database" * 100)
    broken = command("serve", "--port", "0")
    assert (broken.code, broken.err.count("\n")) == (1, 1)
    monkeypatch.setitem(sys.modules, "fastapi", None)
    extra = command("serve")
    assert (extra.code, 'pip install "simsearch[serve]"' in extra.err) == (1, True)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="signals of POSIX")
def test_a_job_that_is_killed_is_known_and_goes_on(
    start: Callable[..., Server],
    patient: Callable[[int], Server],
    command: Command,
    place: Path,
    tiny: Path,
    draw: Callable[..., Path],
) -> None:
    draw(place / "gallery/0.png", 0, (8, 8))
    command("index", place / "gallery", "--encoder", tiny, "--quiet")
    for seed in range(1, 300):
        draw(place / "gallery" / f"{seed}.png", seed, (8, 8))
    server = patient(1)
    asked = call(server.address, "api/v1/jobs", {"kind": "index"}, "t")
    assert server.line() == "stuck"
    server.process.kill()
    server.process.wait()
    assert command("check").code == 0
    server = start("-m", "simsearch", "serve", "--port", "0", "--json")
    said = json.loads(server.line())
    (known,) = call(said["address"], "api/v1/jobs")["jobs"]
    assert (known["id"], known["state"]) == (asked["id"], "interrupted")
    assert (known["error"], "what was stored is kept" in known["kept"]) == (
        "the server was stopped while the job ran",
        True,
    )
    (before,) = call(said["address"], "api/v1/collections")["collections"]
    assert 1 < before["items"] < 300
    job = call(said["address"], "api/v1/jobs", {"kind": "index"}, said["token"])
    while job["state"] in ("waiting", "running"):
        job = call(said["address"], f"api/v1/jobs/{job['id']}")
    assert (job["result"]["items"], job["result"]["unchanged"]) == (300, before["items"])


def test_a_slow_client_holds_nobody_up(patient: Callable[[int], Server], indexed: Path) -> None:
    """Neither one that sends half a head, nor one whose body never comes; each is left after its time."""
    server = patient(99)
    place = ("127.0.0.1", server.port)
    head = b"POST /api/v1/search HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\nContent-Length: 9\r\n"
    with socket.create_connection(place, 30) as half, socket.create_connection(place, 30) as whole:
        half.sendall(head)
        whole.sendall(head + b"\r\nhalf")
        assert call(server.address, "api/v1/health")["status"] == "ok"
        assert half.recv(1000) == b""
        answer = whole.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"slow"' in answer


@pytest.mark.skipif(not hasattr(select, "poll"), reason="polling of POSIX")
def test_a_client_that_does_not_take_its_answer_is_left(
    patient: Callable[[int], Server], command: Command, place: Path, tiny: Path
) -> None:
    """Its connection is reset, and with it goes what the server held for it."""
    (place / "gallery").mkdir()
    Image.effect_noise((5000, 4000), 50).save(place / "gallery/large.bmp")
    command("index", place / "gallery", "--encoder", tiny, "--quiet")
    server = patient(99)
    with socket.create_connection(("127.0.0.1", server.port), 30) as lazy:
        lazy.sendall(b"GET /api/v1/items/1/file HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert call(server.address, "api/v1/health")["status"] == "ok"
        ends = select.poll()
        ends.register(lazy, select.POLLHUP | select.POLLERR)
        assert ends.poll(30_000)
