"""The objective: the running mean of the weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from simsearch.progress import Silent
from simsearch.training.data.inputs import Arrays
from simsearch.training.data.sampling import ClassSampler
from simsearch.training.loop import fit
from simsearch.training.networks.building import build
from simsearch.training.networks.specification import ModelSpec
from simsearch.training.objective import Objective, channels_last_is_safe
from simsearch.training.presets import preset
from simsearch.training.processes import SingleProcess
from simsearch.training.recipes import Recipe

SPEC = ModelSpec("residual", 12, 12, 1, 6, widths=(4, 6))
RECIPE = replace(preset("glyph"), model=SPEC, batch_classes=3, batch_images=2, evaluate_every=2, averaging=0.9)
PIXELS = np.random.default_rng(0).integers(0, 256, size=(24, 12, 12, 1), dtype=np.uint8)


def objective_of(recipe: Recipe) -> Objective:
    torch.manual_seed(0)
    return Objective(build(recipe.model, mean=(0.5,), std=(0.3,)), recipe, 4, SingleProcess())


def sampler() -> ClassSampler:
    return ClassSampler(np.repeat(np.arange(4), 6), rows=np.arange(24), classes=3, images=2, seed=0)


def loss_of(objective: Objective, step: int) -> Tensor:
    batch = sampler().batch(step)
    loss: Tensor = objective(batch, torch.from_numpy(PIXELS[batch.rows]), np.arange(len(batch.rows)))
    return loss


def test_the_running_mean_forgets_the_start_and_follows_with_its_decay() -> None:
    objective = objective_of(RECIPE)
    name, weight = next(iter(objective.network.named_parameters()))
    expected, seen = weight.detach().double().clone(), []
    for step in range(200):
        with torch.no_grad():
            weight.add_(torch.randn_like(weight))
        seen.append(weight.detach().double().clone())
        objective.follow(step)
        decay = min(0.9, (step + 1) / (step + 10))
        expected = decay * expected + (1 - decay) * seen[-1]
    found = dict(objective.averaged.named_parameters())[name]
    torch.testing.assert_close(found.double(), expected, atol=1e-4, rtol=0)
    assert not found.requires_grad


def test_the_running_mean_takes_the_batch_statistics_too() -> None:
    objective = objective_of(RECIPE)
    for step in range(60):
        objective.train()
        loss_of(objective, step)
        objective.follow(step)
    now, mean = objective.network.state_dict(), objective.averaged.state_dict()
    tracked = [name for name in now if name.endswith("running_var")]
    assert tracked
    for name in tracked:
        torch.testing.assert_close(mean[name], now[name], rtol=0.5, atol=0.05)
        assert not torch.equal(mean[name], now[name])


def test_without_averaging_the_weights_themselves_are_kept() -> None:
    objective = objective_of(replace(RECIPE, averaging=0.0))
    objective.follow(0)
    assert objective.averaged is objective.network


class Stopped(Exception):
    """Stands for a kill."""


@pytest.mark.parametrize("stop", [1, 2])
def test_a_stopped_run_goes_on_with_its_running_mean(stop: int, tmp_path: Path) -> None:
    def run(name: str, stops: list[int]) -> dict[str, Tensor]:
        objective, evaluations = objective_of(RECIPE), iter(range(10))

        def validate(_: object) -> float:
            if next(evaluations) in stops:
                raise Stopped
            return 0.0

        fit(
            objective,
            sampler(),
            Arrays(PIXELS),
            recipe=objective.recipe,
            steps=6,
            validate=validate,
            checkpoint=tmp_path / name,
            configuration="c",
            processes=SingleProcess(),
            progress=Silent(),
        )
        last: dict[str, Tensor] = torch.load(tmp_path / name, weights_only=True)["objective"]
        return last

    whole = run("whole", [])
    with pytest.raises(Stopped):
        run("parts", [stop])
    parts = run("parts", [])
    assert any(name.startswith("average.") for name in whole)
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


@pytest.mark.parametrize(("width", "safe"), [(4, False), (8, True)])
def test_networks_of_few_maps_keep_each_channel_by_itself(width: int, safe: bool) -> None:
    """Else a strided short cut corrupts memory, and the process dies some steps later."""
    spec = replace(SPEC, widths=(width, 8))
    objective = objective_of(replace(RECIPE, model=spec, averaging=0.0))
    assert channels_last_is_safe(objective.network) == safe
    assert channels_last_is_safe(build(ModelSpec("shapes", 12, 12, 1, 6), mean=(0.5,), std=(0.3,)))
    for step in range(30):
        loss_of(objective, step).backward()
