"""The overhead of indexing a table of texts over encoding, the time of an update, and the memory of a large table."""

from __future__ import annotations

import argparse
import csv
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from measuring import Bar, Report, python, reported_seconds, timed_rows

import simsearch

if TYPE_CHECKING:
    from simsearch.types import Source, Vectors

DIM = 8


class Cut(NamedTuple):
    """A prepared text."""

    text: str
    width: None = None
    height: None = None


class Cheap:
    """An encoder that costs next to nothing, so that everything else can be seen; eight numbers from the checksum."""

    name, fingerprint, modality, dim = "cheap", "0" * 16, "text", DIM

    def prepare(self, source: Source) -> Cut:
        assert isinstance(source, str)
        return Cut(source)

    def embed(self, prepared: Sequence[Any]) -> Vectors:
        seeds = np.array([[hash(cut.text) & 0xFFFFFF] for cut in prepared], dtype=np.float64)
        rows = np.sin(seeds * np.arange(1, DIM + 1))
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

    def encode(self, sources: Sequence[Source]) -> Vectors:
        return self.embed([self.prepare(source) for source in sources])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--many", type=int, default=1_000_000, help="rows of the table that memory is measured on")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--peak", type=int, metavar="ROWS", help="only index so many rows and print the peak in MB")
    options = parser.parse_args()
    if options.peak:
        print(peak(options.peak))
        return
    with tempfile.TemporaryDirectory() as home:
        table = written(Path(home) / "table.csv", options.rows)
        first = [timed(lambda turn=turn: index(table, Path(home) / f"c{turn}")) for turn in range(options.repetitions)]
        with simsearch.Collection.open(Path(home) / "c0", Cheap()) as collection:
            same = [timed(lambda: collection.add(table)) for _ in range(options.repetitions)]
            one = [timed(lambda turn=turn: changed(collection, table, turn)) for turn in range(options.repetitions)]  # type: ignore[misc]
        looks = [timed(lambda: os.stat(table)) for _ in range(options.repetitions)]  # noqa: PTH116
    few, many = (reported_seconds([*python(__file__, "--peak"), str(rows)]) for rows in (options.rows, options.many))
    taken = {"index": first, "update, unchanged": same, "update, one row changed": one, "one stat": looks}
    Report(
        "texts_indexing",
        "A table costs a look while it is unchanged; a changed one is read, and its new texts alone are encoded. The "
        "memory of indexing does not hold the table.",
        f"a table of {options.rows:,} rows of three columns, and one of {options.many:,}; an encoder of {DIM} numbers "
        f"that costs next to nothing; an open collection in one process, {options.repetitions} turns",
        [("milliseconds", "median", "fastest", "slowest"), *timed_rows(taken, 1000)],
        [
            Bar("microseconds a row of the first indexing", statistics.median(first) / options.rows * 1e6, at_most=400),
            Bar("milliseconds of an unchanged update", statistics.median(same) * 1000, at_most=200),
            Bar(f"peak MB at {options.rows:,} rows", few),
            Bar(f"peak MB at {options.many:,} rows", many),
            Bar("bytes more for each further row", (many - few) * 1e6 / (options.many - options.rows), at_most=150),
        ],
        [
            "Processor time of the process: how long it waits for the disk at each transaction depends on the disk.",
            f"What grows are vectors and ids of the index in memory, {4 * DIM + 8} bytes a row here, and ids of items.",
        ],
    ).publish()


def written(path: Path, count: int) -> Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(("id", "text", "price"))
        writer.writerows((row, sentence(row), row % 100) for row in range(count))
    return path


def sentence(row: int) -> str:
    return f"sentence {row} of a table, as long as a question that people ask, with {row * 7919 % 1000} in it"


def index(table: Path, folder: Path) -> None:
    with simsearch.Collection.create(folder, Cheap()) as collection:
        report = collection.add(table)
        assert not report.skipped, report


def changed(collection: simsearch.Collection, table: Path, turn: int) -> None:
    """An update after one text has changed; writing the table is not part of the claim, but takes little beside it."""
    lines = table.read_text(encoding="utf-8").splitlines()
    lines[turn + 1] = f"{turn},another text {turn},0"
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    report = collection.add(table)
    assert report.updated == 1, report


def timed(work: Any) -> float:
    """Seconds of processor time."""
    started = time.process_time()
    work()
    return time.process_time() - started


def peak(rows: int) -> float:
    """The most memory, in MB, of a process that indexes so many rows."""
    with tempfile.TemporaryDirectory() as home:
        index(written(Path(home) / "table.csv", rows), Path(home) / "collection")
    # Linux counts in KiB, macOS in bytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


if __name__ == "__main__":
    main()
