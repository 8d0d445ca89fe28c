"""Time of an update of an unchanged folder, relative to a bare walk with a stat of each file."""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
from measuring import Bar, Report, interleaved, timed_rows
from PIL import Image

import simsearch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=20_000, help="how many small images to draw and index first")
    parser.add_argument("--encoder", default="glyph", help="a bundled encoder, or an encoder folder")
    parser.add_argument("--repetitions", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home) / "pictures"
        draw(folder, options.files)
        with simsearch.Collection.create(Path(home) / "collection", options.encoder) as collection:
            first = collection.add(folder)
            assert first.added + first.reused == options.files, first
            taken = interleaved(
                {
                    "walk and stat": lambda: walk(folder),
                    "Collection.add": lambda: update(collection, folder, options.files),
                },
                options.repetitions,
            )
    walked, updated = taken.values()
    Report(
        "unchanged",
        "Updating a folder in which nothing has changed costs a look at each file.",
        f"{options.files:,} drawn images in folders of 500; an open collection in one process, "
        f"{options.repetitions} turns",
        [("milliseconds", "median", "fastest", "slowest"), *timed_rows(taken, 1000)],
        [Bar.ratio("update / walk", updated, walked, at_most=5)],
    ).publish()


def draw(folder: Path, count: int) -> None:
    """Images of 8x8 pixels of noise, no two alike."""
    rng = np.random.default_rng(0)
    for number in range(count):
        place = folder / f"{number // 500:03}"
        if number % 500 == 0:
            place.mkdir(parents=True)
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(place / f"{number:06}.bmp")


def walk(folder: Path) -> float:
    """Seconds to find all files and ask the system for the status of each."""
    started = time.perf_counter()
    for place, _, names in os.walk(folder):
        for name in names:
            os.stat(os.path.join(place, name))  # noqa: PTH116, PTH118  (the cheapest way is the measure)
    return time.perf_counter() - started


def update(collection: simsearch.Collection, folder: Path, count: int) -> float:
    """Seconds of an update that finds nothing to do."""
    started = time.perf_counter()
    report = collection.add(folder)
    seconds = time.perf_counter() - started
    assert report.unchanged == count, report
    return seconds


if __name__ == "__main__":
    main()
