"""Filtered queries at each selectivity: recall and number of results, and time beside the unfiltered query and beside
exact search over the rows that match.

    python benchmarks/filtered.py [--rows 100000] [--dim 128] [--queries 200]

Own vectors in clusters, each with metadata: `half` for one in two, `percent`, `permille`, `one` for a single item, and
`cluster`, which goes with the vectors. Half of the queries lie in the clusters that a filter by cluster excludes. A
first query with a filter has to find out what matches, later ones remember it; both are measured, one query at a time,
as arrays (`search`). Exact search over the rows that match is bare FAISS on those rows alone, already gathered, and the
same with their vectors read from the database by the same filter.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import faiss
import numpy as np
from measuring import Bar, Report
from numpy.typing import NDArray

from simsearch.collection import Collection
from simsearch.collection.queries.filtering import nearest
from simsearch.collection.queries.remembered import Filters

K = 10
CLUSTERS = 200
FILTERS = {
    "half = true": "50 %",
    "percent = true": "1 %",
    "permille = true": "0.1 %",
    "one = true": "one item",
    "cluster < 100": "50 %, by cluster",
    "cluster = 3": "0.5 %, by cluster",
}


def clustered(rng: np.random.Generator, count: int, dim: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Unit rows around centers, and the cluster of each."""
    centers = rng.standard_normal((CLUSTERS, dim), dtype=np.float32)
    cluster = rng.integers(0, CLUSTERS, count)
    rows = centers[cluster] + 0.7 * rng.standard_normal((count, dim), dtype=np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True), cluster


def filled(folder: Path, rows: NDArray[np.float32], metadata: list[dict[str, object]]) -> Collection:
    made = Collection.create(folder, dim=rows.shape[1])
    made.add_vectors([f"item/{number}" for number in range(len(rows))], rows, metadata)
    return made


def metadata_of(cluster: NDArray[np.int64]) -> list[dict[str, object]]:
    count = len(cluster)
    return [
        {
            "half": number % 2 == 0,
            "percent": number % 100 == 0,
            "permille": number % 1000 == 0,
            "one": number == count // 3,
            "cluster": int(cluster[number]),
        }
        for number in range(count)
    ]


def times(work: Callable[[NDArray[np.float32]], object], queries: NDArray[np.float32]) -> list[float]:
    """Milliseconds of each query by itself."""
    found = []
    for query in queries:
        started = time.perf_counter()
        work(query[None, :])
        found.append((time.perf_counter() - started) * 1000)
    return found


def first_times(collection: Collection, where: str, queries: NDArray[np.float32]) -> list[float]:
    """Of queries for which nothing about the filter is remembered."""

    condition = collection.condition(where)

    def ask(query: NDArray[np.float32]) -> None:
        nearest(Filters(collection.store), collection.index, query, K, condition)

    return times(ask, queries[:10])


def measured(
    collection: Collection, where: str, name: str, queries: NDArray[np.float32]
) -> tuple[list[str], list[Bar]]:
    store = collection.store
    condition = collection.condition(where)
    assert condition is not None
    first = first_times(collection, where, queries)
    ids = store.contents_where(condition)
    known, unfiltered = [], []
    for query in queries:
        # In turns, so that both see one machine.
        unfiltered += times(lambda query: collection.search(query, K), query[None, :])
        known += times(lambda query: collection.search(query, K, where=where), query[None, :])

    gathered = faiss.IndexFlatIP(collection.dim)
    gathered.add(store.vectors_of(ids.tolist()))
    _, places = gathered.search(queries, K)
    alone = times(lambda query: gathered.search(query, K), queries)

    def read_and_search(query: NDArray[np.float32]) -> None:
        chosen = faiss.IndexFlatIP(collection.dim)
        chosen.add(store.vectors_of(store.contents_where(condition).tolist()))
        chosen.search(query, K)

    read = times(read_and_search, queries[:3])
    found, _ = collection.search(queries, K, where=where)
    expected = min(K, len(ids))
    hits = [
        len(set(row.tolist()) & set(ids[place[place >= 0]].tolist())) for row, place in zip(found, places, strict=True)
    ]
    recall = sum(hits) / (expected * len(queries))
    medians = [statistics.median(some) for some in (first, known, alone, read)]
    row = [name, f"{len(ids):,}", f"{found.shape[1]}", f"{recall:.4f}", *(f"{value:.3f}" for value in medians)]
    bars = [
        Bar(f"{name}: recall@{K}", recall, at_least=0.99),
        Bar(f"{name}: results", found.shape[1], at_least=expected),
    ]
    if name == "50 %":
        bars.append(
            Bar(f"{name}: time of all queries beside the unfiltered ones", sum(known) / sum(unfiltered), at_most=3)
        )
    if name == "0.1 %":
        bars.append(
            Bar(f"{name}: first query beside reading and comparing what matches", medians[0] / medians[3], at_most=1)
        )
        bars.append(Bar.ratio(f"{name}: time beside bare FAISS on the rows that match", known, alone))
    return row, bars


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--queries", type=int, default=200)
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    rows, cluster = clustered(rng, given.rows + given.queries, given.dim)
    queries, rows = rows[given.rows :], rows[: given.rows]
    with (
        tempfile.TemporaryDirectory() as place,
        filled(Path(place) / "collection", rows, metadata_of(cluster[: given.rows])) as collection,
    ):
        unfiltered = times(lambda query: collection.search(query, K), queries)
        table = [
            ["filter", "matching", "results", f"recall@{K}", "first ms", "later ms", "bare FAISS ms", "read + FAISS ms"]
        ]
        table.append(["none", f"{given.rows:,}", str(K), "", "", f"{statistics.median(unfiltered):.3f}", "", ""])
        bars: list[Bar] = []
        for where, name in FILTERS.items():
            row, some = measured(collection, where, name, queries)
            table.append(row)
            bars += some
    Report(
        "filtered",
        "Filtered queries at each selectivity, one at a time, in milliseconds (medians).",
        f"{given.rows:,} vectors of {given.dim} numbers in {CLUSTERS} clusters, {given.queries} queries",
        table,
        bars,
    ).publish()


if __name__ == "__main__":
    main()
