"""A server asked by many clients at once, beside its two bounds: the same queries without HTTP, and HTTP without them.

50 clients ask one server, each its next query when it has the answer before. In turns they ask by stored items, by
vectors, and for a constant of the size of an answer. In between `query_many` is called directly, in batches of the size
that the server formed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from measuring import Bar, Report, process_seconds, python, timed_rows

import simsearch

SERVER = """
import sys
from pathlib import Path
import uvicorn
from fastapi import Response
from simsearch.serving.app import create_app
from simsearch.serving.served import Served
from simsearch.serving.server import configuration, listen, switching
from simsearch.serving.settings import ServeSettings

settings = ServeSettings(port=0, token="t")
app = create_app([Served("vectors", Path(sys.argv[1]))], settings)
constant = b"x" * int(sys.argv[2])

@app.post("/constant")
async def answer():
    return Response(constant, media_type="application/json")

with listen("127.0.0.1", 0) as listening, switching():
    print(listening.getsockname()[1], flush=True)
    uvicorn.Server(configuration(app, settings)).run(sockets=[listening])
"""
BARE = """
import sys, threading, urllib.request
import uvicorn
from fastapi import FastAPI
app = FastAPI()

@app.get("/")
def answer():
    return {}

class Server(uvicorn.Server):
    async def startup(self, sockets=None):
        await super().startup(sockets)
        port = self.servers[0].sockets[0].getsockname()[1]
        def ask():
            urllib.request.urlopen(f"http://127.0.0.1:{port}/").read()
            self.should_exit = True
        threading.Thread(target=ask).start()

Server(uvicorn.Config(app, port=0, log_level="warning")).run()
"""
WARMING = 3.0


@dataclass
class Asked:
    """Answers a second, and how long each took."""

    rates: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    errors: int = 0


def request(path: str, body: object) -> bytes:
    content = json.dumps(body).encode()
    lines = (
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Authorization: Bearer t",
        "Content-Type: application/json",
        f"Content-Length: {len(content)}",
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


async def asking(port: int, requests: Sequence[bytes], start: int, until: float, asked: Asked) -> int:
    """One client; returns how many answers it got."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    count = 0
    while time.perf_counter() < until:
        began = time.perf_counter()
        writer.write(requests[(start + count) % len(requests)])
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        assert length is not None
        await reader.readexactly(int(length[1]))
        asked.seconds.append(time.perf_counter() - began)
        asked.errors += not head.startswith(b"HTTP/1.1 200 ")
        count += 1
    writer.close()
    return count


async def load(port: int, requests: Sequence[bytes], clients: int, seconds: float, asked: Asked) -> None:
    began = time.perf_counter()
    counts = await asyncio.gather(
        *(asking(port, requests, number * 997, began + seconds, asked) for number in range(clients))
    )
    asked.rates.append(sum(counts) / (time.perf_counter() - began))


def batch_sizes(port: int) -> tuple[float, float]:
    """How many queries were answered, and in how many batches."""
    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read().decode()
    found = [re.search(rf"simsearch_batch_size_{name}{{.*?}} (\S+)", text) for name in ("sum", "count")]
    return tuple(0.0 if one is None else float(one[1]) for one in found)  # type: ignore[return-value]


def resident(process: int) -> float:
    """Megabytes of memory that a process has."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def direct(collection: simsearch.Collection, queries: Sequence[object], batch: int, seconds: float) -> float:
    """Answers a second of `query_many` itself."""
    began, done = time.perf_counter(), 0
    while time.perf_counter() < began + seconds:
        start = done % (len(queries) - batch)
        collection.query_many(queries[start : start + batch], 10)  # type: ignore[arg-type]
        done += batch
    return done / (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--clusters", type=int, default=0, help="draw the vectors around so many centres; 0 for none")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60.0, help="for each kind of query, in all turns together")
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "vectors"
        with simsearch.Collection.create(folder, dim=options.dim) as collection:
            vectors = rng.normal(size=(options.items, options.dim)).astype(np.float32)
            if options.clusters:
                vectors /= 2
                vectors += rng.normal(size=(options.clusters, options.dim))[np.arange(options.items) % options.clusters]
            collection.add_vectors([f"item {number}" for number in range(options.items)], vectors)
            measure(collection, vectors, folder, options)


def measure(collection: simsearch.Collection, vectors: np.ndarray, folder: Path, options: argparse.Namespace) -> None:
    rng = np.random.default_rng(1)
    chosen = rng.integers(1, options.items, 2000).tolist()
    near = vectors[chosen] + rng.normal(size=(2000, options.dim)).astype(np.float32) / 4
    bodies = {
        "item": [request("/api/v1/search", {"item": item}) for item in chosen],
        "vector": [request("/api/v1/search", {"vector": row}) for row in near.round(5).tolist()],
    }
    sources = {"item": collection.items_with(chosen), "vector": list(near)}
    server = subprocess.Popen([sys.executable, "-c", SERVER, folder, "2400"], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    port = int(server.stdout.readline())
    kinds = [*bodies, *(f"constant for {kind}" for kind in bodies)]
    asked = {kind: Asked() for kind in kinds}
    alone: dict[str, list[float]] = {kind: [] for kind in bodies}
    each, memory, batches = options.seconds / options.turns, list[float](), dict[str, int]()
    constants = {
        f"constant for {kind}": [one.replace(b"/api/v1/search", b"/constant") for one in given]
        for kind, given in bodies.items()
    }
    try:
        for given in (*bodies.values(), *constants.values()):
            asyncio.run(load(port, given, options.clients, WARMING, Asked()))
        for _ in range(options.turns):
            for kind, given in bodies.items():
                before = batch_sizes(port)
                asyncio.run(load(port, given, options.clients, each, asked[kind]))
                after = batch_sizes(port)
                batches[kind] = max(1, round((after[0] - before[0]) / (after[1] - before[1])))
                memory.append(resident(server.pid))
                asyncio.run(
                    load(
                        port,
                        constants[f"constant for {kind}"],
                        options.clients,
                        each / 3,
                        asked[f"constant for {kind}"],
                    )
                )
                alone[kind].append(direct(collection, sources[kind], batches[kind], each / 3))
    finally:
        server.terminate()
        server.wait()
    publish(asked, alone, batches, memory, starts(folder), options)


def starts(folder: Path) -> dict[str, list[float]]:
    """Seconds from nothing to the first answer of `serve`, to the answer of a cold `query`, and of a bare server."""
    taken: dict[str, list[float]] = {"serve": [], "query": [], "bare": []}
    words = python("-m", "simsearch", "serve", "--index", folder, "--port", "0", "--json")
    for _ in range(7):
        began = time.perf_counter()
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
            assert server.stdout is not None
            address = json.loads(server.stdout.readline())["address"]
            body = json.dumps({"item": 1}).encode()
            headers = {"Content-Type": "application/json"}
            urllib.request.urlopen(urllib.request.Request(f"{address}api/v1/search", body, headers)).read()
            taken["serve"].append(time.perf_counter() - began)
            server.terminate()
        taken["query"].append(process_seconds(python("-m", "simsearch", "query", "item 1", "--index", folder)))
        taken["bare"].append(process_seconds(python("-c", BARE)))
    return taken


def publish(
    asked: dict[str, Asked],
    alone: dict[str, list[float]],
    batches: dict[str, int],
    memory: list[float],
    started: dict[str, list[float]],
    options: argparse.Namespace,
) -> None:
    rows = [("", "answers a second", "median, ms", "99th percentile, ms")]
    bars = []
    for kind, found in asked.items():
        cuts = statistics.quantiles(found.seconds, n=100)
        rows.append((kind, f"{statistics.median(found.rates):,.0f}", f"{cuts[49] * 1e3:.1f}", f"{cuts[98] * 1e3:.1f}"))
    for kind, rates in alone.items():
        rows.append((f"query_many by {kind}, batches of {batches[kind]}", f"{statistics.median(rates):,.0f}", "", ""))
        constant = asked[f"constant for {kind}"].rates
        lower = [min(pair) for pair in zip(rates, constant, strict=True)]
        bars.append(Bar.ratio(f"by {kind} / the lower bound", asked[kind].rates, lower, at_least=0.6))
        cuts = statistics.quantiles(asked[kind].seconds, n=100)
        bars.append(Bar(f"by {kind}, 99th percentile / median", cuts[98] / cuts[49], at_most=10))
    errors = sum(found.errors for found in asked.values())
    bars += [
        Bar("errors", errors, at_most=0),
        Bar("memory, last turn / first turn", memory[-1] / memory[0], at_most=1.05),
        Bar.ratio(
            "start of serve to the first answer / (a cold query + a bare server)",
            started["serve"],
            [a + b for a, b in zip(started["query"], started["bare"], strict=True)],
            at_most=1.2,
        ),
    ]
    around = f" around {options.clusters:,} centres" if options.clusters else ""
    timed = [f"{name} {middle} ms" for name, middle, *_ in timed_rows(started, 1e3)]
    Report(
        "serving",
        "A server answers many clients at a good part of what the search, or HTTP, would allow alone.",
        f"{options.items:,} vectors of {options.dim} numbers{around}, {options.clients} clients, {options.seconds:g} s",
        rows,
        bars,
        [f"Start to the first answer: {', '.join(timed)}", f"Memory of the server: {memory[-1]:,.0f} MB"],
    ).publish()


if __name__ == "__main__":
    main()
