"""A budget of time becomes a number of steps once, and measuring it leaves nothing behind."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from simsearch.progress import Silent
from simsearch.training import loop
from simsearch.training.checkpoint import load_checkpoint
from simsearch.training.data.inputs import Arrays
from simsearch.training.data.sampling import ClassSampler
from simsearch.training.loop import Fitted, fit
from simsearch.training.networks.building import build
from simsearch.training.networks.specification import ModelSpec
from simsearch.training.objective import Objective
from simsearch.training.presets import preset
from simsearch.training.processes import SingleProcess
from simsearch.training.schedule import LEAST_STEPS, MEASURING_SHARE, WARM_UP_STEPS, steps_within

# Batch statistics, turned and augmented drawings, a memory, averaged weights: all that a step can change.
RECIPE = replace(
    preset("glyph"),
    model=ModelSpec("residual", 8, 8, 1, 6, widths=(4, 6)),
    loss="infonce",
    scale=None,
    batch_classes=3,
    batch_images=2,
    evaluate_every=3,
    averaging=0.9,
    memory=7,
    patience=0,
    threads=0,
)
PIXELS = np.random.default_rng(0).integers(0, 256, size=(24, 8, 8, 1), dtype=np.uint8)


class Clock:
    """A clock that work moves on."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now

    def works(self, seconds: float) -> None:
        self.now += seconds


@settings(max_examples=40, deadline=None)
@given(
    minutes=st.floats(0.1, 9),
    per_step=st.floats(0.02, 5),
    validation=st.floats(0, 60),
    every=st.integers(1, 1_000),
    after=st.floats(0, 20),
)
def test_the_steps_and_their_validations_fill_the_budget(
    minutes: float, per_step: float, validation: float, every: int, after: float
) -> None:
    clock, made = Clock(), []

    def step(number: int) -> None:
        made.append(number)
        # The first ones are slower, and do not count.
        clock.works(per_step * (9 if number < WARM_UP_STEPS else 1))

    steps = steps_within(minutes, step, lambda: clock.works(validation), every, after=after, clock=clock)
    assert made == list(range(len(made)))
    budget = minutes * 60
    share = budget * MEASURING_SHARE / 2
    assert len(made) - WARM_UP_STEPS >= LEAST_STEPS
    assert share - 1e-6 * budget <= per_step * (len(made) - WARM_UP_STEPS) or len(made) == WARM_UP_STEPS + LEAST_STEPS
    taken = per_step + validation / every
    assert steps >= 1
    left = budget * (1 - MEASURING_SHARE) - after * validation
    assert steps == 1 or steps * taken <= left + 1e-6 * budget
    assert (steps + 1) * taken >= left - 1e-6 * budget


class Stopped(Exception):
    """Stands for a kill."""


def run(
    checkpoint: Path, *, steps: int = 0, minutes: float | None = None, stop: int | None = None
) -> tuple[Fitted, dict[str, Tensor]]:
    torch.manual_seed(0)
    objective = Objective(build(RECIPE.model, mean=(0.5,), std=(0.3,)), RECIPE, 4, SingleProcess())
    figures = itertools.count()

    def validate(_: object) -> float:
        figure = next(figures)
        if figure == stop:
            raise Stopped
        return -1.0

    sampler = ClassSampler(np.repeat(np.arange(4), 6), rows=np.arange(24), classes=3, images=2, seed=0)
    found = fit(
        objective,
        sampler,
        Arrays(PIXELS),
        recipe=RECIPE,
        steps=steps,
        minutes=minutes,
        validate=validate,
        checkpoint=checkpoint,
        configuration="c",
        processes=SingleProcess(),
        progress=Silent(),
    )
    return found, objective.state_dict()


def test_measuring_changes_nothing_and_is_done_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A measured run is bit for bit the one with as many steps, also when it is stopped."""

    def measure(minutes: float, step: object, *rest: object, **settings: object) -> int:
        # Enough real steps to move everything, and a number that does not depend on this machine.
        found = steps_within(minutes, step, *rest, **settings)  # type: ignore[arg-type]
        assert found >= 1
        measured.append(minutes)
        return 7

    measured: list[float] = []
    monkeypatch.setattr(loop, "steps_within", measure)
    asked, expected = run(tmp_path / "asked.pt", steps=7)
    found, weights = run(tmp_path / "measured.pt", minutes=1e-4)
    assert (found.steps, found.history) == (7, asked.history)
    assert weights.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(weights[name], tensor), name
    assert int(weights["memory.seen"]) == 7 * 6
    # Stopped at its first validation, after the one that measuring makes: only the number of steps is kept by then.
    with pytest.raises(Stopped):
        run(tmp_path / "parts.pt", minutes=1e-4, stop=1)
    kept = load_checkpoint(tmp_path / "parts.pt", "c")
    assert kept is not None
    assert (kept["step"], kept["steps"]) == (0, 7)
    _, resumed = run(tmp_path / "parts.pt", minutes=1e-4)
    assert measured == [1e-4, 1e-4], "the resumed run has measured again"
    for name, tensor in expected.items():
        assert torch.equal(resumed[name], tensor), name
