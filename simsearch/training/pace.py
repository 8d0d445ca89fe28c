"""From a budget of time to a number of steps."""

from __future__ import annotations

import time
from collections.abc import Callable

WARM_UP_STEPS = 3
LEAST_STEPS = 10
MEASURING_SHARE = 0.03
"""Of the budget, at most about this much is spent on measuring."""


def steps_within(
    minutes: float,
    step: Callable[[int], object],
    validate: Callable[[], object],
    evaluate_every: int,
    *,
    after: float = 0.0,
    clock: Callable[[], float] = time.perf_counter,
) -> int:
    """How many steps fit into `minutes`, with a validation every `evaluate_every` of them; at least 1.

    Time for `after` validations is left over at the end.

    A few steps are made and timed: what they change is for the caller to undo.
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
