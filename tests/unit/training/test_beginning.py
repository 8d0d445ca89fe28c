"""Going on from an encoder: the direction of each class is the mean of its embeddings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from simsearch.training.beginning import MOST, begin_at_means
from simsearch.training.inputs import Arrays
from simsearch.training.models import ModelSpec, build
from simsearch.training.objective import Objective
from simsearch.training.presets import preset
from simsearch.training.processes import open_processes

PIXELS = np.random.default_rng(0).integers(0, 256, size=(40, 9, 9, 1), dtype=np.uint8)
ROWS = np.array([39, 3, 8, 1, 20, 21, 7, 30])
LABELS = np.array([0, 1, 0, 2, 2, 1, 0, 2])


def objective_of(loss: str, turns: bool) -> Objective:
    torch.manual_seed(0)
    recipe = replace(
        preset("glyph"), model=ModelSpec("residual", 9, 9, 1, 5, widths=(4, 6)), loss=loss, quarter_turns=turns
    )
    return Objective(build(recipe.model, mean=(0.5,), std=(0.3,)), recipe, 3, open_processes())


@pytest.mark.parametrize("turns", [False, True])
@pytest.mark.parametrize("loss", ["classifier", "arcface"])
def test_each_direction_is_the_mean_of_its_class_turned(loss: str, turns: bool) -> None:
    objective = objective_of(loss, turns)
    begin_at_means(objective, Arrays(PIXELS), ROWS, LABELS)
    directions = objective.loss.label_formula.directions  # type: ignore[union-attr]
    assert isinstance(directions, torch.nn.Parameter)
    assert directions.requires_grad
    assert objective.network.training
    objective.eval()
    for turn in range(4 if turns else 1):
        for number in range(3):
            turned = np.rot90(PIXELS[ROWS[number == LABELS]], turn, axes=(1, 2)).copy()
            with torch.no_grad():
                mean = objective.network(torch.from_numpy(turned)).sum(dim=0)
            torch.testing.assert_close(directions[number + 3 * turn], mean / mean.norm(), atol=1e-5, rtol=0)


def test_a_large_class_gives_its_first_pictures_only() -> None:
    objective = objective_of("classifier", turns=False)
    pixels = np.random.default_rng(1).integers(0, 256, size=(MOST + 10, 9, 9, 1), dtype=np.uint8)
    labels = np.array([0] * (MOST + 5) + [1, 1, 2, 2, 2])
    begin_at_means(objective, Arrays(pixels), np.arange(len(labels)), labels)
    objective.eval()
    with torch.no_grad():
        mean = objective.network(torch.from_numpy(pixels[:MOST])).sum(dim=0)
    directions = objective.loss.label_formula.directions  # type: ignore[union-attr]
    torch.testing.assert_close(directions[0], mean / mean.norm(), atol=1e-5, rtol=0)


def test_a_loss_without_directions_is_left_alone() -> None:
    objective = objective_of("triplet", turns=False)
    before = {name: tensor.clone() for name, tensor in objective.state_dict().items()}
    begin_at_means(objective, Arrays(PIXELS), ROWS, LABELS)
    assert all(torch.equal(before[name], tensor) for name, tensor in objective.state_dict().items())
