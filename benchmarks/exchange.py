"""Exporting and importing vectors in every form: time, size, and that memory does not grow with the collection."""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from simsearch.collection import Collection

FORMS = (".parquet", ".npz", ".npy", ".faiss", ".jsonl")
DIM = 128


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", type=int, nargs=2, default=(20_000, 80_000), help="vectors of the two collections")
    parser.add_argument("--step", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        step(options.step[0], Path(options.step[1]), Path(options.step[2]))
        return
    from measuring import Bar, Report

    rows, bars = [("form", "export, s", "import, s", "size, MB", "peak memory of the smaller and the larger, MB")], []
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        for count in options.counts:
            make(place / f"{count}", count)
        for form in FORMS:
            peaks = []
            for count in options.counts:
                file = place / f"all-{count}{form}"
                out = measured("export", place / f"{count}", file)
                back = measured("import", place / f"{count}{form.replace('.', '-')}", file)
                peaks.append(max(out["peak"], back["peak"]))
                size = sum(path.stat().st_size for path in place.glob(f"all-{count}{form}*")) / 1e6
            rows.append(
                (
                    form,
                    f"{out['seconds']:.1f}",
                    f"{back['seconds']:.1f}",
                    f"{size:.0f}",
                    " and ".join(f"{p:.0f}" for p in peaks),
                )
            )
            bars.append(Bar(f"{form}: memory of the larger relative to the smaller", peaks[1] / peaks[0], at_most=1.25))
    Report(
        "exchange",
        "Vectors are written and read in batches: memory does not grow with their number.",
        f"{options.counts[0]:,} and {options.counts[1]:,} random vectors of {DIM} numbers; times of the larger",
        rows,
        bars,
        ["The index is loaded at the end of an import, and is left out of its peak."],
    ).publish()


def make(folder: Path, count: int) -> None:
    with Collection.create(folder, dim=DIM) as made:
        rows = np.random.default_rng(count).normal(size=(count, DIM)).astype(np.float32)
        made.add_vectors([f"vector {n}" for n in range(count)], rows, [{"n": n} for n in range(count)])


def measured(what: str, folder: Path, file: Path) -> dict[str, float]:
    """The seconds of one call and the peak memory of its process, in MB."""
    line = [sys.executable, __file__, "--step", what, str(folder), str(file)]
    done = subprocess.run(line, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def peak() -> float:
    """The peak memory of this process, in MB."""
    status = Path("/proc/self/status")
    if status.exists():
        # What getrusage says begins with the peak of the process that started this one.
        (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) / 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def step(what: str, folder: Path, file: Path) -> None:
    from simsearch.collection import locking
    from simsearch.collection.exchange.importing import import_vectors
    from simsearch.progress import Silent

    started = time.perf_counter()
    if what == "export":
        with Collection.open(folder) as opened:
            opened.export(file)
    else:
        Collection.create(folder, dim=DIM).close()
        with locking.writing(folder) as store:
            import_vectors(store, folder, file, Silent())
    print(json.dumps({"seconds": time.perf_counter() - started, "peak": peak()}))


if __name__ == "__main__":
    main()
