"""The number of steps of a run, from epochs or a time limit, and the learning rate schedule."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simsearch.training.data.partition import Partition
    from simsearch.training.recipes import Recipe

WARM_UP_STEPS = 3
LEAST_STEPS = 10
MEASURING_SHARE = 0.03
"""The largest share of the time limit that is spent on timing steps."""


def total_steps(recipe: Recipe, partition: Partition) -> int:
    """The number of optimizer steps: an epoch counts the possible pairs of this partition, or the given ones."""
    if recipe.steps:
        return recipe.steps
    if partition.labels is not None:
        pairs, per_step = recipe.pairs_per_epoch or len(partition) * (len(partition) - 1) // 2, recipe.batch_pairs
    else:
        pairs, per_step = partition.count, max(1, recipe.batch_inputs // 2)
    return max(1, math.ceil(recipe.epochs * pairs / per_step))


def steps_within(
    minutes: float,
    step: Callable[[int], object],
    validate: Callable[[], object],
    evaluate_every: int,
    *,
    after: float = 0.0,
    clock: Callable[[], float] = time.perf_counter,
) -> int:
    """The number of steps that fit into `minutes`, with a validation every `evaluate_every` of them; at least 1.

    Time for `after` validations is left at the end. A few steps are made and timed; the caller restores the weights.
    """
    budget = minutes * 60
    for number in range(WARM_UP_STEPS):
        step(number)
    started, made = clock(), 0
    while made < LEAST_STEPS or clock() - started < MEASURING_SHARE * budget / 2:
        step(WARM_UP_STEPS + made)
        made += 1
    per_step = (clock() - started) / made
    started = clock()
    validate()
    validation = clock() - started
    left = budget * (1 - MEASURING_SHARE) - after * validation
    return max(1, int(left / (per_step + validation / evaluate_every)))


def learning_rate(recipe: Recipe, step: int, steps: int) -> float:
    """The learning rate: constant, or with warmup over 2 % of the steps and cosine decay to zero (Loshchilov and Hutter
    2017)."""
    if not recipe.cosine_decay:
        return recipe.learning_rate
    warm_up = max(1, steps // 50)
    if step < warm_up:
        return recipe.learning_rate * (step + 1) / warm_up
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up)))
