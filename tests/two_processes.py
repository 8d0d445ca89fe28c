"""What the tests of several processes run in each of two, and in one to compare with."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from simsearch.errors import TrainingError
from simsearch.progress import Progress, Silent
from simsearch.training.data.inputs import Arrays, Inputs
from simsearch.training.data.sampling import Batch, ClassSampler
from simsearch.training.finetuning.freezing import TrainedLayers
from simsearch.training.loop import Fitted, fit
from simsearch.training.networks.building import build
from simsearch.training.networks.encoder import Network
from simsearch.training.networks.specification import ModelSpec
from simsearch.training.objective import Objective
from simsearch.training.presets import preset
from simsearch.training.processes import Processes, open_processes, shard_of
from simsearch.training.recipes import Recipe

Results = dict[str, NDArray[np.generic]]

CLASSES, EACH = 4, 6
RECIPE = replace(
    preset("digits"),
    model=ModelSpec("digits", 6, 6, 1, 5),
    optimizer="sgd",
    learning_rate=0.05,
    cosine_decay=True,
    batch_classes=3,
    batch_images=3,
    evaluate_every=3,
    positive_share=0.0,
)
PIXELS = np.random.default_rng(0).integers(0, 256, size=(CLASSES * EACH, 6, 6, 1), dtype=np.uint8)

# Nine rows, so that one of them is encoded twice by two processes.
ROWS = np.random.default_rng(1).permutation(len(PIXELS))[:9]
OF_LABELS = Batch(ROWS, labels=np.array([0, 0, 1, 1, 1, 2, 2, 3, 3]))
PAIRED = np.array([[0, 8], [1, 2], [8, 5], [7, 3], [4, 6]])
OF_PAIRS = Batch(ROWS, pairs=PAIRED, same=np.array([True, False, True, False, True]))
OF_GRADES = Batch(ROWS, pairs=PAIRED, scores=np.array([0.1, 0.9, 0.4, 0.6, 0.2], dtype=np.float32))
OF_TRIPLETS = Batch(ROWS, triplets=np.array([[0, 8, 3], [8, 1, 2], [4, 5, 6], [7, 8, 0]]))
LOSSES: Mapping[str, tuple[Recipe, Batch]] = {
    "classifier": (replace(RECIPE, loss="classifier", contrast_weight=0.5), OF_LABELS),
    "turned": (replace(RECIPE, loss="arcface", poses=8), OF_LABELS),
    "infonce": (replace(RECIPE, loss="infonce"), OF_LABELS),
    "contrastive": (replace(RECIPE, loss="contrastive", positive_share=0.5), OF_LABELS),
    "mined": (replace(RECIPE, loss="triplet", miner="distance-weighted"), OF_LABELS),
    "pairs": (replace(RECIPE, loss="bce"), OF_PAIRS),
    "graded": (replace(RECIPE, loss="cosent"), OF_GRADES),
    "triplets": (replace(RECIPE, loss="triplet"), OF_TRIPLETS),
}


class Stopped(Exception):
    """Stands for a kill."""


class Planned(Silent):
    """Remembers how many steps there are to be."""

    total = 0

    def start(self, total: int | None, unit: str, description: str) -> None:
        self.total = total or 0


@dataclass(frozen=True)
class Stopping:
    """Batches of the classes, as far as the step at which the run ends."""

    stop: int

    def batch(self, step: int) -> Batch:
        if step == self.stop:
            raise Stopped
        labels = np.repeat(np.arange(CLASSES), EACH)
        return ClassSampler(labels, rows=np.arange(len(labels)), classes=3, images=3, seed=0).batch(step)


def network_of(recipe: Recipe) -> Network:
    torch.manual_seed(0)
    return build(recipe.model, mean=(0.5,), std=(0.3,))


def one_step(processes: Processes, recipe: Recipe, batch: Batch) -> Results:
    """The loss of a batch and the gradient of every parameter."""
    objective = Objective(network_of(recipe), recipe, CLASSES, processes)
    wrapped = processes.wrap(objective)
    share = shard_of(np.arange(len(batch.rows)), processes)
    torch.manual_seed(5)
    loss = wrapped(batch, torch.from_numpy(PIXELS[batch.rows[share]]), share)
    loss.backward()
    gradients = {name: p.grad.numpy() for name, p in objective.named_parameters() if p.grad is not None}
    return {"loss": loss.detach().numpy(), **gradients}


def fitted(
    processes: Processes,
    folder: Path,
    name: str,
    figures: Iterator[float],
    *,
    network: Network | None = None,
    inputs: Inputs | None = None,
    stop: int = -1,
    minutes: float | None = None,
    progress: Progress | None = None,
    **changes: object,
) -> tuple[Fitted, Objective]:
    """A run of twelve steps with a memory and averaged weights; rank 0 alone takes a figure."""
    recipe = replace(RECIPE, loss="infonce", memory=12, averaging=0.5, **changes)  # type: ignore[arg-type]
    objective = Objective(network or network_of(recipe), recipe, CLASSES, processes)

    def validate(_: Network) -> float:
        assert processes.rank == 0
        return next(figures)

    found = fit(
        objective,
        Stopping(stop),
        inputs or Arrays(PIXELS),
        recipe=recipe,
        steps=12,
        minutes=minutes,
        validate=validate,
        checkpoint=folder / f"{name}.pt",
        configuration=name,
        processes=processes,
        progress=progress or Silent(),
    )
    return found, objective


def whole_runs(processes: Processes, folder: Path) -> Results:
    """The weights of an uninterrupted run and of one that was stopped, and how a run ended that got no better."""
    _, straight = fitted(processes, folder, "straight", iter(range(4)))
    try:
        fitted(processes, folder, "stopped", iter(range(4)), stop=7)
    except Stopped:
        found, resumed = fitted(processes, folder, "stopped", iter(range(2, 4)))
    impatient, _ = fitted(processes, folder, "impatient", iter([0.5, 0.9, 0.1]), patience=1)
    results: Results = {"ended": np.array([found.steps, impatient.steps, impatient.best_step, impatient.best_figure])}
    for name, objective in (("straight", straight), ("resumed", resumed)):
        results |= {f"{name}/{key}": tensor.numpy() for key, tensor in objective.state_dict().items()}
    return results


def spoiled(processes: Processes, folder: Path) -> Results:
    """What is said of NaN in the inputs, which the last of the processes comes upon."""
    features = np.random.default_rng(2).normal(size=(CLASSES * EACH, 5)).astype(np.float32)
    features[Stopping(-1).batch(4).rows[-1]] = np.nan
    tail = TrainedLayers(nn.Sequential(), nn.Linear(5, 5, bias=False))
    try:
        fitted(processes, folder, "spoiled", iter(range(4)), network=tail, inputs=Arrays(features))
    except TrainingError as error:
        return {"said": np.array(str(error))}
    return {}


def measured(processes: Processes, folder: Path) -> Results:
    """The number of steps for a budget, when the clock of the first process is much the slowest."""
    clock, planned = time.perf_counter, Planned()
    if processes.rank == 0:
        time.perf_counter = lambda: clock() / 50
    # It ends after ten steps, however many were planned; the first of the figures is taken while measuring.
    fitted(
        processes,
        folder,
        "measured",
        iter([0.0, 0.9, 0.1]),
        minutes=0.004,
        evaluate_every=5,
        patience=1,
        progress=planned,
    )
    time.perf_counter = clock
    return {"steps": np.array(planned.total)}


def everything(processes: Processes, folder: Path) -> Results:
    """All results, by what they are of."""
    torch.set_num_threads(1)
    parts = {f"of {name}": one_step(processes, recipe, batch) for name, (recipe, batch) in LOSSES.items()}
    parts["runs"] = whole_runs(processes, folder)
    parts["spoiled"] = spoiled(processes, folder)
    return {f"{part}/{name}": value for part, values in parts.items() for name, value in values.items()}


def main() -> None:
    """Writes `rank0.npz` and so on into the folder, and runs the rest of the arguments as a command line."""
    from simsearch.cli import main as command

    folder = Path(sys.argv[1])
    processes = open_processes()
    found = everything(processes, folder) | measured(processes, folder)
    np.savez(folder / f"rank{processes.rank}.npz", **found)  # type: ignore[arg-type]
    sys.argv = ["simsearch", *sys.argv[2:]]
    command()


if __name__ == "__main__":
    main()
