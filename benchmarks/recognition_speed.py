"""Recognition against many enrolled identities, and enrolling one more, beside what neither can avoid.

    python benchmarks/recognition_speed.py [--identities 10000] [--dim 128]

Own vectors, so that no encoding is measured. Recognition of one query beside the matrix product of it and the enrolled
vectors; enrolling one vector, with and without a calibration of 300 impostors that is kept up to date, beside one
durable insert of a row with as many bytes into SQLite, in the same folder. Enrolling is measured without a review and,
with the calibration, also with one, which compares the new example with all others.
"""

from __future__ import annotations

import argparse
import contextlib
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from measuring import Bar, Report, interleaved, timed_rows
from numpy.typing import NDArray

from simsearch.collection import Collection
from simsearch.recognition.review import Review
from simsearch.store import NewExample

REPETITIONS = 41
IMPOSTORS = 300
FAR = 0.05


def unit(rng: np.random.Generator, count: int, dim: int) -> NDArray[np.float32]:
    rows = rng.standard_normal((count, dim), dtype=np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def enroller(collection: Collection, rng: np.random.Generator, review: Review) -> Callable[[], float]:
    counter = iter(range(10**6))

    def enroll() -> float:
        row = unit(rng, 1, collection.dim)
        return seconds(lambda: collection.enroll(f"{review} {next(counter)}", row, review=review))

    return enroll


def filled(folder: Path, vectors: NDArray[np.float32]) -> Collection:
    made = Collection.create(folder, dim=vectors.shape[1])
    with made.writing() as store:
        store.add_examples(
            [(f"name {at}", NewExample("", at.to_bytes(32, "big"), row)) for at, row in enumerate(vectors)]
        )
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--identities", type=int, default=10_000)
    parser.add_argument("--dim", type=int, default=128)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    vectors, queries = unit(rng, options.identities, options.dim), unit(rng, REPETITIONS + 1, options.dim)
    turns = {name: iter(range(10**6)) for name in ("product", "recognize")}

    def timed(name: str, work: Callable[[NDArray[np.float32]], object]) -> Callable[[], float]:
        def turn() -> float:
            row = queries[next(turns[name]) % len(queries)]
            return seconds(lambda: work(row))

        return turn

    with contextlib.ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        plain = stack.enter_context(filled(place / "plain", vectors))
        calibrated = stack.enter_context(filled(place / "calibrated", vectors))
        calibrated.calibrate(FAR, impostors=unit(rng, IMPOSTORS, options.dim))
        database = stack.enter_context(contextlib.closing(sqlite3.connect(place / "bare.sqlite", isolation_level=None)))
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("CREATE TABLE row (id INTEGER PRIMARY KEY, vector BLOB)")
        bare = vectors[0].tobytes()
        plain.recognize(queries[0])
        taken = interleaved(
            {
                "matrix product": timed("product", lambda row: (row[None] @ vectors.T).argmax()),
                "recognize": timed("recognize", plain.recognize),
            },
            REPETITIONS,
        ) | interleaved(
            {
                "durable insert": lambda: seconds(
                    lambda: database.execute("INSERT INTO row (vector) VALUES (?)", (bare,))
                ),
                "enroll": enroller(plain, rng, "off"),
                "enroll, calibrated": enroller(calibrated, rng, "off"),
                "enroll, calibrated and reviewed": enroller(calibrated, rng, "warn"),
            },
            REPETITIONS,
        )
    Report(
        "recognition-speed",
        "Recognition and enrolling beside a matrix product and a durable insert, in milliseconds.",
        f"{options.identities:,} identities of one drawn vector of {options.dim} numbers each, {REPETITIONS} turns",
        [("what", "median", "fastest", "slowest"), *timed_rows(taken, 1e3)],
        (
            Bar.ratio("recognize / product", taken["recognize"], taken["matrix product"]),
            Bar("recognize, milliseconds", float(np.median(taken["recognize"])) * 1e3, at_most=1.0),
            Bar.ratio("enroll / insert", taken["enroll"], taken["durable insert"], at_most=3.0),
            Bar.ratio(
                "enroll with a calibration / insert", taken["enroll, calibrated"], taken["durable insert"], at_most=3.0
            ),
            Bar("enroll with a review, milliseconds", float(np.median(taken["enroll, calibrated and reviewed"])) * 1e3),
        ),
    ).publish()


if __name__ == "__main__":
    main()
