"""What a collection costs on top of its parts, and how that grows: search, cold queries, additions and removals.

The parts are bare FAISS with the same lists, and bare SQLite with the same tables, rows and durability.
"""

from __future__ import annotations

import argparse
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from measuring import Bar, Report, interleaved, process_seconds, python, timed_rows

K = 10
AT_ONCE = 100_000
SQL = {
    "content": "INSERT INTO content (sha256, kind, vector) VALUES (?, 'vector', ?)",
    "item": "INSERT INTO item (uri, content_id, size, mtime_ns) VALUES (?, ?, 0, 0)",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vectors", type=Path, required=True, help="a .npy of unit rows, as real_embeddings.py makes")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 10_000, 100_000, 200_000])
    parser.add_argument("--changes", type=int, default=10_000, help="rows that are added, then removed")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="where collections are made; else a temporary folder")
    options = parser.parse_args()
    stored = np.load(options.vectors, mmap_mode="r")
    if len(stored) < max(options.sizes) + options.changes:
        raise SystemExit(f"{options.vectors} has {len(stored):,} rows; give fewer --sizes or --changes")
    with tempfile.TemporaryDirectory(dir=options.folder) as place:
        folders, growth = {}, []
        for size in options.sizes:
            folders[size] = Path(place) / f"of-{size}"
            growth.append(_made(folders[size], stored, size))
        _growth(options, stored, folders, growth)
        largest = folders[max(options.sizes)]
        _over_parts(options, stored, largest)
        _cold(options, folders)
        _changes(options, stored, largest)


def _made(folder: Path, stored: Any, size: int) -> list[str]:
    """Makes a collection; the first cells of its row in the table of growth."""
    import simsearch

    started = time.perf_counter()
    with simsearch.Collection.create(folder, dim=stored.shape[1]) as collection:
        for start in range(0, size, AT_ONCE):
            count = min(AT_ONCE, size - start)
            collection.add_vectors(_names("v", count, start), np.array(stored[start : start + count]))
        seconds, info = time.perf_counter() - started, collection.info()
    recall = "exact" if info.index.recall is None else f"{info.index.recall.recall:.4f}"
    return [f"{size:,}", f"{seconds:,.1f}", f"{info.bytes_on_disk / 1e6:,.1f}", info.index.kind, recall]


def _growth(options: argparse.Namespace, stored: Any, folders: dict[int, Path], growth: list[list[str]]) -> None:
    import simsearch

    rows = [("vectors", "build s", "disk MB", "index", "recall@10", "1,000 queries ms", "one query ms", "add 100 ms")]
    asked = np.array(stored[-1000:])
    for (size, folder), cells in zip(folders.items(), growth, strict=True):
        with simsearch.Collection.open(folder) as collection:
            collection.search(asked, K)
            many = _median(lambda: collection.search(asked, K), options.turns)
            one = _median(lambda: collection.search(asked[:1], K), options.turns)
            names = _names("few", 100, size)
            started = time.perf_counter()
            collection.add_vectors(names, asked[:100] + 0.5 * asked[100:200])
            added = time.perf_counter() - started
            collection.remove(names)
        rows.append((*cells, f"{many * 1e3:,.1f}", f"{one * 1e3:,.2f}", f"{added * 1e3:,.0f}"))
    Report(
        "index_growth",
        "What a collection costs as it grows.",
        f"vectors of {options.vectors.name}, {stored.shape[1]} numbers; added {AT_ONCE:,} at a time",
        rows,
    ).publish()


def _over_parts(options: argparse.Namespace, stored: Any, folder: Path) -> None:
    import simsearch

    asked = np.array(stored[-1000:])
    with simsearch.Collection.open(folder) as collection:
        bare, lookup = _bare_search(collection), sqlite3.connect(folder / "collection.sqlite")
        marks = ",".join("?" * K)
        query = f"SELECT uri, content_id, label, size, mtime_ns, metadata FROM item WHERE content_id IN ({marks})"

        def looked_up(vectors: Any) -> list[Any]:
            ids = collection.index.ids[bare(vectors)]  # type: ignore[attr-defined]
            return [lookup.execute(query, row).fetchall() for row in ids.tolist()]

        taken = interleaved(
            {
                "bare FAISS, 1,000 queries": lambda: _seconds(lambda: bare(asked)),
                "Collection.search, 1,000 queries": lambda: _seconds(lambda: collection.search(asked, K)),
                "bare FAISS and SQLite, 1,000 queries": lambda: _seconds(lambda: looked_up(asked)),
                "Collection.query_many, 1,000 queries": lambda: _seconds(lambda: collection.query_many(list(asked), K)),
                "bare FAISS and SQLite, one query": lambda: _seconds(lambda: looked_up(asked[:1])),
                "Collection.query, one query": lambda: _seconds(lambda: collection.query(asked[0], K)),
            },
            2 * options.turns,
        )
        lookup.close()
    faiss_alone, search, looked, many, one_looked, one = taken.values()
    Report(
        "index_over_parts",
        "A collection answers about as fast as the parts that it is made of.",
        f"{max(options.sizes):,} vectors of {options.vectors.name}, {2 * options.turns} turns; milliseconds",
        [("ms", "median", "fastest", "slowest"), *timed_rows(taken, 1e3)],
        [
            Bar.ratio("bare FAISS / search", faiss_alone, search, at_least=0.9),
            Bar.ratio("query_many / FAISS and look-up", many, looked, at_most=2),
            Bar.ratio("query / FAISS and look-up", one, one_looked, at_most=3),
        ],
    ).publish()


def _bare_search(collection: Any) -> Callable[[Any], Any]:
    """The positions that FAISS alone finds, with the same lists and its own refinement by the vectors."""
    import faiss

    from simsearch.vectors.inverted import InvertedIndex

    library: Any = faiss
    main = collection.index.main
    if not isinstance(main, InvertedIndex):
        return lambda vectors: faiss.knn(vectors, main.rows, K, metric=faiss.METRIC_INNER_PRODUCT)[1]
    refined = library.IndexRefineFlat(main.lists, library.swig_ptr(main.exact.rows))
    inner = library.SearchParametersIVF(nprobe=main.probes)
    params = library.IndexRefineSearchParameters(k_factor=float(main.factor), base_index_params=inner)
    return lambda vectors: refined.search(vectors, K, params=params)[1]


def _cold(options: argparse.Namespace, folders: dict[int, Path]) -> None:
    taken = interleaved(
        {
            f"{size:,} vectors": lambda folder=folder: process_seconds(  # type: ignore[misc]
                python("-m", "simsearch", "query", "v/7", "--index", str(folder), "--json")
            )
            for size, folder in folders.items()
        },
        2 * options.turns,
    )
    smallest, *_, largest = taken.values()
    Report(
        "index_cold",
        "The first query of a process takes hardly longer in a large collection than in a small one.",
        "`simsearch query` by a stored item, whole processes; milliseconds",
        [("ms", "median", "fastest", "slowest"), *timed_rows(taken, 1e3)],
        [Bar.ratio("largest / smallest", largest, smallest, at_most=1.5)],
    ).publish()


def _changes(options: argparse.Namespace, stored: Any, folder: Path) -> None:
    import simsearch

    taken: dict[str, list[float]] = {name: [] for name in ("bare add", "add", "bare remove", "remove")}
    new = np.array(stored[-options.changes :])
    for turn in range(options.turns):
        names = _names(f"new-{turn}", options.changes, 0)
        # Other vectors in each turn: equal ones would be one content.
        rows = new + np.float32(0.01 * (turn + 1)) * new[::-1]
        copy = folder.with_name("bare.sqlite")
        with simsearch.Collection.open(folder) as collection:
            collection.compact()
            shutil.copy(folder / "collection.sqlite", copy)
            bare_add, bare_remove = _bare_changes(copy, names, rows)
            taken["bare add"].append(bare_add)
            taken["add"].append(_seconds(lambda: collection.add_vectors(names, rows)))  # noqa: B023
            taken["bare remove"].append(bare_remove)
            taken["remove"].append(_seconds(lambda: collection.remove(names)))  # noqa: B023
        copy.unlink()
    Report(
        "index_changes",
        "Adding to a large collection and removing from it cost little more than writing the rows.",
        f"{options.changes:,} rows added to {max(options.sizes):,} and removed again, {options.turns} turns; "
        "bare SQLite has the same tables and pragmas, all in one transaction; seconds",
        [("s", "median", "fastest", "slowest"), *timed_rows(taken)],
        [
            Bar.ratio("add / bare add", taken["add"], taken["bare add"], at_most=3),
            Bar.ratio("remove / bare remove", taken["remove"], taken["bare remove"], at_most=3),
        ],
    ).publish()


def _bare_changes(path: Path, names: Sequence[str], rows: Any) -> tuple[float, float]:
    """Seconds to insert contents and items, and to delete them, each in one durable transaction."""
    import hashlib

    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "secure_delete = ON"):
        connection.execute(f"PRAGMA {pragma}")
    last = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'content'").fetchone()[0]
    blobs = [row.tobytes() for row in rows.astype("<f4")]
    added = _seconds(
        lambda: (
            connection.execute("BEGIN IMMEDIATE"),
            connection.executemany(SQL["content"], [(hashlib.sha256(blob).digest(), blob) for blob in blobs]),
            connection.executemany(SQL["item"], [(name.encode(), last + 1 + at) for at, name in enumerate(names)]),
            connection.execute("COMMIT"),
        )
    )
    removed = _seconds(
        lambda: (
            connection.execute("BEGIN IMMEDIATE"),
            connection.executemany("DELETE FROM item WHERE uri = ?", [(name.encode(),) for name in names]),
            connection.execute("DELETE FROM content WHERE id > ?", (last,)),
            connection.execute("COMMIT"),
        )
    )
    connection.close()
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    return added, removed


def _names(stem: str, count: int, first: int) -> list[str]:
    return [f"{stem}/{number}" for number in range(first, first + count)]


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _median(work: Callable[[], object], turns: int) -> float:
    return statistics.median(_seconds(work) for _ in range(turns))


if __name__ == "__main__":
    main()
