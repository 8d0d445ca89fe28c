"""What finding and proving the edited copies among many pictures takes, beside indexing these pictures."""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from duplicate_edits import EDITS
from measuring import Bar, Report, python
from PIL import Image

from simsearch.media.formats import IMAGE_SUFFIXES
from simsearch.media.images import read_file, thumbnail
from simsearch.media.scan import scan
from simsearch.types import Skip

SIZE, LONGEST, SHARE = (400, 533), 1066, 0.15
"""Pixels of the pictures, of the longer side of the photos they are cut from, and the share of copies among them."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+", help="photos, or class folders of them")
    parser.add_argument("--pictures", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "pictures"
        folder.mkdir()
        copies = _make(options.folders, options.pictures, options.seed, folder)
        environment = os.environ | {"SIMSEARCH_HOME": str(Path(place) / "indexes")}
        indexing = _measured(["index", str(folder), "--encoder", "photo", "--quiet"], environment)[:2]
        *finding, printed = _measured(["dedupe", "find", "pictures", "--json"], environment, (0, 3))
    found = {
        tuple(sorted((Path(pair["a"]).name, Path(pair["b"]).name))) for pair in map(json.loads, printed.split("\n"))
    }
    recall = np.mean([tuple(sorted(pair)) in found for pair in copies])
    rows = [("stage", "seconds", "of a processor", "milliseconds of a processor, a picture")]
    for name, (wall, processor) in (("index", indexing), ("dedupe find", finding)):
        rows.append((name, f"{wall:,.0f}", f"{processor:,.0f}", f"{processor / options.pictures * 1e3:.1f}"))
    Report(
        "duplicate_speed",
        "Finding and proving edited copies takes about as long as indexing the pictures.",
        f"{options.pictures:,} pictures of 400 x 533, {len(copies):,} of them edited copies",
        rows,
        [
            Bar("time of a processor beside indexing", finding[1] / indexing[1], at_most=1.5),
            Bar("recall of the copies", float(recall), at_least=0.98),
        ],
    ).publish()


def _make(folders: Sequence[Path], count: int, seed: int, folder: Path) -> list[tuple[str, str]]:
    """Writes so many pictures, and returns the names of each copy and of what it was made from."""
    rng, names, copies = np.random.default_rng(seed), list(EDITS), []
    originals = round(count * (1 - SHARE))
    parts = _parts(folders, rng)
    for number in range(originals):
        picture = next(parts, None)
        if picture is None:
            raise SystemExit(f"these photos make {number} pictures, not {originals}: name more folders")
        picture.save(folder / f"{number}.jpg", quality=90)
        if number < count - originals:
            copy = EDITS[names[rng.integers(len(names))]](picture, rng).convert("RGB")
            copy.save(folder / f"{number}-copy.jpg", quality=90)
            copies.append((f"{number}.jpg", f"{number}-copy.jpg"))
    return copies


def _parts(folders: Sequence[Path], rng: np.random.Generator) -> Iterator[Image.Image]:
    """The four quarters of the photos, in four rounds: no two of these show the same."""
    paths = [entry.path for each in folders for entry in scan(each, IMAGE_SUFFIXES) if not isinstance(entry, Skip)]
    order = [paths[place] for place in rng.permutation(len(paths))]
    for column, row in ((0, 0), (1, 0), (0, 1), (1, 1)):
        for path in order:
            photo = thumbnail(read_file(path), LONGEST)
            width, height = photo.width // 2, photo.height // 2
            left, top = column * width, row * height
            part = photo.crop((left, top, left + width, top + height))
            yield part.resize(SIZE, Image.Resampling.LANCZOS)


def _measured(
    words: Sequence[str], environment: dict[str, str], good: Sequence[int] = (0,)
) -> tuple[float, float, str]:
    """Seconds, seconds of a processor, and the standard output of a command."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        python("-m", "simsearch", *words), stdout=subprocess.PIPE, text=True, env=environment, check=False
    )
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in good:
        raise SystemExit(f"simsearch {' '.join(words)} ended with {done.returncode}")
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, processor, done.stdout.strip()


if __name__ == "__main__":
    main()
