"""Accuracy and training time of the presets, compared with classic pairwise training in the same run.

Pairwise training draws pairs and encodes both images of each. Here each image of a batch is encoded once, and all
pairs of the batch are formed from the embeddings. Network, loss and optimizer are the same.
"""

from __future__ import annotations

import argparse
import math
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from measuring import Bar, Report

import simsearch
from simsearch.encoders.folder import read_config
from simsearch.evaluation.metrics import confusion, sample_pairs
from simsearch.labelled.reading import read_labelled
from simsearch.progress import Silent
from simsearch.training.data.dataset import Dataset, load_dataset
from simsearch.training.data.inputs import Inputs
from simsearch.training.loop import make_optimizer
from simsearch.training.losses import functional
from simsearch.training.measure import COSINE_AT_HALF, HALF, chosen_threshold, embed_rows, one_shot, scored_pairs
from simsearch.training.networks.building import build
from simsearch.training.objective import Objective
from simsearch.training.presets import preset
from simsearch.training.processes import SingleProcess
from simsearch.training.recipes import Recipe

COLUMNS = ("at validation's threshold", "one-shot", "training s", "images encoded", "steps")
CLASSIC_RATE = 1e-3
"""The learning rate of the references: the default of their optimizers."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """How a preset is measured: what was reached elsewhere, and the plan of the classic way."""

    recipe: str
    seeds: Sequence[int]
    reference: str
    accuracies: Sequence[float]
    """Its pair accuracies, one a run."""
    at: str
    """The fixed threshold of the reference, as the figures of a training name it."""
    score: float
    """The cosine at that threshold."""
    pair_batch: int
    epochs: int
    pairs_per_epoch: int
    """0 means all pairs."""


PROTOCOLS = {
    "shapes": Protocol(
        "shapes",
        (0, 1, 2),
        "Keras, seeds 0, 1 and 2; about 12 s",
        (0.984, 0.995, 1.0),
        "score_0.5",
        HALF,
        pair_batch=32,
        epochs=10,
        pairs_per_epoch=0,
    ),
    "digits": Protocol(
        "digits",
        (0, 1, 2),
        "Keras, 10-way one-shot 0.940; about 71 s",
        (0.966,),
        "distance_0.5",
        COSINE_AT_HALF,
        pair_batch=128,
        epochs=20,
        pairs_per_epoch=60_000,
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset", choices=PROTOCOLS)
    parser.add_argument(
        "folder",
        type=Path,
        help="for shapes a folder SHAPE/SHAPE_COLORn.png, which is sorted by color; for digits the 42,000 training "
        "images of MNIST as DIGIT/n.png",
    )
    parser.add_argument("--seeds", type=int, nargs="+", help="by default 0 1 2; each is a turn of both ways")
    parser.add_argument(
        "--pairwise-share",
        type=float,
        default=1.0,
        help="time only this share of the classic way's steps and extrapolate its training time",
    )
    parser.add_argument(
        "--threads",
        type=int,
        default=torch.get_num_threads(),
        help="threads of torch for both ways; 1 gives steadier ratios on a machine that does other work as well",
    )
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if not 0 < options.pairwise_share <= 1:
        parser.error("--pairwise-share must be above 0 and at most 1")
    protocol = PROTOCOLS[options.preset]
    if options.seeds:
        protocol = replace(protocol, seeds=options.seeds)
    with tempfile.TemporaryDirectory() as home:
        folder = by_color(options.folder, Path(home) / "by-color") if options.preset == "shapes" else options.folder
        report(protocol, folder, Path(home), options.pairwise_share)


def by_color(folder: Path, sorted_folder: Path) -> Path:
    """Copies SHAPE/SHAPE_COLORn.png to COLOR/SHAPE_COLORn.png."""
    for file in sorted(folder.glob("*/*.png")):
        color = file.stem.rsplit("_", 1)[-1].rstrip("0123456789")
        (sorted_folder / color).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, sorted_folder / color / file.name)
    return sorted_folder


@dataclass(frozen=True, slots=True)
class Outcome:
    at_half: float | None
    at_threshold: float | None
    one_shot: float | None
    seconds: float
    encoded: int
    steps: int
    training_pictures: int

    def row(self, name: str) -> tuple[str, ...]:
        shares = [
            f"{share:.4f}" if share is not None else "" for share in (self.at_half, self.at_threshold, self.one_shot)
        ]
        return (name, *shares, f"{self.seconds:.1f}", f"{self.encoded:,}", f"{self.steps:,}")


def report(protocol: Protocol, folder: Path, home: Path, share: float) -> None:
    rows = []
    ours, classic = [], []
    for seed in protocol.seeds:
        recipe = replace(preset(protocol.recipe), seed=seed)
        runs = [
            lambda recipe=recipe: ours.append(train_ours(recipe, protocol, folder, home / f"encoder-{recipe.seed}")),
            lambda recipe=recipe: classic.append(
                train_classic(recipe, protocol, folder, home / f"pixels-{recipe.seed}.npy", share)
            ),
        ]
        for run in runs if len(ours) % 2 == 0 else runs[::-1]:
            run()
        rows += [ours[-1].row(f"simsearch, seed {seed}"), classic[-1].row(f"pairwise, seed {seed}")]
    count = classic[0].training_pictures
    fixed = protocol.at.replace("_", " ")
    at_half = statistics.mean(outcome.at_half or 0.0 for outcome in ours)
    encoded = statistics.median(a.encoded / b.encoded for a, b in zip(ours, classic, strict=True))
    remarks = [
        f"Reference, measured on another machine: {protocol.reference}; pair accuracy at {fixed} "
        f"{', '.join(f'{accuracy:.3f}' for accuracy in protocol.accuracies)}."
    ]
    if share < 1:
        remarks.append(
            f"The pairwise way was run for {share:.0%} of its steps only: its seconds and images are extrapolated, "
            "and its accuracy is not shown."
        )
    Report(
        f"presets-{protocol.recipe}",
        f"The preset {protocol.recipe} reaches what the classic pairwise training reaches, in a fraction of its time.",
        f"{count:,} images for training, seeds {', '.join(map(str, protocol.seeds))}; accuracy is that of pairs "
        f"of test images; training time without reading the files; {torch.get_num_threads()} threads",
        [("run", f"at {fixed}", *COLUMNS), *rows],
        [
            Bar(
                f"pair accuracy at {fixed}, mean over the seeds",
                at_half,
                at_least=statistics.mean(protocol.accuracies),
            ),
            Bar.ratio(
                "training time, simsearch / pairwise",
                [one.seconds for one in ours],
                [one.seconds for one in classic],
                at_most=1.0,
            ),
            Bar("images encoded, simsearch / pairwise", encoded, at_most=1.0),
        ],
        remarks,
    ).publish()


def train_ours(recipe: Recipe, protocol: Protocol, folder: Path, out: Path) -> Outcome:
    """The public way: `simsearch train`, without the pictures."""
    trained = simsearch.train(folder, out, recipe=recipe, report=False)
    figures, record = trained.figures, read_config(out).training
    shots = [value for name, value in figures.items() if name.endswith("_way_1_shot")]
    return Outcome(
        figures[f"test_pair_accuracy_at_{protocol.at}"],
        figures["test_pair_accuracy"],
        shots[-1] if shots else None,
        record["seconds"],
        record["inputs_encoded"],
        record["steps_taken"],
        record["inputs"][0],
    )


def train_classic(recipe: Recipe, protocol: Protocol, folder: Path, cache: Path, share: float) -> Outcome:
    """The same network, loss and optimizer, fed with pairs of which both images are encoded."""
    data = load_dataset(read_labelled(folder), recipe, test=(), tokenizer=b"", cache=cache, progress=Silent())
    torch.manual_seed(recipe.seed)
    sample = data.inputs.batch(data.train.rows).numpy().astype(np.float32) / 255
    mean, std = sample.mean(axis=(0, 1, 2)).tolist(), np.maximum(sample.std(axis=(0, 1, 2)), 1e-3).tolist()
    objective = Objective(
        build(recipe.model, mean=tuple(mean), std=tuple(std)),
        recipe,
        data.training_classes,
        SingleProcess(torch.device("cpu")),
    )
    optimizer = make_optimizer(objective, replace(recipe, learning_rate=CLASSIC_RATE))
    count = len(data.train.rows)
    per_epoch = math.ceil((protocol.pairs_per_epoch or count * (count - 1) // 2) / protocol.pair_batch)
    planned = protocol.epochs * per_epoch
    steps = max(1, round(planned * share))
    rng = np.random.default_rng(recipe.seed)
    done, encoded = 0, 0
    started = time.perf_counter()
    while done < steps:
        left, right, same = pairs_of_epoch(data, protocol, rng)
        for begin in range(0, len(left), protocol.pair_batch):
            batch = slice(begin, begin + protocol.pair_batch)
            train_step(objective, optimizer, data.inputs, left[batch], right[batch], same[batch])
            encoded += 2 * len(left[batch])
            done += 1
            if done == steps:
                break
    seconds = (time.perf_counter() - started) * planned / steps
    accuracies = tested(objective, data, protocol.score, recipe.seed) if share == 1 else (None, None, None)
    return Outcome(*accuracies, seconds, round(encoded * planned / steps), planned, count)


def pairs_of_epoch(
    data: Dataset, protocol: Protocol, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows and truth of all pairs in random order, or of a number of drawn ones, half of them of one class."""
    labels = data.train.labels
    assert labels is not None
    if not protocol.pairs_per_epoch:
        left, right = np.triu_indices(len(labels), 1)
        order = rng.permutation(len(left))
        left, right = left[order], right[order]
    else:
        pairs = rng.permutation(sample_pairs(labels, protocol.pairs_per_epoch, rng, positive_fraction=0.5))
        left, right = pairs.T
    rows = data.train.rows
    return rows[left], rows[right], (labels[left] == labels[right]).astype(np.float32)


def train_step(
    objective: Objective,
    optimizer: torch.optim.Optimizer,
    inputs: Inputs,
    left: np.ndarray,
    right: np.ndarray,
    same: np.ndarray,
) -> None:
    recipe = objective.recipe
    objective.train()
    one, other = (objective.network(inputs.batch(rows)) for rows in (left, right))
    scores, truth = (one * other).sum(dim=1), torch.from_numpy(same)
    loss = functional.dot_regression(scores, truth) if recipe.loss == "dot" else functional.contrastive(scores, truth)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(objective.parameters(), recipe.clip)
    optimizer.step()


def tested(objective: Objective, data: Dataset, fixed: float, seed: int) -> tuple[float, float, float | None]:
    """Pair accuracy at a fixed score and at the threshold of the validation pairs, and one-shot accuracy."""
    vectors = embed_rows(objective.network, data.inputs, data.test.rows)
    _, scores, same = scored_pairs(data.test, vectors, seed)
    threshold, _ = chosen_threshold(
        data.validation, embed_rows(objective.network, data.inputs, data.validation.rows), 0
    )
    shot = one_shot(data.test, vectors, most_ways=10, seed=seed)
    at_fixed, at_chosen = (confusion(scores, same, at).balanced_accuracy for at in (fixed, threshold))
    return at_fixed, at_chosen, None if shot is None else shot.accuracy


if __name__ == "__main__":
    main()
