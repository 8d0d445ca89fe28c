"""One-shot accuracy of an encoder on classes that were held out of its training, compared with baselines."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from measuring import Bar, Report

import simsearch
from simsearch.encoders.folder import ONNX_NAME, WEIGHTS_NAME, EncoderConfig, encoder_folder, read_config
from simsearch.encoders.onnx import OnnxEncoder
from simsearch.errors import UsageError
from simsearch.evaluation.baselines import color_histogram, raw_pixels
from simsearch.evaluation.metrics import mean_interval
from simsearch.evaluation.protocols import episodes
from simsearch.evaluation.runs import WAYS, Runs, draw_runs, run_accuracies
from simsearch.labelled.reading import Labelled, read_labelled
from simsearch.media.ahead import ahead
from simsearch.media.images import FITS

if TYPE_CHECKING:
    from simsearch.types import Vectors

EPISODES = 2_000
RUNS = 400
"""Runs of the 20-run protocol; the published 20 runs have a standard error of about one per cent."""


@dataclass(frozen=True, slots=True)
class Unseen:
    """Images of classes that were held out in training, as pixels of shape (n, h, w, channels)."""

    paths: list[str]
    pixels: np.ndarray
    vectors: Vectors
    labels: np.ndarray
    groups: np.ndarray | None
    classes: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "encoder",
        help="an encoder folder that was trained with --split class, as the preset glyph is: its held-out classes "
        "are used",
    )
    parser.add_argument(
        "folder",
        type=Path,
        help="the class folders that it was trained on, CLASS/* or GROUP/CLASS/*",
    )
    parser.add_argument("--ways", type=int, nargs="+", default=[5, 20])
    parser.add_argument("--fit", choices=FITS, help="fit images in another way than the encoder was trained with")
    parser.add_argument(
        "--beside",
        action="append",
        default=[],
        metavar="ENCODER",
        help="another encoder, which has not seen these classes either, on the same images; any number of times",
    )
    parser.add_argument("--full", type=Path, help="the same encoder with weights of 32 bits, to see what 16 bits cost")
    options = parser.parse_args()
    folder = encoder_folder(options.encoder)
    config = read_config(folder)
    held_out = held_out_of(config)
    if not held_out:
        parser.error(
            f"{options.encoder} has seen all classes of its folder; give an encoder folder that was trained by the "
            "same recipe with classes held out, the command is in the card"
        )
    files = read_labelled(options.folder, modality="image")
    missing = sorted(held_out - set(files.classes))
    if missing:
        parser.error(f"{options.folder} lacks {len(missing)} of the held-out classes, the first is {missing[0]}")
    beside = {name: simsearch.open_encoder(name) for name in options.beside}
    for name in beside:
        seen = held_out - held_out_of(read_config(encoder_folder(name)))
        if seen:
            parser.error(f"{name} has seen {len(seen)} of the held-out classes, the first is {min(seen)}")
    found = unseen(files, held_out, OnnxEncoder(folder, replace(config, fit=options.fit or config.fit)))
    others = {f"encoder {Path(name).name}": encoder.encode(found.paths) for name, encoder in beside.items()}
    try:
        report(config, folder, found, others, options.ways, options.full)
    except UsageError as error:
        # Too few classes were held out, as of glyph that ships.
        parser.error(str(error))


def held_out_of(config: EncoderConfig) -> set[str]:
    names = config.training.get("held_out")
    return set(map(str, names)) if isinstance(names, list) else set()


def unseen(files: Labelled, held_out: set[str], encoder: OnnxEncoder) -> Unseen:
    """The images of the held-out classes, decoded once and encoded."""
    assert files.labels is not None
    wanted = np.array([name in held_out for name in files.classes])[files.labels]
    paths = [path for path, want in zip(files.sources, wanted, strict=True) if want]
    labels = files.labels[wanted]
    pictures = list(ahead(encoder.prepare_named, paths))
    pixels = np.stack([picture.pixels for picture in pictures])
    grouped = len(set(files.groups)) < len(files.classes)
    groups = np.unique(np.array(files.groups), return_inverse=True)[1][labels] if grouped else None
    return Unseen(paths, pixels, encoder.embed(pictures), labels, groups, len(held_out))


def report(
    config: EncoderConfig,
    folder: Path,
    unseen: Unseen,
    others: Mapping[str, Vectors],
    ways: Sequence[int],
    full: Path | None,
) -> None:
    color = unseen.pixels if config.channels == 3 else np.repeat(unseen.pixels, 3, axis=3)
    systems = {f"encoder {config.name}": unseen.vectors, **others, "raw pixels": raw_pixels(color)}
    if config.channels == 3:
        systems["histogram of colors"] = color_histogram(color)
    runs = None if unseen.groups is None else twenty_runs(unseen)
    last = [] if runs is None else ["two drawers, 20-way"]
    rows: list[Sequence[str]] = [("one-shot accuracy", *[f"{count}-way" for count in ways], *last)]
    accuracies = {}
    for name, vectors in systems.items():
        results = [one_shot(vectors, unseen, count) for count in ways]
        if runs is not None:
            results.append(mean_interval(run_accuracies(vectors, runs)))
        rows.append((name, *[f"{accuracy:.3f} ± {half_width:.3f}" for accuracy, half_width in results]))
        accuracies[name] = results[len(ways) - 1][0]
    best = max(accuracy for name, accuracy in accuracies.items() if not name.startswith("encoder "))
    where = " of one alphabet (or other group)" if unseen.groups is not None else ""
    Report(
        f"encoders-{config.name}",
        f"The encoder {config.name} recognizes unseen classes from one example of each.",
        f"{len(unseen.labels):,} images of {unseen.classes} classes held out in training; {EPISODES:,} episodes, "
        f"each with classes{where}; ± is half of the 95 % interval",
        [*rows, ("chance", *[f"{1 / count:.3f}" for count in (*ways, *([] if runs is None else [WAYS]))])],
        [
            Bar(
                f"{ways[-1]}-way accuracy / best baseline",
                accuracies[f"encoder {config.name}"] / best,
                at_least=1,
            ),
            Bar("MB of the network in use", (folder / ONNX_NAME).stat().st_size / 1e6),
            *weights(folder),
        ],
        [] if full is None else [half_precision(full, unseen, ways[-1])],
    ).publish()


def weights(folder: Path) -> list[Bar]:
    """The size of the weights to train on, which the encoders in `held_out` come without."""
    path = folder / WEIGHTS_NAME
    return [Bar("MB of the weights to train on", path.stat().st_size / 1e6)] if path.exists() else []


def one_shot(vectors: Vectors, unseen: Unseen, ways: int) -> tuple[float, float]:
    result = episodes(
        vectors, unseen.labels, ways=ways, shots=1, queries=1, count=EPISODES, seed=0, groups=unseen.groups
    )
    return result.accuracy, result.half_width


def twenty_runs(unseen: Unseen) -> Runs:
    """Runs after Lake et al. 2015: two drawers of an alphabet, 20 characters of it, a drawing of each by both."""
    assert unseen.groups is not None
    return draw_runs(unseen.paths, unseen.labels, unseen.groups, runs=RUNS, seed=0)


def half_precision(full: Path, unseen: Unseen, ways: int) -> str:
    """What weights rounded to 16 bits cost, in a sentence; `full` is the same encoder with weights of 32 bits."""
    precise = simsearch.open_encoder(full)
    vectors = precise.encode(unseen.paths)
    cosines = np.einsum("ij,ij->i", vectors, unseen.vectors)
    before, _ = one_shot(vectors, unseen, ways)
    after, _ = one_shot(unseen.vectors, unseen, ways)
    return (
        f"Weights of 32 bits reach {before:.4f} in {ways}-way, those of 16 bits {after:.4f}; the vectors of an image "
        f"have a cosine of at least {cosines.min():.6f}."
    )


if __name__ == "__main__":
    main()
