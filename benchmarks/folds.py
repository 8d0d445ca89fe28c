"""Cross-validation of a recipe over classes: one training for each fold of held-out classes.

The classes that one training holds out may be easy or hard; the mean over all folds covers all of them. Classes in
groups, such as characters in alphabets, are held out by whole groups.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from measuring import Report

import simsearch
from simsearch.encoders.folder import CONFIG_NAME, read_config
from simsearch.evaluation.protocols import episodes
from simsearch.evaluation.runs import draw_runs, run_accuracies
from simsearch.labelled.reading import Labelled, read_labelled
from simsearch.training import Changes
from simsearch.training.presets import PRESETS

if TYPE_CHECKING:
    from simsearch.types import Encoder, Vectors

EPISODES = 2_000
RUNS = 100
"""Of two drawers, in each alphabet."""
WAYS = (5, 20)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="class folders, CLASS/* or GROUP/CLASS/*")
    parser.add_argument("--preset", choices=sorted(PRESETS), required=True)
    parser.add_argument("--folds", type=int, default=6)
    parser.add_argument("--steps", type=int, help="of each training; by default the preset's")
    parser.add_argument("--within-power", type=float, help="as that of simsearch train")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="keep the encoders here, and go on where a run before was stopped")
    options = parser.parse_args()
    found = read_labelled(options.folder, modality="image")
    units = names_of_units(found)
    most = len(units) if grouped(found) else len(units) // max(WAYS)
    if not 2 <= options.folds <= most:
        parser.error(
            f"--folds {options.folds}: from 2 to {most} for the {len(units)} groups or classes of {options.folder}"
        )
    order = np.random.default_rng(0).permutation(units)
    figures: dict[str, tuple[float, ...]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for fold in range(options.folds):
            held_out = sorted(order[fold :: options.folds].tolist())
            steps = options.steps or PRESETS[options.preset].steps
            power = "" if options.within_power is None else f"-{options.within_power:g}"
            name = f"{options.preset}-{steps}{power}-{fold + 1}-of-{options.folds}"
            folder = (options.keep or Path(scratch)) / name
            figures |= of_fold(found, held_out, learned(folder, found, held_out, options))
            print(f"fold {fold + 1} of {options.folds}: {', '.join(held_out)}", flush=True)
    publish(found, figures, options)


def learned(folder: Path, found: Labelled, held_out: Sequence[str], options: argparse.Namespace) -> Encoder:
    """The encoder in this folder, or if there is none, a new one that learns all but what is held out.

    Ends the program when the one in the folder holds other classes out.
    """
    if not (folder / CONFIG_NAME).exists():
        simsearch.train(
            options.folder,
            folder,
            recipe=options.preset,
            steps=options.steps,
            test=held_out,
            changes=Changes(threads=options.threads, within_power=options.within_power),
            report=False,
        )
    units = found.groups if grouped(found) else found.classes
    wanted = {name for name, unit in zip(found.classes, units, strict=True) if unit in held_out}
    kept = read_config(folder).training.get("held_out")
    others = wanted.symmetric_difference(kept if isinstance(kept, list) else [])
    if others:
        raise SystemExit(
            f"{folder} was made of other data: {min(map(str, others))} is held out on one side only; give "
            "another --keep"
        )
    return simsearch.open_encoder(folder)


def grouped(found: Labelled) -> bool:
    return len(set(found.groups)) < len(found.classes)


def names_of_units(found: Labelled) -> list[str]:
    """What is held out whole: groups where classes come in such, else classes."""
    return sorted(set(found.groups if grouped(found) else found.classes))


def of_fold(found: Labelled, held_out: Sequence[str], encoder: Encoder) -> dict[str, tuple[float, ...]]:
    """What an encoder that has seen nothing of these makes of them: of each group by itself, or of all together."""
    assert found.labels is not None
    units = np.array(found.groups if grouped(found) else found.classes)[found.labels]
    rows = np.flatnonzero(np.isin(units, held_out))
    paths = np.array(found.sources)[rows]
    vectors = encoder.encode(paths.tolist())
    labels = found.labels[rows]
    if not grouped(found):
        return {f"fold of {held_out[0]}": measure(vectors, labels)}
    figures = {}
    for name in held_out:
        part = units[rows] == name
        if len(np.unique(labels[part])) >= max(WAYS):
            drawn = draw_runs(
                paths[part].tolist(), labels[part], np.zeros(part.sum(), dtype=np.int64), runs=RUNS, seed=0
            )
            two_drawers = float(run_accuracies(vectors[part], drawn).mean())
            figures[name] = (*measure(vectors[part], labels[part]), two_drawers)
    return figures


def measure(vectors: Vectors, labels: np.ndarray) -> tuple[float, ...]:
    """One-shot accuracy in each number of ways."""
    return tuple(
        episodes(vectors, labels, ways=ways, shots=1, queries=1, count=EPISODES, seed=0).accuracy for ways in WAYS
    )


def publish(found: Labelled, figures: Mapping[str, tuple[float, ...]], options: argparse.Namespace) -> None:
    rows: list[Sequence[str]] = [
        ("held out", *[f"{ways}-way" for ways in WAYS], *(["two drawers, 20-way"] if grouped(found) else []))
    ]
    rows += [(name, *[f"{figure:.3f}" for figure in figures[name]]) for name in sorted(figures)]
    rows.append(("mean", *[f"{figure:.3f}" for figure in np.mean(list(figures.values()), axis=0)]))
    steps = options.steps or PRESETS[options.preset].steps
    Report(
        f"folds-{options.preset}",
        f"What the preset {options.preset} makes of classes that it has not seen, each class once.",
        f"{options.folder.name}, {options.folds} trainings of {steps:,} steps; {EPISODES:,} episodes"
        f"{f' and {RUNS} runs of two drawers, within each group that has 20 classes' if grouped(found) else ' a fold'}",
        rows,
    ).publish()


if __name__ == "__main__":
    main()
