"""Search at a recall of 0.99: the index of large collections beside hnswlib, usearch and bare FAISS.

Each engine has a process of its own, in which it is built with all cores and set to the least work that reaches the
recall; then they search in turns, so that all of them see the same machine.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import statistics
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from measuring import Bar, Report

RECALL, K = 0.99, 10
ENGINES = ("simsearch", "bare FAISS", "hnswlib", "usearch")
LADDER = [int(10 * 2 ** (step / 4)) for step in range(30)]

Search = Callable[[Any], Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vectors", type=Path, help="a .npy of unit rows, as real_embeddings.py makes; else synthetic")
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--dim", type=int, default=128, help="of synthetic vectors")
    parser.add_argument("--queries", type=int, default=2000, help="rows that are not indexed")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    options = parser.parse_args()
    given = (options.vectors, options.rows, options.queries, options.dim)
    started = {name: _start(name, given, options.threads) for name in options.engines}
    built = {name: pipe.recv() for name, pipe in started.items()}
    rates: dict[str, list[float]] = {name: [] for name in started}
    cpu: dict[str, list[float]] = {name: [] for name in started}
    for turn in range(options.turns):
        for name in list(started)[:: 1 if turn % 2 == 0 else -1]:
            started[name].send("search")
            wall, processor = started[name].recv()
            rates[name].append(options.queries / wall)
            cpu[name].append(processor / options.queries * 1e6)
    for pipe in started.values():
        pipe.send("end")
    _report(options, built, rates, cpu)


def _report(
    options: argparse.Namespace,
    built: dict[str, dict[str, Any]],
    rates: dict[str, list[float]],
    cpu: dict[str, list[float]],
) -> None:
    source = options.vectors.name if options.vectors else "synthetic: clusters of 100 on a sphere"
    columns = "engine;build s;recall@10;queries a second;slowest, fastest turn;CPU µs a query;memory MB;setting"
    rows = [tuple(columns.split(";"))]
    for name, facts in built.items():
        speeds = rates[name]
        rows.append(
            (
                name,
                f"{facts['seconds']:,.1f}",
                f"{facts['recall']:.4f}",
                f"{statistics.median(speeds):,.0f}",
                f"{min(speeds):,.0f}, {max(speeds):,.0f}",
                f"{min(cpu[name]):,.0f}",
                f"{facts['memory']:,.0f}",
                facts["setting"],
            )
        )
    own = rates.get("simsearch")
    bars = []
    for name in ("hnswlib", "usearch"):
        if own and name in rates:
            bars.append(Bar.ratio(f"queries a second, simsearch / {name}", own, rates[name], at_least=2))
    if own and "bare FAISS" in rates:
        bars.append(Bar.ratio("queries a second, simsearch / bare FAISS", own, rates["bare FAISS"], at_least=0.9))
    if own and "hnswlib" in built:
        bars.append(
            Bar(
                "build, simsearch / hnswlib", built["simsearch"]["seconds"] / built["hnswlib"]["seconds"], at_most=1 / 3
            )
        )
    Report(
        "index_speed" if options.vectors else "index_speed_synthetic",
        f"At a recall@10 of {RECALL} or more, an index that is tuned on its own vectors is faster than graphs.",
        f"{options.rows:,} vectors of {source}, {built[next(iter(built))]['dim']} numbers each; "
        f"{options.queries:,} others as queries, all at once; {options.threads} threads",
        rows,
        bars,
        [
            "The CPU time is that of the fastest turn: what others do on the machine hardly changes it.",
            "Memory is what a process with the finished index holds, without the vectors that it was given.",
        ],
    ).publish()


def _start(name: str, given: tuple[Path | None, int, int, int], threads: int) -> Connection:
    """A process that builds an engine, reports that, and then searches once for each message."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    context.Process(target=_serve, args=(name, given, threads, there), daemon=True).start()
    # One after the other: each build has all cores.
    here.poll(None)
    return here


def _serve(name: str, given: tuple[Path | None, int, int, int], threads: int, pipe: Connection) -> None:
    import faiss

    faiss.omp_set_num_threads(threads)
    rows, queries = vectors(*given)
    truth = _nearest(rows, queries)
    before, started = _resident(), time.perf_counter()
    search_at, settings = {
        "simsearch": _simsearch,
        "bare FAISS": _faiss,
        "hnswlib": _hnswlib,
        "usearch": _usearch,
    }[name](rows, threads)
    seconds = time.perf_counter() - started
    for setting in settings:
        search = search_at(setting)
        recall = float(np.mean([len(set(a) & set(b)) for a, b in zip(search(queries), truth, strict=True)])) / K
        if recall >= RECALL:
            break
    facts = {"seconds": seconds, "recall": recall, "setting": str(setting), "dim": rows.shape[1]}
    pipe.send({**facts, "memory": _resident() - before})
    while pipe.recv() == "search":
        started, processor = time.perf_counter(), time.process_time()
        search(queries)
        pipe.send((time.perf_counter() - started, time.process_time() - processor))


def vectors(path: Path | None, rows: int, queries: int, dim: int) -> tuple[Any, Any]:
    from simsearch.vectors.arrays import as_vectors

    if path is not None:
        stored = np.load(path, mmap_mode="r")
        # Of a shuffled order, so that queries and rows are alike.
        order = np.random.default_rng(0).permutation(len(stored))[: rows + queries]
        if len(order) < rows + queries:
            raise SystemExit(f"{path} has {len(stored):,} rows; {rows + queries:,} are needed")
        return as_vectors(stored[np.sort(order[:rows])]), as_vectors(stored[np.sort(order[rows:])])
    random = np.random.default_rng(0)
    centers = random.normal(size=(max(1, rows // 100), dim)).astype(np.float32)
    centers /= np.linalg.norm(centers, axis=1, keepdims=True)
    noise = random.normal(size=(rows + queries, dim)).astype(np.float32) * (0.5 / dim**0.5)
    made = as_vectors(centers[random.integers(0, len(centers), rows + queries)] + noise)
    return made[:rows], made[rows:]


def _nearest(rows: Any, queries: Any) -> Any:
    import faiss

    return faiss.knn(queries, rows, K, metric=faiss.METRIC_INNER_PRODUCT)[1]


def _resident() -> float:
    """Memory of this process that is not that of files, in MB."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return int(lines["RssAnon"].split()[0]) / 1e3


def _tuned(rows: Any) -> Any:
    from simsearch.vectors.audit import held_out
    from simsearch.vectors.choose import Wish, chosen
    from simsearch.vectors.faiss_index import FaissFlatIndex
    from simsearch.vectors.quantizing import sample_of, train
    from simsearch.vectors.tuning import tuned

    flat = FaissFlatIndex.over(np.arange(len(rows), dtype=np.int64), rows)
    lists = train(flat, chosen(len(rows), rows.shape[1], Wish(RECALL)), 0)
    places = sample_of(len(rows), 1000, 1)
    index = tuned(flat, lists, held_out(flat, flat.ids[places], rows[places]), RECALL)
    if index is None:
        raise SystemExit(f"lists do not reach a recall of {RECALL} on these vectors")
    return index


def _simsearch(rows: Any, _: int) -> tuple[Callable[[Any], Search], list[Any]]:
    index = _tuned(rows)
    setting = f"{index.lists.nlist} lists, {index.probes} read, {index.factor} candidates for each"
    return (lambda _: lambda queries: index.search(queries, K)[0]), [setting]


def _faiss(rows: Any, _: int) -> tuple[Callable[[Any], Search], list[Any]]:
    """The same lists by FAISS alone, with its own refinement by the vectors."""
    import faiss

    index = _tuned(rows)
    library: Any = faiss
    refined = library.IndexRefineFlat(index.lists, library.swig_ptr(rows))

    def at(_: object) -> Search:
        inner = library.SearchParametersIVF(nprobe=index.probes)
        params = library.IndexRefineSearchParameters(k_factor=float(index.factor), base_index_params=inner)
        return lambda queries: refined.search(queries, K, params=params)[1]

    return at, [f"{index.lists.nlist} lists, {index.probes} read, {index.factor} candidates for each"]


def _hnswlib(rows: Any, threads: int) -> tuple[Callable[[Any], Search], list[Any]]:
    import hnswlib

    index = hnswlib.Index(space="ip", dim=rows.shape[1])
    index.init_index(max_elements=len(rows), ef_construction=200, M=16)
    index.add_items(rows, num_threads=threads)

    def at(ef: int) -> Search:
        def search(queries: Any) -> Any:
            index.set_ef(ef)
            return index.knn_query(queries, K, num_threads=threads)[0]

        return search

    return at, LADDER


def _usearch(rows: Any, threads: int) -> tuple[Callable[[Any], Search], list[Any]]:
    from usearch.index import Index

    index = Index(ndim=rows.shape[1], metric="ip", dtype="f32", connectivity=16, expansion_add=128)
    index.add(np.arange(len(rows)), rows, threads=threads)

    def at(expansion: int) -> Search:
        def search(queries: Any) -> Any:
            index.expansion_search = expansion
            return index.search(queries, K, threads=threads).keys

        return search

    return at, LADDER


if __name__ == "__main__":
    main()
