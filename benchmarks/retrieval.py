"""Time and memory of the retrieval metrics of many vectors."""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from pathlib import Path

import numpy as np
from measuring import Bar, Report, python

from simsearch.evaluation.ranking import rank_queries
from simsearch.evaluation.statistics.intervals import mean_figures

DIM = 128
CLASS_SIZE = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 30_000, 100_000])
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child is not None:
        print(json.dumps(measured(options.child)))
        return
    rows, memory = [("vectors", "seconds", "of a processor", "MB beside the vectors", "MB of all scores")], 0.0
    for size in options.sizes:
        done = subprocess.run(
            python(Path(__file__), "--child", str(size)), check=True, stdout=subprocess.PIPE, text=True
        )
        wall, processor, memory = json.loads(done.stdout)
        rows.append((f"{size:,}", f"{wall:,.1f}", f"{processor:,.1f}", f"{memory:,.0f}", f"{size**2 * 4 / 1e6:,.0f}"))
    Report(
        "retrieval",
        "Recall, MAP@R, R-precision, MRR and nDCG of every vector, with intervals over classes, in bounded memory.",
        f"drawn unit vectors of {DIM} numbers, classes of {CLASS_SIZE}",
        rows,
        [
            Bar(f"MB beside the vectors at {options.sizes[-1]:,}", memory, at_most=250),
            Bar("largest difference from the whole matrix, at 3,000", difference(3000), at_most=1e-9),
        ],
        ["The last column is what one matrix of 32-bit scores would hold; ranking it whole takes twice that again."],
    ).publish()


def vectors_of(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors around the middle of their class, in random order."""
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.arange(count) // CLASS_SIZE)
    centres = rng.normal(size=(labels.max() + 1, DIM)).astype(np.float32)
    vectors = centres[labels] + 1.5 * rng.normal(size=(count, DIM)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors, labels


def measured(count: int) -> tuple[float, float, float]:
    """Seconds, seconds of a processor, and the most megabytes that were in use beside what was there before."""
    vectors, labels = vectors_of(count)
    # The most memory of a process never falls, so the start is what is in use now.
    before, started, processor = memory_in_use("VmRSS"), time.perf_counter(), time.process_time()
    ranked = rank_queries(vectors, labels)
    mean_figures(ranked.values, labels, seed=0)
    seconds = time.perf_counter() - started
    return seconds, time.process_time() - processor, max(0.0, memory_in_use("VmHWM") - before)


def memory_in_use(field: str) -> float:
    """Megabytes, now (VmRSS) or at most (VmHWM), as Linux tells it."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise SystemExit("this benchmark reads /proc/self/status, which only Linux has")


def difference(count: int) -> float:
    """How far recall@1, MAP@R and MRR of any query are from those of the whole matrix, sorted."""
    vectors, labels = vectors_of(count)
    scores = vectors @ vectors.T
    np.fill_diagonal(scores, -np.inf)
    hits = labels[np.argsort(-scores, axis=1, kind="stable")[:, :-1]] == labels[:, None]
    relevant = hits.sum(axis=1)
    rank = np.arange(1, count)
    precise = np.where(hits & (rank <= relevant[:, None]), np.cumsum(hits, axis=1) / rank, 0).sum(axis=1) / relevant
    found = rank_queries(vectors, labels)
    columns = {name: found.values[:, place] for place, name in enumerate(found.names)}
    pairs = ((columns["recall@1"], hits[:, 0]), (columns["map@r"], precise), (columns["mrr"], 1 / (hits.argmax(1) + 1)))
    return max(float(np.abs(one - other).max()) for one, other in pairs)


if __name__ == "__main__":
    main()
