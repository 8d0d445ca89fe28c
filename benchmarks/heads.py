"""`simsearch train` initialized from photo, in minutes, compared with photo itself and a closed-form linear map.

    python benchmarks/heads.py DATA

Faces (yale-faces): 8 persons are trained on, the other 7 tested. Clothes (clothing-1000): 70 % of the photos of all
kinds are trained on, the rest tested; and half of the kinds are trained on, the other kinds tested. The random splits
have the seeds 0, 1, ... The closed form is within-class covariance normalization of the features: the within-class
covariance to the power -1/2, with a tenth of its mean variance added.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from class_folders import files_of, recognized
from measuring import Bar, Report
from numpy.typing import NDArray

import simsearch
from simsearch.encoders.onnx import OnnxEncoder
from simsearch.evaluation.metrics import equal_error_rate
from simsearch.evaluation.ranking import retrieval
from simsearch.training.finetuning.wccn import wccn_matrix

FLOOR = 0.1
Vectors = NDArray[np.float32]
Split = tuple[NDArray[np.bool_], NDArray[np.bool_]]
Splits = Callable[[NDArray[np.int64], np.random.Generator], Split]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--draws", type=int, default=5)
    options = parser.parse_args()
    rows: list[Sequence[str]] = [("learned and measured", "photo", "closed form", "simsearch train", "minutes")]
    bars = []
    for name, folder, splits in (
        ("faces, other persons", "yale-faces", of_classes(8)),
        ("clothes, other photos", "clothing-1000", of_items(0.7)),
        ("clothes, other kinds", "clothing-1000", of_classes(5)),
    ):
        files, labels = files_of(options.data / folder)
        found: list[list[dict[str, float]]] = []
        took = []
        for seed in range(options.draws):
            learned, measured = splits(labels, np.random.default_rng(seed))
            began = time.monotonic()
            encoder = trained(files, labels, learned, options.minutes)
            took.append((time.monotonic() - began) / 60)
            found.append(
                [figures(each, labels[measured]) for each in vectors(encoder, files, labels, learned, measured)]
            )
        for figure in found[0][0]:
            means = [float(np.mean([draw[system][figure] for draw in found])) for system in range(3)]
            rows.append((f"{name}: {figure}", *[f"{mean:.3f}" for mean in means], f"{max(took):.1f}"))
            bars.append(Bar(f"{name}: {figure}", means[2]))
    Report(
        "heads",
        "A few minutes of training on cached features.",
        f"yale-faces and clothing-1000, {options.draws} draws, --minutes {options.minutes:g}",
        rows,
        bars,
    ).publish()


def of_classes(count: int) -> Splits:
    """Splits that learn so many classes and measure the others."""

    def split(labels: NDArray[np.int64], rng: np.random.Generator) -> Split:
        learned = np.isin(labels, rng.permutation(labels.max() + 1)[:count])
        return learned, ~learned

    return split


def of_items(share: float) -> Splits:
    """Splits that learn this share of each class and measure the rest."""

    def split(labels: NDArray[np.int64], rng: np.random.Generator) -> Split:
        learned = np.zeros(len(labels), dtype=bool)
        for number in range(labels.max() + 1):
            members = rng.permutation(np.flatnonzero(labels == number))
            learned[members[: round(share * len(members))]] = True
        return learned, ~learned

    return split


def trained(files: Sequence[str], labels: NDArray[np.int64], learned: NDArray[np.bool_], minutes: float) -> OnnxEncoder:
    """What the command makes of the learned files alone."""
    with tempfile.TemporaryDirectory() as place:
        for position in np.flatnonzero(learned):
            target = Path(place) / "in" / f"{labels[position]:02}" / Path(files[position]).name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(files[position], target)
        out = Path(place) / "out"
        simsearch.train(Path(place) / "in", out, minutes=minutes, report=False)
        encoder = simsearch.open_encoder(out)
        encoder.encode([files[0]])
        assert isinstance(encoder, OnnxEncoder)
        return encoder


def vectors(
    encoder: OnnxEncoder,
    files: Sequence[str],
    labels: NDArray[np.int64],
    learned: NDArray[np.bool_],
    measured: NDArray[np.bool_],
) -> Iterator[Vectors]:
    """The measured files by photo, by the closed form, and by what was trained."""
    photo = simsearch.open_encoder("photo")
    assert isinstance(photo, OnnxEncoder)
    yield photo.encode([files[position] for position in np.flatnonzero(measured)])
    known, asked = (
        np.concatenate([photo.features([photo.prepare(files[position])]) for position in np.flatnonzero(side)])
        for side in (learned, measured)
    )
    mapped = (asked - known.mean(axis=0)) @ wccn_matrix(known, labels[learned], 0.5, floor=FLOOR)
    yield mapped / np.linalg.norm(mapped, axis=1, keepdims=True)
    yield encoder.encode([files[position] for position in np.flatnonzero(measured)])


def figures(found: Vectors, labels: NDArray[np.int64]) -> dict[str, float]:
    numbers = np.unique(labels, return_inverse=True)[1]
    left, right = np.triu_indices(len(found), 1)
    same = numbers[left] == numbers[right]
    return {
        "nearest": retrieval(found, numbers, ks=(1,))["recall@1"],
        "from one example": recognized(found, numbers, 1),
        "from five": recognized(found, numbers, 5),
        "equal error rate": float(equal_error_rate((found @ found.T)[left, right], same)),
    }


if __name__ == "__main__":
    main()
