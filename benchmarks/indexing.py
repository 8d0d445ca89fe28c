"""The overhead of indexing over decoding and encoding the photos."""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from measuring import Bar, Report, interleaved, python, reported_seconds, timed_rows

SAMPLES = Path(__file__).parent.parent / "examples" / "samples"
PARTS = ("decode", "encode", "index")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--photos",
        type=Path,
        default=SAMPLES / "clothing",
        help="a folder with photos, 1,000 JPEG files of about 400x533 for the claim; by default the samples",
    )
    parser.add_argument("--encoder", default="photo", help="a bundled encoder, or an encoder folder")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--part", choices=PARTS, help="measure only this in this process and print the seconds")
    options = parser.parse_args()
    if options.part:
        measure = {"decode": decoding, "encode": encoding, "index": indexing}[options.part]
        print(measure(options.photos, options.encoder))
        return
    count = len(paths_in(options.photos))
    fresh = python(__file__, "--photos", options.photos, "--encoder", options.encoder, "--part")
    taken = interleaved(
        {part: lambda part=part: reported_seconds([*fresh, part]) for part in PARTS},  # type: ignore[misc]
        options.repetitions,
    )
    sums = [sum(turn) for turn in zip(taken["decode"], taken["encode"], strict=True)]
    Report(
        "indexing",
        "Indexing takes hardly longer than decoding and encoding alone, each with all cores and the same functions.",
        f"{count:,} photos of {options.photos.name}; encoder {Path(options.encoder).name}; each measurement in a fresh "
        f"process, without its start, {options.repetitions} turns",
        [
            ("seconds", "median", "fastest", "slowest"),
            *timed_rows(
                {"decoding alone": taken["decode"], "encoding alone": taken["encode"], "indexing": taken["index"]}
            ),
        ],
        [
            Bar.ratio("indexing / (decoding + encoding)", taken["index"], sums, at_most=1.2),
            Bar("photos a second", count / statistics.median(taken["index"])),
        ],
        ["With few photos, loading FAISS and writing the first index file weigh more: the bar is for 1,000."],
    ).publish()


def paths_in(folder: Path) -> list[str]:
    from simsearch.media.images import IMAGE_SUFFIXES
    from simsearch.media.scan import Found, scan

    return [entry.path for entry in scan(folder, IMAGE_SUFFIXES) if isinstance(entry, Found)]


def decoding(folder: Path, encoder: str) -> float:
    """Seconds to read and decode all photos in threads."""
    import simsearch
    from simsearch.media.ahead import ahead
    from simsearch.media.images import read_file

    opened = simsearch.open_encoder(encoder)
    paths = paths_in(folder)
    started = time.perf_counter()
    for _ in ahead(lambda path: opened.prepare(read_file(path)), paths):
        pass
    return time.perf_counter() - started


def encoding(folder: Path, encoder: str) -> float:
    """Seconds to encode photos that are decoded already; loading the network counts, as it does in indexing."""
    import simsearch

    opened = simsearch.open_encoder(encoder)
    prepared = [opened.prepare(path) for path in paths_in(folder)]
    started = time.perf_counter()
    opened.embed(prepared)
    return time.perf_counter() - started


def indexing(folder: Path, encoder: str) -> float:
    """Seconds to index the folder into an empty collection, from the call to the index file on the disk.

    Loading the network and FAISS counts; making the empty collection, which loads the database's code, does not.
    """
    import simsearch

    with (
        tempfile.TemporaryDirectory() as home,
        simsearch.Collection.create(Path(home) / "photos", encoder) as collection,
    ):
        started = time.perf_counter()
        collection.add(folder)
        return time.perf_counter() - started


if __name__ == "__main__":
    main()
