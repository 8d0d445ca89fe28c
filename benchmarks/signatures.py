"""Verification of signatures of unseen writers against skilled forgeries, by an encoder trained on other writers.

    python benchmarks/signatures.py DATA

DATA holds signatures-25, WRITER/genuine/K.png and WRITER/forged/K.png. Trains on 17 writers as `simsearch train
--everything --minutes 10` does, with the default initial encoder, and tests on the other 8, for five random splits.
Pairs are two genuine signatures of one writer, or a genuine and a forged one of the same writer. Reported are the
equal error rate with one threshold for all writers, and the mean over writers of that with a threshold for each.
Scores are cosine similarities; all systems in one run. docs/decisions/0043 has the figures.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from measuring import Bar, Report
from numpy.typing import NDArray

import simsearch
from simsearch.evaluation.metrics import equal_error_rate
from simsearch.media.images import PixelSpec, decode, read_file

LEARNED, DRAWS, MINUTES = 17, 5, 10
CELL, ANGLES = 16, 9
Vectors = NDArray[np.float32]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    options = parser.parse_args()
    root = options.data / "signatures-25"
    files = sorted(root.rglob("*.png"))
    writers = np.array([file.parent.parent.name for file in files])
    forged = np.array([file.parent.name == "forged" for file in files])
    paths = [str(file) for file in files]
    untrained = {name: simsearch.open_encoder(name).encode(paths) for name in ("strokes", "photo", "glyph")}
    untrained["histogram of gradients"] = gradients(paths)
    found: dict[str, list[tuple[float, float]]] = {"trained": []}
    seconds, starts = [], []
    for number in range(DRAWS):
        drawn = np.random.default_rng(number).permutation(np.unique(writers))
        known = np.isin(writers, drawn[:LEARNED])
        began = time.monotonic()
        vectors, start = trained([path for path, own in zip(paths, known, strict=True) if own], paths)
        seconds.append(time.monotonic() - began)
        starts.append(start)
        for name, each in {"trained": vectors, **untrained}.items():
            found.setdefault(name, []).append(errors(each[~known], writers[~known], forged[~known]))
        print(f"draw {number}: {found['trained'][-1]}, {seconds[-1]:.0f} s from {start}", flush=True)
    means = {name: np.mean(rates, axis=0) for name, rates in found.items()}
    rows: list[Sequence[str]] = [("system", "one threshold", "one a writer")]
    rows += [(name, *[f"{rate:.3f}" for rate in rates]) for name, rates in means.items()]
    Report(
        "signatures",
        "Skilled forgeries of writers never seen, after training on those of others.",
        f"{len(files)} signatures of {len(np.unique(writers))} writers, {LEARNED} learned from and the rest reported, "
        f"{DRAWS} draws; gone on from {', '.join(sorted(set(starts)))}; {np.mean(seconds):.0f} s a draw",
        rows,
        [
            Bar("equal error rate, one threshold", means["trained"][0], at_most=0.24),
            Bar("equal error rate, one threshold a writer", means["trained"][1], at_most=0.17),
        ],
    ).publish()


def trained(known: Sequence[str], every: Sequence[str]) -> tuple[Vectors, str]:
    """Vectors of every signature by what was trained on the known ones, and the encoder that this began with."""
    with tempfile.TemporaryDirectory() as folder:
        manifest = Path(folder) / "known.csv"
        with manifest.open("w", encoding="utf-8", newline="") as out:
            rows = csv.writer(out)
            rows.writerow(("path", "label"))
            rows.writerows((path, "/".join(Path(path).parts[-3:-1])) for path in known)
        made = simsearch.train(manifest, Path(folder) / "mine", minutes=MINUTES, everything=True, report=False)
        start = made.config.training["start"]
        assert isinstance(start, dict)
        return simsearch.open_encoder(made.folder).encode(every), str(start["encoder"])


def gradients(paths: Sequence[str]) -> Vectors:
    """Histograms of oriented gradients (Dalal and Triggs 2005): 9 angles in cells of 16 pixels, blocks of 2 x 2 cells.

    Of 256 x 128 pixels around the ink.
    """
    made = []
    for path in paths:
        pixels = decode(read_file(Path(path)), PixelSpec(256, 128, 1, "ink")).pixels[:, :, 0].astype(np.float32)
        down, across = np.gradient(pixels)
        angle = (np.arctan2(down, across) % np.pi * ANGLES / np.pi).astype(int) % ANGLES
        length = np.hypot(down, across)
        cells = np.stack(
            [
                (length * (angle == bin)).reshape(128 // CELL, CELL, 256 // CELL, CELL).sum(axis=(1, 3))
                for bin in range(ANGLES)
            ],
            axis=2,
        )
        blocks = np.concatenate([cells[:-1, :-1], cells[1:, :-1], cells[:-1, 1:], cells[1:, 1:]], axis=2)
        blocks /= np.linalg.norm(blocks, axis=2, keepdims=True) + 1e-6
        made.append(blocks.ravel() / np.linalg.norm(blocks))
    return np.array(made, dtype=np.float32)


def errors(vectors: Vectors, writers: NDArray[np.str_], forged: NDArray[np.bool_]) -> tuple[float, float]:
    """The equal error rate with one threshold for all, and the mean of it with each writer's own."""
    each = [(scores, same) for scores, same in pairs_of(vectors, writers, forged)]
    one = equal_error_rate(np.concatenate([scores for scores, _ in each]), np.concatenate([same for _, same in each]))
    return one, float(np.mean([equal_error_rate(scores, same) for scores, same in each]))


def pairs_of(
    vectors: Vectors, writers: NDArray[np.str_], forged: NDArray[np.bool_]
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.bool_]]]:
    """Of each writer the cosines of the pairs, and whether both are genuine."""
    for writer in np.unique(writers):
        genuine = np.flatnonzero((writers == writer) & ~forged)
        false = np.flatnonzero((writers == writer) & forged)
        pairs = np.array([*itertools.combinations(genuine, 2), *itertools.product(genuine, false)])
        scores = (vectors[pairs[:, 0]] * vectors[pairs[:, 1]]).sum(axis=1).astype(np.float64)
        yield scores, ~forged[pairs].any(axis=1)


if __name__ == "__main__":
    main()
