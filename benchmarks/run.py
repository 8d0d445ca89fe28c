"""Runs the benchmarks and prints one report in Markdown.

Without --data, runs those that need only the bundled samples; with it also those whose data is in that folder.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from measuring import RESULTS

HERE = Path(__file__).parent
DATA_HELP = """a folder with any of these, unpacked:
clothing-1000/CLASS/*.jpg (1,000 photos),
shapes/SHAPE/SHAPE_COLORn.png,
mnist-42000/DIGIT/*.png,
omniglot-background/ALPHABET/CHARACTER/*.png,
text/*.csv, *.tsv and *.txt (the sets that losses.py names)"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, metavar="FOLDER", help=DATA_HELP)
    parser.add_argument("--only", nargs="+", metavar="SCRIPT", help="run only these: startup, indexing, ...")
    parser.add_argument("--pairwise-share", default="1", help="handed on to presets.py for digits")
    options = parser.parse_args()
    if options.data is not None and not options.data.is_dir():
        parser.error(f"{options.data} is no folder")
    failed = []
    for old in () if options.only else RESULTS.glob("*.json"):
        old.unlink()
    print("# Measurements\n", flush=True)
    for script, *words in planned(options.data, options.pairwise_share):
        if options.only and script not in options.only:
            continue
        print(f"{script} {' '.join(map(str, words))}", file=sys.stderr, flush=True)
        done = subprocess.run([sys.executable, HERE / f"{script}.py", *words], check=False)
        if done.returncode:
            failed.append(f"{script}.py failed with exit code {done.returncode}")
    missed = [f"{path.stem}: a bar was missed" for path in sorted(RESULTS.glob("*.json")) if not met(path)]
    print("## Summary\n")
    print("\n".join(f"- {remark}" for remark in [*failed, *missed]) or "Every bar was met.")
    return 1 if failed else 0


def planned(data: Path | None, pairwise_share: str) -> Iterator[Sequence[str | Path]]:
    """The scripts with their arguments, in the order in which they run."""
    photos = data / "clothing-1000" if data is not None else None
    given = ["--photos", photos] if photos is not None and photos.is_dir() else []
    yield ("startup", *given)
    yield ("indexing", *given)
    yield ("enrolling", *given)
    yield ("unchanged",)
    yield ("serving",)
    yield ("decoding",)
    yield ("networks",)
    yield ("encoding",)
    yield ("texts_indexing",)
    yield ("loss_speed",)
    yield ("throughput",)
    yield ("retrieval",)
    if data is None:
        return
    candidates: list[tuple[str, str, str, list[str]]] = [
        ("presets", "shapes", "shapes", []),
        ("presets", "digits", "mnist-42000", ["--pairwise-share", pairwise_share]),
    ]
    for script, what, folder, words in candidates:
        if (data / folder).is_dir():
            yield (script, what, data / folder, *words)
    if (data / "flowers-12").is_dir():
        yield ("photographs", "photo", data)
        yield ("heads", data)
    banking = Path("text") / "banking77-train.csv"
    for source, *words in (
        (data / "clothing-1000",),
        (data / "mnist-42000", "--draws", "2"),
        (data / banking, "--columns", "text,category", "--most", "20", "--draws", "2"),
    ):
        if source.exists():
            yield ("starts", source, *words)
    drawings = data / "omniglot-background"
    if drawings.is_dir():
        yield ("encoders", HERE / "held_out" / "glyph", drawings)
    if drawings.is_dir() and (data / "text").is_dir():
        yield ("losses", data)


def met(path: Path) -> bool:
    document = json.loads(path.read_text(encoding="utf-8"))
    return bool(document["met"])


if __name__ == "__main__":
    sys.exit(main())
