"""Training throughput of presets, relative to a bare loop over the same batches.

The plain loop goes forward, back and a step on, over batches that lie in memory as the network takes them: augmented
and turned beforehand. The training loop draws, reads, augments and turns each batch, looks at its loss, limits its
gradient and averages the weights. Validation and checkpoints, which come every few hundred steps, are left out.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from measuring import Bar, Report, interleaved
from torch import Tensor

from simsearch.progress import Silent
from simsearch.training.data.image_augmentation import augment
from simsearch.training.data.inputs import Arrays, Inputs, Tokens
from simsearch.training.data.sampling import ClassSampler
from simsearch.training.loop import fit, make_optimizer
from simsearch.training.losses.functional import supervised_contrastive
from simsearch.training.networks.building import build, build_text
from simsearch.training.networks.encoder import SiameseEncoder
from simsearch.training.networks.specification import TextSpec
from simsearch.training.objective import Objective
from simsearch.training.presets import preset
from simsearch.training.processes import SingleProcess
from simsearch.training.recipes import Recipe

CLASSES, EACH = 200, 6
TRIED = 4
LENGTHS = (8, 40)
"""Number of tokens of a text."""


class Marks(Silent):
    """The moment at which each number of steps was done, from 0."""

    def __init__(self) -> None:
        self.done, self.times = 0, {}

    def advance(self, n: int = 1) -> None:
        self.done += n
        self.times[self.done] = time.perf_counter()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--presets", nargs="+", default=["glyph", "words"])
    parser.add_argument("--seconds", type=float, default=3, help="of the plain loop, in each turn")
    parser.add_argument("--repetitions", type=int, default=11)
    parser.add_argument("--threads", type=int, default=0, help="0 is torch's choice")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    rows, bars = [("preset", "inputs a second, plain", "inputs a second, training", "share")], []
    for name in options.presets:
        steps = enough_steps(preset(name), options.seconds)
        recipe = replace(preset(name), steps=steps, evaluate_every=steps)
        both = {"plain": partial(plain, recipe, batches(recipe)), "training": partial(training, recipe)}
        interleaved(both, 1)
        taken = interleaved(both, options.repetitions)
        speeds = [steps * recipe.batch_inputs / statistics.median(taken[side]) for side in both]
        bars.append(
            Bar.ratio(f"{name}, share of the plain loop's speed", taken["plain"], taken["training"], at_least=0.9)
        )
        rows.append((name, *[f"{speed:,.0f}" for speed in speeds], f"{bars[-1].value:.2f}"))
    Report(
        "throughput",
        "Training runs at nearly the speed of a bare loop over the same batches.",
        f"random inputs of {CLASSES} classes, one process, {torch.get_num_threads()} threads, {options.repetitions} "
        f"turns of about {options.seconds:g} s for each side",
        rows,
        bars,
    ).publish()


def enough_steps(recipe: Recipe, seconds: float) -> int:
    """The number of steps that the plain loop makes in that time: a short measurement is mostly chance."""
    tried = replace(recipe, steps=TRIED)
    made = batches(tried)
    plain(tried, made)
    return max(TRIED, round(TRIED * seconds / plain(tried, made)))


def material(recipe: Recipe) -> Inputs:
    rng = np.random.default_rng(0)
    if isinstance(recipe.model, TextSpec):
        lengths = rng.integers(*LENGTHS, size=CLASSES * EACH)
        return Tokens.of([rng.integers(2, recipe.model.vocabulary, size=length).tolist() for length in lengths])
    spec = recipe.model
    return Arrays(rng.integers(0, 256, size=(CLASSES * EACH, spec.height, spec.width, spec.channels), dtype=np.uint8))


def sampler(recipe: Recipe) -> ClassSampler:
    labels = np.repeat(np.arange(CLASSES), EACH)
    return ClassSampler(
        labels, rows=np.arange(len(labels)), classes=recipe.batch_classes, images=recipe.batch_images, seed=0
    )


def encoder_of(recipe: Recipe) -> SiameseEncoder:
    torch.manual_seed(0)
    if isinstance(recipe.model, TextSpec):
        return build_text(recipe.model)
    return build(recipe.model, mean=(0.5,) * recipe.model.channels, std=(0.3,) * recipe.model.channels)


def objective_of(recipe: Recipe) -> Objective:
    return Objective(encoder_of(recipe), recipe, CLASSES, SingleProcess(torch.device("cpu")))


def batches(recipe: Recipe) -> list[tuple[Tensor, Tensor]]:
    """What the network takes, with labels, for each step."""
    network, inputs, draws = encoder_of(recipe), material(recipe), sampler(recipe)
    made = []
    for step in range(recipe.steps):
        batch = draws.batch(step)
        assert batch.labels is not None
        seen = augment(network.prepare(inputs.batch(batch.rows)), recipe.augmentation)
        if seen.dim() == 4:
            seen = seen.contiguous(memory_format=torch.channels_last)
        made.append((seen, torch.from_numpy(batch.labels)))
    return made


def plain(recipe: Recipe, made: list[tuple[Tensor, Tensor]]) -> float:
    objective = objective_of(recipe).train()
    optimizer = make_optimizer(objective, recipe)
    started = time.perf_counter()
    for seen, labels in made:
        embeddings = objective.network.embed(seen)
        loss = objective.loss.of_labels(embeddings, labels)
        if recipe.contrast_weight:
            loss = loss + recipe.contrast_weight * supervised_contrastive(embeddings, labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    return time.perf_counter() - started


def training(recipe: Recipe) -> float:
    objective, inputs, marks = objective_of(recipe), material(recipe), Marks()
    with tempfile.TemporaryDirectory() as folder:
        fit(
            objective,
            sampler(recipe),
            inputs,
            recipe=recipe,
            steps=recipe.steps,
            validate=lambda _: 0.0,
            checkpoint=Path(folder) / "checkpoint.pt",
            configuration="",
            processes=SingleProcess(torch.device("cpu")),
            progress=marks,
        )
    return marks.times[recipe.steps] - marks.times[0]


if __name__ == "__main__":
    main()
