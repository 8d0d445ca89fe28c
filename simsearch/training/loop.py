"""The training loop."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from simsearch.errors import TrainingError
from simsearch.progress import Progress, Working
from simsearch.training.checkpoint import CHECKPOINT_FORMAT, State, Weights, load_checkpoint, save_checkpoint
from simsearch.training.networks.encoder import Network
from simsearch.training.processes import shard_of
from simsearch.training.schedule import learning_rate, steps_within

if TYPE_CHECKING:
    from simsearch.training.data.inputs import Inputs
    from simsearch.training.data.sampling import Sampler
    from simsearch.training.objective import Objective
    from simsearch.training.processes import Processes
    from simsearch.training.recipes import Recipe

LOSS_MEMORY = 0.95
"""The decay of the exponential moving average of the loss."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A finished run; the objective holds the best weights. `history` has a row for each evaluation."""

    history: tuple[dict[str, float], ...]
    best_figure: float
    best_step: int
    steps: int
    seconds: float


Validate = Callable[[Network], float]
"""The validation metric of a network; larger is better. NaN without validation data."""


def fit(
    objective: Objective,
    sampler: Sampler,
    inputs: Inputs,
    *,
    recipe: Recipe,
    steps: int,
    minutes: float | None = None,
    most: int | None = None,
    after: float = 0.0,
    validate: Validate,
    checkpoint: Path,
    configuration: str,
    processes: Processes,
    progress: Progress,
) -> Fitted:
    """Trains for `steps` or until `validate` stops improving, and loads the best weights (without validation the last).

    With `minutes` the number of steps is estimated once, before the first, and stored in the checkpoint; there are at
    most `most`, and time for `after` validations is left. Resumes from `checkpoint` if it exists. Raises TrainingError
    for a loss that is not finite.
    """
    run = _Run(objective, sampler, inputs, recipe, processes)
    state = load_checkpoint(checkpoint, configuration)
    _check_agreement(state, checkpoint, processes)
    if state is None:
        if minutes is not None:
            fitting = run.steps_within(minutes, validate, after)
            steps = fitting if most is None else min(most, fitting)
        state = run.first(configuration, steps)
        if minutes is not None and processes.rank == 0:
            # A second measurement would give another number of steps, and so other weights.
            save_checkpoint(checkpoint, state)
    run.restore(state)
    steps = state["steps"]
    started = time.monotonic() - state["seconds"]
    running = state["history"][-1]["loss"] if state["history"] else math.nan
    with Working(progress, steps, "steps", "training"):
        progress.advance(state["step"])
        for step in range(state["step"], steps):
            if _out_of_patience(state, recipe):
                break
            for group in run.optimizer.param_groups:
                group["lr"] = learning_rate(recipe, step, steps)
            value = run.learn(step)
            if not math.isfinite(value):
                raise TrainingError(
                    f"the loss is {value} at step {step}; lower the learning rate ({recipe.learning_rate} now)"
                )
            running = value if math.isnan(running) else LOSS_MEMORY * running + (1 - LOSS_MEMORY) * value
            progress.advance()
            if (step + 1) % recipe.evaluate_every == 0 or step + 1 == steps:
                figure = run.figure(validate)
                progress.note(f"loss {running:.3f}, validation {figure:.3f}")
                run.record(state, step + 1, running, figure, time.monotonic() - started)
                if processes.rank == 0:
                    save_checkpoint(checkpoint, state)
                processes.wait()
    objective.network.load_state_dict(state["best"])
    return Fitted(tuple(state["history"]), state["best_figure"], state["best_step"], state["step"], state["seconds"])


class _Run:
    """The mutable state of a run: weights, their average, the optimizer and the gradient scaler."""

    def __init__(
        self, objective: Objective, sampler: Sampler, inputs: Inputs, recipe: Recipe, processes: Processes
    ) -> None:
        self.objective = objective
        self.sampler = sampler
        self.inputs = inputs
        self.recipe = recipe
        self.processes = processes
        self.wrapped = processes.wrap(objective)
        self.optimizer = make_optimizer(objective, recipe)
        self.scaler = torch.amp.GradScaler(processes.device.type, enabled=objective.precision == torch.float16)

    def learn(self, step: int) -> float:
        """The loss of the batch, after an optimizer step; a loss that is not finite changes nothing."""
        # Batch, dropout and augmentation are functions of the seed and the step: a resumed run draws the same.
        torch.manual_seed(self.recipe.seed * 1_000_003 + step)
        batch = self.sampler.batch(step)
        share = shard_of(np.arange(len(batch.rows)), self.processes)
        inputs = self.inputs.batch(batch.rows[share]).to(self.processes.device)
        self.objective.train()
        loss = self.wrapped(batch, inputs, share)
        value: float = loss.item()
        if math.isfinite(value):
            self.optimizer.zero_grad(set_to_none=True)
            self.scaler.scale(loss).backward()
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.objective.parameters(), self.recipe.clip)
            self.scaler.step(self.optimizer)
            self.scaler.update()
            self.objective.follow(step)
        return value

    def figure(self, validate: Validate) -> float:
        """The validation metric of the averaged weights, computed by rank 0."""
        mine = validate(self.objective.averaged) if self.processes.rank == 0 else 0.0
        return self.processes.broadcast(mine)

    def steps_within(self, minutes: float, validate: Validate, after: float) -> int:
        """The number of steps that fit into the time, measured by rank 0; the weights are restored afterwards."""
        before = self.first("", 0)
        steps = steps_within(
            minutes,
            self.learn,
            lambda: self.figure(validate),
            self.recipe.evaluate_every,
            after=after,
            # One clock for all: each of these steps needs every process.
            clock=lambda: self.processes.broadcast(time.perf_counter()),
        )
        self.restore(before)
        return steps

    def first(self, configuration: str, steps: int) -> State:
        """The state before the first step."""
        return State(
            format=CHECKPOINT_FORMAT,
            configuration=configuration,
            step=0,
            steps=steps,
            **self._weights(),
            best=_copy(self.objective.averaged.state_dict()),
            best_figure=-math.inf,
            best_step=0,
            history=[],
            seconds=0.0,
        )

    def _weights(self) -> Weights:
        return Weights(
            objective=_copy(self.objective.state_dict()),
            optimizer=copy.deepcopy(self.optimizer.state_dict()),
            scaler=self.scaler.state_dict(),
        )

    def restore(self, state: State) -> None:
        self.objective.load_state_dict(state["objective"])
        self.optimizer.load_state_dict(state["optimizer"])
        if state["scaler"]:
            # Empty if the run began on a device without gradient scaling.
            self.scaler.load_state_dict(state["scaler"])

    def record(self, state: State, step: int, loss: float, figure: float, seconds: float) -> None:
        """Updates the state to this step, and its best weights if the metric improved."""
        weights = self._weights()
        state["objective"], state["optimizer"] = weights["objective"], weights["optimizer"]
        state["scaler"] = weights["scaler"]
        state["step"] = step
        state["seconds"] = seconds
        state["history"].append({"step": float(step), "loss": loss, "validation": figure})
        if figure > state["best_figure"] or math.isnan(figure):
            state["best"] = _copy(self.objective.averaged.state_dict())
            state["best_figure"], state["best_step"] = figure, step


def make_optimizer(objective: Objective, recipe: Recipe) -> torch.optim.Optimizer:
    """The optimizer of the recipe over all parameters that are not frozen."""
    parameters = [parameter for parameter in objective.parameters() if parameter.requires_grad]
    rate, decay = recipe.learning_rate, recipe.weight_decay
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(parameters, rate, momentum=0.9, nesterov=True, weight_decay=decay)
    if recipe.optimizer == "rmsprop":
        return torch.optim.RMSprop(parameters, rate, alpha=0.9, eps=1e-7, weight_decay=decay)
    if recipe.optimizer == "adam":
        return torch.optim.Adam(parameters, rate, weight_decay=decay)
    return torch.optim.AdamW(parameters, rate, weight_decay=decay)


def _check_agreement(state: State | None, checkpoint: Path, processes: Processes) -> None:
    """Raises TrainingError if this process would not resume at the same step as rank 0."""
    mine = -1 if state is None else state["step"]
    first = int(processes.broadcast(mine))
    if mine != first:
        raise TrainingError(
            f"{checkpoint} is at step {first} for the first process and at step {mine} for process {processes.rank} "
            "(-1 is none); put the encoder folder on storage that all machines share"
        )


def _out_of_patience(state: State, recipe: Recipe) -> bool:
    later = sum(row["step"] > state["best_step"] for row in state["history"])
    return 0 < recipe.patience <= later


def _copy(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in weights.items()}
