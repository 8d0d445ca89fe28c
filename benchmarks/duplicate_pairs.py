"""What finding all pairs of vectors above a threshold takes, pruned and plain: seconds, and memory of the process."""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from measuring import Bar, Report, python

from simsearch.duplicates.finding import join

DIM, THRESHOLD, COPIES = 128, 0.91, 0.15


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--threshold", type=float, default=THRESHOLD)
    parser.add_argument("--plain-to", type=int, default=100_000, help="the largest size that is joined plainly too")
    parser.add_argument(
        "--plot", type=Path, metavar="FILE.svg", help="draw seconds and memory over the number of vectors"
    )
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measured(int(options.child[0]), options.threshold, plain=options.child[1] == "plain")))
        return
    rows = [("vectors", "way", "pairs", "seconds", "of a processor", "MB of the process")]
    bars, points = [], []
    for size in options.sizes:
        for way in ("pruned", "plain")[: 1 + (size <= options.plain_to)]:
            words = python(Path(__file__), "--threshold", str(options.threshold), "--child", str(size), way)
            done = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True)
            pairs, wall, processor, memory = json.loads(done.stdout)
            points.append((way, size, processor, memory))
            rows.append((f"{size:,}", way, f"{pairs:,}", f"{wall:,.1f}", f"{processor:,.1f}", f"{memory:,.0f}"))
            if size == 1_000_000:
                bars = [Bar("seconds at 1,000,000", wall, at_most=600), Bar("MB", memory, at_most=3072)]
    if options.plot is not None:
        plot(points, options.plot)
    Report(
        "duplicate_pairs",
        "All pairs above a threshold are found, completely, by bounds on the leading principal components.",
        f"unit vectors of {DIM} numbers with a spectrum like that of photographs, {COPIES:.0%} copies with noise",
        rows,
        bars,
    ).publish()


def plot(points: list[tuple[str, int, float, float]], path: Path) -> None:
    """Two charts with logarithmic axes: seconds of a processor, and megabytes of the process."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.2), layout="constrained")
    for axes, place, title in zip(
        figure.subplots(1, 2), (2, 3), ("seconds of a processor", "MB of the process"), strict=True
    ):
        for way, style in (("plain", "s--"), ("pruned", "o-")):
            line = [(point[1], point[place]) for point in points if point[0] == way]
            axes.plot(*zip(*line, strict=True), style, label=way)
        axes.set(xscale="log", yscale="log", xlabel="vectors", title=title)
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, metadata={"Date": None})


def vectors_of(count: int) -> np.ndarray:
    """Unit rows: a common direction, components that fall as the spectrum of embeddings of photographs, and copies."""
    rng, rows = np.random.default_rng(0), np.empty((count, DIM), dtype=np.float32)
    spread = (np.arange(1, DIM + 1) ** -0.6).astype(np.float32)
    for start in range(0, count, 50_000):
        part = rng.standard_normal((min(50_000, count - start), DIM), dtype=np.float32) * spread
        part[:, 0] += 1.2
        copies = int(len(part) * COPIES)
        part[:copies] = part[-copies:] + 0.04 * rng.standard_normal((copies, DIM), dtype=np.float32)
        rows[start : start + len(part)] = part / np.linalg.norm(part, axis=1, keepdims=True)
    return rows[rng.permutation(count)]


def measured(count: int, threshold: float, *, plain: bool) -> tuple[int, float, float, float]:
    """The number of pairs, seconds, seconds of a processor, and the most megabytes of the process."""
    rows = vectors_of(count)
    if plain:
        join._basis = lambda *_: None  # type: ignore[assignment]
    wall, processor = time.perf_counter(), time.process_time()
    pairs = sum(len(part) for part in join.pairs_within(rows, threshold))
    return pairs, time.perf_counter() - wall, time.process_time() - processor, peak()


def peak() -> float:
    """The most megabytes that this process has had in memory."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1e6 if sys.platform == "darwin" else 1e3)


if __name__ == "__main__":
    main()
