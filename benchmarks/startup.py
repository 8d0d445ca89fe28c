"""Startup time of commands, relative to an empty Python process and to importing torch."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from measuring import Bar, Report, interleaved, process_seconds, python, timed_rows

import simsearch

HEAVY = ("numpy", "PIL", "faiss", "sqlalchemy", "onnxruntime", "torch", "matplotlib", "tqdm")
SAMPLES = Path(__file__).parent.parent / "examples" / "samples"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--photos",
        type=Path,
        default=SAMPLES / "clothing",
        help="a folder with photos to index, about 1,000 of them for the claim; by default the samples that ship",
    )
    parser.add_argument("--query", type=Path, help="a photo that is not in that folder; by default a sample")
    parser.add_argument("--encoder", default="photo", help="a bundled encoder, or an encoder folder")
    parser.add_argument("--repetitions", type=int, default=9)
    options = parser.parse_args()
    query = options.query or sorted((SAMPLES / "clothing-queries").rglob("*.jpg"))[0]
    with tempfile.TemporaryDirectory() as folder:
        with simsearch.Collection.create(Path(folder) / "photos", options.encoder) as collection:
            collection.add(options.photos)
            count = len(collection)
            stored = next(iter(collection)).uri
            collection.enroll("one", [stored])
        environment = {**os.environ, "SIMSEARCH_HOME": folder}
        run = partial(process_seconds, environment=environment)
        cli = python("-m", "simsearch")
        taken = interleaved(
            {
                "python -c pass": lambda: run(python("-c", "pass")),
                "simsearch --help": lambda: run([*cli, "--help"]),
                "simsearch info": lambda: run([*cli, "info"]),
                "simsearch recognize STORED": lambda: run([*cli, "recognize", stored, "--quiet"]),
                f"simsearch query STORED ({count:,} photos)": lambda: run([*cli, "query", stored]),
                "python -c 'import torch'": lambda: run(python("-c", "import torch")),
                f"simsearch query PHOTO ({count:,} photos)": lambda: run([*cli, "query", query]),
            },
            options.repetitions,
        )
    empty, help_text, info, recognized, found, torch, asked = taken.values()
    loaded = heavy_modules()
    Report(
        "startup",
        "A command starts quickly, because heavy libraries are loaded only by what needs them.",
        f"{count:,} photos of {options.photos.name}, whole processes, {options.repetitions} turns",
        [("milliseconds", "median", "fastest", "slowest"), *timed_rows(taken, 1000)],
        [
            Bar.ratio("simsearch --help / python -c pass", help_text, empty, at_most=12),
            Bar.ratio("simsearch info / python -c pass", info, empty, at_most=20),
            Bar.ratio("simsearch recognize STORED / python -c pass", recognized, empty, at_most=20),
            Bar.ratio("simsearch query STORED / python -c pass", found, empty, at_most=20),
            Bar.ratio("simsearch query PHOTO / import torch", asked, torch, at_most=0.6),
            Bar("heavy modules loaded by simsearch --help", len(loaded), at_most=0),
        ],
        [f"Heavy modules loaded by `simsearch --help`: {', '.join(loaded) or 'none'} (of {', '.join(HEAVY)})"],
    ).publish()


def heavy_modules() -> list[str]:
    """Those of the heavy modules that are loaded once the help has been shown."""
    code = f"""
import atexit, json, sys
atexit.register(lambda: print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]), file=sys.stderr))
sys.argv = ["simsearch", "--help"]
from simsearch.__main__ import main
main()
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    names: list[str] = json.loads(done.stderr.splitlines()[-1])
    return names


if __name__ == "__main__":
    main()
