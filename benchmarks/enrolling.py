"""Enrolling from a folder for each label, relative to encoding the same files."""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from measuring import Bar, Report, interleaved, timed_rows

import simsearch

SAMPLES = Path(__file__).parent.parent / "examples" / "samples"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path, default=SAMPLES / "clothing", help="a folder with class folders")
    parser.add_argument("--most", type=int, default=200, help="photos to enroll")
    parser.add_argument("--encoder", default="photo", help="a bundled encoder, or an encoder folder")
    parser.add_argument("--repetitions", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        people = Path(scratch) / "people"
        files = copied(options.photos, people, options.most)
        encoder = simsearch.open_encoder(options.encoder)
        encoder.encode(files[:2])

        def enroll() -> None:
            folder = Path(scratch) / "index"
            with simsearch.Collection.create(folder, encoder) as collection:
                report = collection.enroll_folders(people)
            shutil.rmtree(folder)
            assert not report.skipped

        taken = interleaved(
            {"encoding": lambda: seconds(lambda: encoder.encode(files)), "enrolling": lambda: seconds(enroll)},
            options.repetitions,
        )
        labels = len(list(people.iterdir()))
    Report(
        "enrolling",
        "Enrolling many examples at once costs little more than encoding them.",
        f"{len(files)} photos of {options.photos.name}, {labels} labels, {options.repetitions} turns",
        [("seconds", "median", "fastest", "slowest"), *timed_rows(taken)],
        [Bar.ratio("enrolling / encoding", taken["enrolling"], taken["encoding"], at_most=1.3)],
    ).publish()


def copied(source: Path, target: Path, most: int) -> list[Path]:
    """The first photos in the class folders of `source`, copied to folders of the same names."""
    made = []
    for path in sorted(source.rglob("*.jpg"))[:: max(1, len(list(source.rglob("*.jpg"))) // most)][:most]:
        made.append(target / path.parent.name / path.name)
        made[-1].parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, made[-1])
    return made


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
