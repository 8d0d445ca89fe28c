"""Going on from an encoder: the direction of each class is the mean of its embeddings."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
import torch

from simsearch.training.data.inputs import Arrays
from simsearch.training.finetuning.imprinting import MOST, imprint_class_weights
from simsearch.training.networks.building import build
from simsearch.training.networks.specification import ModelSpec
from simsearch.training.objective import Objective
from simsearch.training.presets import preset
from simsearch.training.processes import open_processes

PIXELS = np.random.default_rng(0).integers(0, 256, size=(40, 9, 9, 1), dtype=np.uint8)
ROWS = np.array([39, 3, 8, 1, 20, 21, 7, 30])
LABELS = np.array([0, 1, 0, 2, 2, 1, 0, 2])


def objective_of(loss: str, poses: Literal[1, 4, 8] = 1) -> Objective:
    torch.manual_seed(0)
    model = ModelSpec("residual", 9, 9, 1, 5, widths=(4, 6))
    recipe = replace(preset("glyph"), model=model, loss=loss, scale=None, poses=poses)
    return Objective(build(recipe.model, mean=(0.5,), std=(0.3,)), recipe, 3, open_processes())


@pytest.mark.parametrize("poses", [1, 4, 8])
@pytest.mark.parametrize("loss", ["classifier", "arcface"])
def test_each_direction_is_the_mean_of_its_class_turned(loss: str, poses: Literal[1, 4, 8]) -> None:
    objective = objective_of(loss, poses)
    imprint_class_weights(objective, Arrays(PIXELS), ROWS, LABELS)
    directions = objective.loss.label_formula.directions  # type: ignore[union-attr]
    assert isinstance(directions, torch.nn.Parameter)
    assert directions.requires_grad
    assert objective.network.training
    objective.eval()
    for pose in range(poses):
        for number in range(3):
            own = PIXELS[ROWS[number == LABELS]]
            turned = np.rot90(own[:, :, ::-1] if pose >= 4 else own, pose, axes=(1, 2)).copy()
            with torch.no_grad():
                mean = objective.network(torch.from_numpy(turned)).sum(dim=0)
            torch.testing.assert_close(directions[number + 3 * pose], mean / mean.norm(), atol=1e-5, rtol=0)


def test_a_large_class_gives_its_first_pictures_only() -> None:
    objective = objective_of("classifier")
    pixels = np.random.default_rng(1).integers(0, 256, size=(MOST + 10, 9, 9, 1), dtype=np.uint8)
    labels = np.array([0] * (MOST + 5) + [1, 1, 2, 2, 2])
    imprint_class_weights(objective, Arrays(pixels), np.arange(len(labels)), labels)
    objective.eval()
    with torch.no_grad():
        mean = objective.network(torch.from_numpy(pixels[:MOST])).sum(dim=0)
    directions = objective.loss.label_formula.directions  # type: ignore[union-attr]
    torch.testing.assert_close(directions[0], mean / mean.norm(), atol=1e-5, rtol=0)


def test_a_loss_without_directions_is_left_alone() -> None:
    objective = objective_of("triplet")
    before = {name: tensor.clone() for name, tensor in objective.state_dict().items()}
    imprint_class_weights(objective, Arrays(PIXELS), ROWS, LABELS)
    assert all(torch.equal(before[name], tensor) for name, tensor in objective.state_dict().items())
