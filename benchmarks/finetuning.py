"""The effect of fine-tuning an encoder on trained and on unseen classes.

Half of the classes are trained on, with `train --from ENCODER`; the interpolation weight between initial and fine-tuned
weights (WiSE-FT) is varied, and chosen by the run itself as `train` does by default.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from measuring import Bar, Report

import simsearch
from simsearch.evaluation.protocols import episodes
from simsearch.evaluation.ranking import retrieval
from simsearch.labelled.reading import Labelled, read_labelled
from simsearch.training import Changes, Trained
from simsearch.training.finetuning.freezing import FREEZES
from simsearch.training.finetuning.interpolation import WEIGHTS

if TYPE_CHECKING:
    from simsearch.types import Vectors

LEARNED = 0.6
"""Share of the examples of trained classes that are trained on; the others are queries."""
MOST = 100
"""Examples of a class."""
EPISODES = 2_000
WAYS = 5
CHOSEN = "start share chosen"
COLUMNS = ("learned classes, nearest", "unseen classes, nearest", f"unseen classes, {WAYS}-way 1-shot")


class Draw:
    """Half of the classes to learn from, drawn at random, and what is measured with the vectors of all examples."""

    def __init__(self, labels: np.ndarray, seed: int) -> None:
        rng = np.random.default_rng(seed)
        classes = rng.permutation(np.unique(labels))
        known = np.isin(labels, classes[: len(classes) // 2])
        self.labels = labels
        self.learned = known & (rng.random(len(labels)) < LEARNED)
        self.asking = known & ~self.learned
        self.unseen = ~known

    def figures(self, vectors: Vectors) -> tuple[float, float, float]:
        own = vectors[self.asking] @ vectors[self.learned].T
        right = self.labels[self.learned][own.argmax(axis=1)] == self.labels[self.asking]
        others, names = vectors[self.unseen], self.labels[self.unseen]
        nearest = retrieval(others, names, ks=(1,))["recall@1"]
        shot = episodes(others, names, ways=WAYS, shots=1, queries=1, count=EPISODES, seed=0)
        return float(right.mean()), nearest, shot.accuracy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("encoder", help="the encoder to begin with, which has not learned these classes")
    parser.add_argument("source", type=Path, help="class folders, or a table of texts with a column of labels")
    parser.add_argument("--columns", help="of the table, as text,category")
    parser.add_argument("--freeze", choices=FREEZES, default="all", help="which layers stay as they are")
    parser.add_argument("--steps", type=int, help="of each training; by default the recipe's")
    parser.add_argument("--draws", type=int, default=5, help="of the classes to learn from")
    options = parser.parse_args()
    if options.draws < 1:
        parser.error(f"--draws {options.draws}: one at least")
    found = read_labelled(options.source, columns=options.columns)
    if found.labels is None or len(found.classes) < 2 * WAYS:
        parser.error(f"{options.source} has {len(found.classes)} classes; {2 * WAYS} at least are needed")
    found = few_of_each(found, MOST)
    encoder = simsearch.open_encoder(options.encoder)
    assert found.labels is not None
    draws = [Draw(found.labels, seed) for seed in range(options.draws)]
    before = encoder.encode(found.sources)
    measured = {"as it is": [draw.figures(before) for draw in draws]}
    with tempfile.TemporaryDirectory() as scratch:
        for share in (*WEIGHTS, None):
            figures = measured.setdefault(CHOSEN if share is None else f"start share {share:g}", [])
            for draw in draws:
                trained = learned(
                    found,
                    draw,
                    Path(scratch),
                    start=options.encoder,
                    freeze=options.freeze,
                    steps=options.steps,
                    changes=Changes(start_share=share),
                )
                if share is None:
                    print(f"chosen: {trained.config.training['start_share']}", flush=True)
                figures.append(draw.figures(simsearch.open_encoder(trained.folder).encode(found.sources)))
    means = {name: np.mean(figures, axis=0) for name, figures in measured.items()}
    rows: list[Sequence[str]] = [(f"--freeze {options.freeze}", *COLUMNS)]
    rows += [(name, *[f"{figure:.3f}" for figure in figures]) for name, figures in means.items()]
    ours, plain, first = (means[name] for name in (CHOSEN, "start share 0", "as it is"))
    Report(
        f"finetuning-{encoder.name}-{options.source.stem}-{options.freeze}",
        "What was learned from some classes, and what that does to others.",
        f"{len(found.sources):,} examples of {len(found.classes)} classes of {options.source.name}; {options.draws} "
        f"draws of {len(found.classes) // 2} classes to learn from, with {LEARNED:.0%} of their examples",
        rows,
        [
            Bar(f"learned classes, nearest: {CHOSEN} / 0", ours[0] / plain[0], at_least=0.98),
            Bar(f"unseen classes, nearest: {CHOSEN} / as it is", ours[1] / first[1], at_least=0.97),
        ],
    ).publish()


def few_of_each(found: Labelled, most: int) -> Labelled:
    """At most `most` examples of each class, drawn at random."""
    assert found.labels is not None
    order = np.random.default_rng(0).permutation(len(found.labels))
    taken = [order[found.labels[order] == number][:most] for number in range(len(found.classes))]
    return found.keep(np.sort(np.concatenate(taken)))


def learned(found: Labelled, draw: Draw, scratch: Path, **how: Any) -> Trained:
    """An encoder that `train` makes of the examples of this draw; `how` are further arguments of it."""
    assert found.labels is not None
    table = scratch / "learned.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("text" if found.modality == "text" else "path", "label"))
        writer.writerows((found.sources[row], found.classes[found.labels[row]]) for row in np.nonzero(draw.learned)[0])
    return simsearch.train(table, scratch / "learned", report=False, overwrite=True, **how)


if __name__ == "__main__":
    main()
