"""The training loop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from simsearch.errors import TrainingError
from simsearch.progress import Progress, Working
from simsearch.training.checkpoint import CHECKPOINT_FORMAT, State, load_checkpoint, save_checkpoint
from simsearch.training.objective import Objective
from simsearch.training.recipes import Recipe
from simsearch.training.sampling import Batch, Sampler

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LOSS_MEMORY = 0.95
"""Weight of the past in the running mean of the loss."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A finished run; the objective holds the best weights. `history` has a row an evaluation."""

    history: tuple[dict[str, float], ...]
    best_figure: float
    best_step: int
    steps: int
    seconds: float


def fit(
    objective: Objective,
    sampler: Sampler,
    pixels: NDArray[np.uint8],
    *,
    recipe: Recipe,
    steps: int,
    validate: Callable[[], float],
    checkpoint: Path,
    configuration: str,
    progress: Progress,
) -> Fitted:
    """Trains until `steps` or until `validate` (larger is better) stops improving, and keeps the best weights.

    Goes on from `checkpoint` when it is there. Raises TrainingError when the loss is not finite.
    """
    optimizer = make_optimizer(objective, recipe)
    state = load_checkpoint(checkpoint, configuration) or _first(objective, optimizer, configuration)
    objective.load_state_dict(state["objective"])
    optimizer.load_state_dict(state["optimizer"])
    started = time.monotonic() - state["seconds"]
    running = state["history"][-1]["loss"] if state["history"] else math.nan
    with Working(progress, steps, "steps", "training"):
        progress.advance(state["step"])
        for step in range(state["step"], steps):
            if _out_of_patience(state, recipe):
                break
            # Batch, dropout and augmentation follow from the seed and the step: a resumed run draws the same.
            torch.manual_seed(recipe.seed * 1_000_003 + step)
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(recipe, step, steps)
            value = _learn(objective, optimizer, sampler.batch(step), pixels, recipe)
            objective.follow(step)
            if not math.isfinite(value):
                raise TrainingError(
                    f"the loss is {value} at step {step}; lower the learning rate ({recipe.learning_rate} now)"
                )
            running = value if math.isnan(running) else LOSS_MEMORY * running + (1 - LOSS_MEMORY) * value
            progress.advance()
            if (step + 1) % recipe.evaluate_every == 0 or step + 1 == steps:
                figure = validate()
                progress.note(f"loss {running:.3f}, validation {figure:.3f}")
                _record(state, objective, optimizer, step + 1, running, figure, time.monotonic() - started)
                save_checkpoint(checkpoint, state)
    objective.kept.load_state_dict(state["best"])
    return Fitted(tuple(state["history"]), state["best_figure"], state["best_step"], state["step"], state["seconds"])


def _learn(
    objective: Objective, optimizer: torch.optim.Optimizer, batch: Batch, pixels: NDArray[np.uint8], recipe: Recipe
) -> float:
    """The loss of a batch, after a step against its gradient; a loss that is not finite changes nothing."""
    objective.train()
    loss = objective(batch, pixels)
    value: float = loss.item()
    if math.isfinite(value):
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(objective.parameters(), recipe.clip)
        optimizer.step()
    return value


def learning_rate(recipe: Recipe, step: int, steps: int) -> float:
    """Constant, or a warm-up over the first 2 % and then half a cosine to zero (Loshchilov and Hutter 2017)."""
    if not recipe.cosine_decay:
        return recipe.learning_rate
    warm_up = max(1, steps // 50)
    if step < warm_up:
        return recipe.learning_rate * (step + 1) / warm_up
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up)))


def make_optimizer(objective: Objective, recipe: Recipe) -> torch.optim.Optimizer:
    """The optimizer of the recipe over all parameters."""
    parameters, rate, decay = objective.parameters(), recipe.learning_rate, recipe.weight_decay
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(parameters, rate, momentum=0.9, nesterov=True, weight_decay=decay)
    if recipe.optimizer == "rmsprop":
        return torch.optim.RMSprop(parameters, rate, alpha=0.9, eps=1e-7, weight_decay=decay)
    return torch.optim.AdamW(parameters, rate, weight_decay=decay)


def _out_of_patience(state: State, recipe: Recipe) -> bool:
    later = sum(row["step"] > state["best_step"] for row in state["history"])
    return 0 < recipe.patience <= later


def _copy(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in weights.items()}


def _first(objective: Objective, optimizer: torch.optim.Optimizer, configuration: str) -> State:
    return State(
        format=CHECKPOINT_FORMAT, configuration=configuration, step=0,
        objective=_copy(objective.state_dict()), optimizer=optimizer.state_dict(),
        best=_copy(objective.kept.state_dict()), best_figure=-math.inf, best_step=0, history=[], seconds=0.0,
    )  # fmt: skip


def _record(
    state: State,
    objective: Objective,
    optimizer: torch.optim.Optimizer,
    step: int,
    loss: float,
    figure: float,
    seconds: float,
) -> None:
    state["step"] = step
    state["seconds"] = seconds
    state["objective"] = objective.state_dict()
    state["optimizer"] = optimizer.state_dict()
    state["history"].append({"step": float(step), "loss": loss, "validation": figure})
    if figure > state["best_figure"]:
        state["best"], state["best_figure"], state["best_step"] = _copy(objective.kept.state_dict()), figure, step
