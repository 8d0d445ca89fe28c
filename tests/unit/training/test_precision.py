"""Mixed precision: near to 32 bits after some steps, weights in 32 bits, and the scale of gradients is kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from simsearch.errors import UsageError
from simsearch.progress import Silent
from simsearch.training.checkpoint import load_checkpoint
from simsearch.training.data.inputs import Arrays
from simsearch.training.data.sampling import ClassSampler
from simsearch.training.loop import fit
from simsearch.training.networks.building import build
from simsearch.training.networks.specification import ModelSpec
from simsearch.training.objective import Objective
from simsearch.training.presets import preset
from simsearch.training.processes import SingleProcess

RECIPE = replace(
    preset("digits"),
    model=ModelSpec("digits", 8, 8, 1, 6),
    optimizer="sgd",
    learning_rate=0.05,
    batch_classes=4,
    batch_images=3,
    evaluate_every=2,
    cosine_decay=False,
    augmentation="drawing",
    loss="contrastive",
)
PIXELS = np.random.default_rng(0).integers(0, 256, size=(24, 8, 8, 1), dtype=np.uint8)


class Stopped(Exception):
    """Stands for a kill."""


def run(
    checkpoint: Path, precision: str, *, forced: torch.dtype | None = None, stop: int | None = None, steps: int = 6
) -> tuple[dict[str, Tensor], dict[str, object]]:
    """The weights after some steps and the scale of the gradients; `forced` goes past what a processor is given."""
    recipe = replace(RECIPE, precision=precision)
    torch.manual_seed(0)
    objective = Objective(build(recipe.model, mean=(0.5,), std=(0.3,)), recipe, 4, SingleProcess())
    objective.precision = forced or objective.precision
    evaluations = iter(range(10))

    def validate(_: object) -> float:
        if next(evaluations) == stop:
            raise Stopped
        return 0.0

    sampler = ClassSampler(np.repeat(np.arange(4), 6), rows=np.arange(24), classes=4, images=3, seed=0)
    fit(
        objective,
        sampler,
        Arrays(PIXELS),
        recipe=recipe,
        steps=steps,
        validate=validate,
        checkpoint=checkpoint,
        configuration="c",
        processes=SingleProcess(),
        progress=Silent(),
    )
    state = load_checkpoint(checkpoint, "c")
    assert state is not None
    return state["objective"], state["scaler"]


def test_a_few_steps_in_16_bits_are_near_to_those_in_32(tmp_path: Path) -> None:
    exact, _ = run(tmp_path / "32.pt", "float32")
    rough, none = run(tmp_path / "16.pt", "bfloat16")
    assert none == {}, "as many exponents as 32 bits: nothing to scale"
    start, _ = run(tmp_path / "start.pt", "float32", steps=1)
    assert rough.keys() == exact.keys()
    moved, apart = 0.0, 0.0
    for name, tensor in exact.items():
        assert rough[name].dtype == tensor.dtype
        assert torch.isfinite(rough[name]).all(), name
        moved += float((tensor - start[name]).square().sum())
        apart += float((tensor - rough[name]).square().sum())
    assert 0 < apart < 0.1 * moved


def test_the_scale_of_16_bit_gradients_is_kept_and_gone_on_with(tmp_path: Path) -> None:
    whole, scale = run(tmp_path / "whole.pt", "float32", forced=torch.float16)
    assert 1 < float(str(scale["scale"])) <= 2**16
    # Steps whose scaled gradients overflow are left out, and halve the scale.
    assert 0 < int(str(scale["_growth_tracker"])) <= 6
    assert all(torch.isfinite(tensor).all() for tensor in whole.values())
    with pytest.raises(Stopped):
        run(tmp_path / "parts.pt", "float32", forced=torch.float16, stop=2)
    parts, resumed = run(tmp_path / "parts.pt", "float32", forced=torch.float16)
    assert resumed == scale
    assert all(torch.equal(parts[name], tensor) for name, tensor in whole.items())


def test_a_run_that_began_in_32_bits_goes_on_in_16(tmp_path: Path) -> None:
    """As when it moves from a processor to a GPU without bfloat16."""
    with pytest.raises(Stopped):
        run(tmp_path / "moved.pt", "auto", stop=2)
    weights, scale = run(tmp_path / "moved.pt", "auto", forced=torch.float16)
    assert float(str(scale["scale"])) > 1
    assert all(torch.isfinite(tensor).all() for tensor in weights.values())


def test_float16_is_refused_on_a_processor() -> None:
    with pytest.raises(UsageError, match="precision float16 needs a GPU"):
        Objective(
            build(RECIPE.model, mean=(0.5,), std=(0.3,)), replace(RECIPE, precision="float16"), 4, SingleProcess()
        )
