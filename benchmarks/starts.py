"""`train` on labeled files with its defaults, compared with random initial weights and the bundled encoders.

Half of the classes are learned from.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from finetuning import COLUMNS, WAYS, Draw, few_of_each, learned
from measuring import Bar, Report

import simsearch
from simsearch.labelled.reading import read_labelled
from simsearch.training import Changes
from simsearch.training.finetuning.selection import CANDIDATES

FRESH = {"image": "backbone", "text": "words"}
"""The former default presets."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path, help="class folders, or a table of texts with a column of labels")
    parser.add_argument("--columns", help="of the table, as text,category")
    parser.add_argument("--most", type=int, default=60, help="examples of a class")
    parser.add_argument("--draws", type=int, default=1, help="of the classes to learn from")
    options = parser.parse_args()
    found = read_labelled(options.source, columns=options.columns)
    if found.labels is None or len(found.classes) < 2 * WAYS or options.draws < 1 or options.most < 2:
        parser.error(
            f"{options.source} has {len(found.classes)} classes, of which --most {options.most} in --draws "
            f"{options.draws} are taken; {2 * WAYS} classes, 2 of each and one draw at least are needed"
        )
    found = few_of_each(found, options.most)
    assert found.labels is not None
    draws = [Draw(found.labels, seed) for seed in range(options.draws)]
    measured: dict[str, list[tuple[float, ...]]] = {}
    for name in CANDIDATES[found.modality]:
        vectors = simsearch.open_encoder(name).encode(found.sources)
        measured[f"{name} as it is"] = [draw.figures(vectors) for draw in draws]
    fresh, chosen, unweighed = f"--preset {FRESH[found.modality]}", "nothing said", "--set within_power=0"
    runs: dict[str, dict[str, Any]] = {fresh: {"recipe": FRESH[found.modality]}, chosen: {}}
    if found.modality == "image":
        runs[unweighed] = {"changes": Changes(within_power=0.0)}
    taken, seconds = [], dict.fromkeys(runs, 0.0)
    with tempfile.TemporaryDirectory() as scratch:
        for name, how in runs.items():
            for draw in draws:
                trained = learned(found, draw, Path(scratch), **how)
                start = trained.config.training["start"]
                if isinstance(start, dict) and name == chosen:
                    taken.append(str(start["encoder"]))
                seconds[name] += float(str(trained.config.training["seconds"])) / len(draws)
                vectors = simsearch.open_encoder(trained.folder).encode(found.sources)
                measured.setdefault(name, []).append(draw.figures(vectors))
    means = {name: np.mean(figures, axis=0) for name, figures in measured.items()}
    rows: list[Sequence[str]] = [("train", *COLUMNS, "seconds of steps")]
    rows += [
        (name, *[f"{figure:.3f}" for figure in figures], f"{seconds[name]:.0f}" if name in seconds else "")
        for name, figures in means.items()
    ]
    best = np.max([figures for name, figures in means.items() if name.endswith("as it is")], axis=0)
    bars = [
        Bar("learned classes, nearest: nothing said / fresh", means[chosen][0] / means[fresh][0], at_least=1),
        Bar("learned classes, nearest: nothing said / best as it is", means[chosen][0] / best[0], at_least=1),
        Bar("unseen classes, nearest: nothing said / best as it is", means[chosen][1] / best[1], at_least=0.97),
    ]
    if unweighed in runs:
        gained = means[chosen][1] / means[unweighed][1]
        bars.append(Bar(f"unseen classes, nearest: nothing said / {unweighed}", gained, at_least=1))
    Report(
        f"starts-{options.source.stem}",
        "Training on labeled files with default options.",
        f"{len(found.sources):,} examples of {len(found.classes)} classes of {options.source.name}; {options.draws} "
        f"draws of {len(found.classes) // 2} classes to learn from; it went on from {', '.join(taken)}",
        rows,
        bars,
    ).publish()


if __name__ == "__main__":
    main()
