"""The loop: a stopped run goes on bit for bit, and stops, fails and keeps the best weights as it says."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from simsearch.errors import TrainingError
from simsearch.progress import Silent
from simsearch.training.data.inputs import Arrays
from simsearch.training.data.sampling import ClassSampler, PairSampler, Sampler
from simsearch.training.loop import Fitted, fit, learning_rate, make_optimizer
from simsearch.training.networks.building import build
from simsearch.training.networks.encoder import Network
from simsearch.training.networks.specification import ModelSpec
from simsearch.training.objective import Objective
from simsearch.training.presets import preset
from simsearch.training.processes import SingleProcess
from simsearch.training.recipes import Recipe

CLASSES = 4
DIGITS = ModelSpec("digits", 6, 6, 1, 5, dropout=0.4)
RESIDUAL = ModelSpec("residual", 8, 8, 1, 6, widths=(4, 6))
BASE = replace(
    preset("digits"), model=DIGITS, loss="contrastive", optimizer="rmsprop", learning_rate=0.01, batch_classes=3,
    batch_images=2, evaluate_every=3, cosine_decay=False, weight_decay=0.0, patience=0, augmentation="none", threads=0,
)  # fmt: skip
RECIPES = {
    "rmsprop with dropout": BASE,
    "adamw, dot, photo": replace(BASE, optimizer="adamw", loss="dot", augmentation="photo"),
    "sgd, classifier, turned drawings": replace(
        BASE, model=RESIDUAL, optimizer="sgd", loss="classifier", augmentation="drawing", poses=4,
        contrast_weight=0.5, cosine_decay=True, weight_decay=1e-3,
    ),
    "adam, triplet, averaged, memory": replace(
        BASE, optimizer="adam", loss="triplet", margin=0.2, weight_decay=1e-2, averaging=0.9, memory=7
    ),
    "adamw, distance-weighted, learned scale": replace(BASE, optimizer="adamw", loss="bce", miner="distance-weighted"),
}  # fmt: skip


def pictures(spec: ModelSpec) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, size=(CLASSES * 6, spec.height, spec.width, spec.channels), dtype=np.uint8)


def objective_of(recipe: Recipe) -> Objective:
    torch.manual_seed(recipe.seed)
    mean, std = (0.5,) * recipe.model.channels, (0.3,) * recipe.model.channels
    return Objective(build(recipe.model, mean=mean, std=std), recipe, CLASSES, SingleProcess())


def sampler_of(recipe: Recipe) -> ClassSampler:
    labels = np.repeat(np.arange(CLASSES), 6)
    return ClassSampler(
        labels, rows=np.arange(len(labels)), classes=recipe.batch_classes, images=recipe.batch_images, seed=recipe.seed
    )


class Stopped(Exception):
    """Stands for a kill."""


class Rising:
    """A validation whose figure is the number of evaluations so far; it stops the run once before each of `stops`."""

    def __init__(self, *stops: int) -> None:
        self.done = 0
        self.stops = list(stops)

    def __call__(self, network: object = None) -> float:
        # A validation may draw random numbers: the steps after it must not notice.
        torch.rand(3)
        if self.done in self.stops:
            self.stops.remove(self.done)
            raise Stopped
        self.done += 1
        return float(self.done)


def never(network: object) -> float:
    raise AssertionError("validated again")


def run(
    objective: Objective, recipe: Recipe, checkpoint: Path, *, steps: int = 12,
    validate: Callable[[Network], float] | None = None, sampler: Sampler | None = None, configuration: str = "c",
) -> Fitted:  # fmt: skip
    return fit(
        objective, sampler or sampler_of(recipe), Arrays(pictures(recipe.model)), recipe=recipe, steps=steps,
        validate=validate or Rising(), checkpoint=checkpoint, configuration=configuration, processes=SingleProcess(),
        progress=Silent(),
    )  # fmt: skip


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
@pytest.mark.parametrize("stops", [(1,), (2,), (1, 3)])
def test_a_stopped_run_goes_on_bit_for_bit(recipe: Recipe, stops: tuple[int, ...], tmp_path: Path) -> None:
    whole = objective_of(recipe)
    run(whole, recipe, tmp_path / "whole.pt", validate=Rising())
    validate = Rising(*stops)
    for _ in stops:
        with pytest.raises(Stopped):
            run(objective_of(recipe), recipe, tmp_path / "parts.pt", validate=validate)
    # The weights that a fresh process starts with do not matter.
    resumed = objective_of(replace(recipe, seed=99))
    fitted = run(resumed, recipe, tmp_path / "parts.pt", validate=validate)
    assert fitted.steps == 12
    assert equal(resumed.state_dict(), whole.state_dict())
    assert not equal(whole.state_dict(), objective_of(recipe).state_dict())


def test_the_history_goes_on_too(tmp_path: Path) -> None:
    whole = run(objective_of(BASE), BASE, tmp_path / "whole.pt", validate=Rising())
    validate = Rising(2)
    with pytest.raises(Stopped):
        run(objective_of(BASE), BASE, tmp_path / "parts.pt", validate=validate)
    resumed = run(objective_of(BASE), BASE, tmp_path / "parts.pt", validate=validate)
    assert resumed.history == whole.history
    assert [row["step"] for row in whole.history] == [3.0, 6.0, 9.0, 12.0]
    assert [row["validation"] for row in whole.history] == [1.0, 2.0, 3.0, 4.0]
    assert (resumed.best_figure, resumed.best_step) == (whole.best_figure, whole.best_step) == (4.0, 12)


def test_a_run_of_pairs_goes_on_bit_for_bit(tmp_path: Path) -> None:
    pairs = np.array(list(itertools.combinations(range(8), 2)))
    sampler = PairSampler(pairs, pairs[:, 0] // 2 == pairs[:, 1] // 2, count=6, seed=0)
    whole, validate = objective_of(BASE), Rising(2)
    run(whole, BASE, tmp_path / "whole.pt", sampler=sampler)
    with pytest.raises(Stopped):
        run(objective_of(BASE), BASE, tmp_path / "parts.pt", sampler=sampler, validate=validate)
    parts = objective_of(BASE)
    run(parts, BASE, tmp_path / "parts.pt", sampler=sampler, validate=validate)
    assert equal(parts.state_dict(), whole.state_dict())


def test_another_seed_gives_other_weights(tmp_path: Path) -> None:
    """Else the tests above would hold for a loop that ignores its randomness."""
    one, other = objective_of(BASE), objective_of(BASE)
    run(one, BASE, tmp_path / "one.pt", validate=Rising())
    run(other, replace(BASE, seed=1), tmp_path / "other.pt", validate=Rising())
    assert not equal(one.state_dict(), other.state_dict())


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    first = objective_of(BASE)
    fitted = run(first, BASE, tmp_path / "c.pt")
    again = objective_of(BASE)
    repeated = run(again, BASE, tmp_path / "c.pt", validate=never)
    assert repeated == fitted
    assert equal(again.network.state_dict(), first.network.state_dict())


def test_the_best_weights_are_kept(tmp_path: Path) -> None:
    objective = objective_of(BASE)
    seen: list[dict[str, Tensor]] = []
    figures = iter([0.1, 0.9, 0.4, 0.9])

    def validate(network: object) -> float:
        seen.append({name: tensor.clone() for name, tensor in objective.network.state_dict().items()})
        return next(figures)

    fitted = run(objective, BASE, tmp_path / "c.pt", validate=validate)
    assert (fitted.best_figure, fitted.best_step, fitted.steps) == (0.9, 6, 12)
    assert equal(objective.network.state_dict(), seen[1])
    assert not equal(seen[3], seen[1])


def test_the_best_weights_survive_a_stop(tmp_path: Path) -> None:
    falling = Rising(2)
    with pytest.raises(Stopped):
        run(objective_of(BASE), BASE, tmp_path / "c.pt", validate=lambda _: -falling())
    alone = objective_of(BASE)
    run(alone, BASE, tmp_path / "alone.pt", steps=3)
    resumed = objective_of(BASE)
    fitted = run(resumed, BASE, tmp_path / "c.pt", validate=lambda _: -falling())
    assert (fitted.best_figure, fitted.best_step) == (-1.0, 3)
    assert equal(resumed.network.state_dict(), alone.network.state_dict())


@pytest.mark.parametrize(
    ("patience", "figures", "steps"),
    [(1, [3, 2, 9, 9], 6), (2, [1, 0, 2, 1, 1, 9], 15), (2, [1, 1, 1, 9], 9), (0, [5, 1, 1, 1, 1, 1], 18)],
)
def test_patience_counts_evaluations_without_a_gain(
    tmp_path: Path, patience: int, figures: list[int], steps: int
) -> None:
    values = iter(figures)
    recipe = replace(BASE, patience=patience)
    fitted = run(objective_of(recipe), recipe, tmp_path / "c.pt", steps=18, validate=lambda _: float(next(values)))
    assert fitted.steps == steps
    assert fitted.best_figure == max(figures[: steps // 3])


def test_a_run_out_of_patience_stays_stopped(tmp_path: Path) -> None:
    recipe = replace(BASE, patience=1)
    fitted = run(objective_of(recipe), recipe, tmp_path / "c.pt", validate=lambda _: 0.0)
    assert run(objective_of(recipe), recipe, tmp_path / "c.pt", validate=never) == fitted
    assert fitted.steps == 6


def test_the_last_step_is_evaluated_whatever_the_interval(tmp_path: Path) -> None:
    fitted = run(objective_of(BASE), BASE, tmp_path / "c.pt", steps=4)
    assert [row["step"] for row in fitted.history] == [3.0, 4.0]


@pytest.mark.parametrize("poison", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_is_an_error(tmp_path: Path, poison: float) -> None:
    objective = objective_of(BASE)

    def validate(network: object) -> float:
        with torch.no_grad():
            next(objective.network.parameters()).fill_(poison)
        return 1.0

    with pytest.raises(TrainingError, match=r"the loss is nan at step 3; lower the learning rate \(0\.01 now\)"):
        run(objective, BASE, tmp_path / "c.pt", validate=validate)


def test_the_checkpoint_of_another_configuration_is_refused(tmp_path: Path) -> None:
    run(objective_of(BASE), BASE, tmp_path / "c.pt", configuration="one")
    with pytest.raises(TrainingError, match="other files or settings"):
        run(objective_of(BASE), BASE, tmp_path / "c.pt", configuration="other")


def test_progress_counts_the_steps_that_were_done_before(tmp_path: Path) -> None:
    class Counting(Silent):
        def __init__(self) -> None:
            self.total, self.done, self.closed = 0, 0, False

        def start(self, total: int | None, unit: str, description: str) -> None:
            self.total = total or 0

        def advance(self, n: int = 1) -> None:
            self.done += n

        def close(self) -> None:
            self.closed = True

    run(objective_of(BASE), BASE, tmp_path / "c.pt", steps=6)
    progress = Counting()
    fit(
        objective_of(BASE), sampler_of(BASE), Arrays(pictures(BASE.model)), recipe=BASE, steps=12,
        validate=lambda _: 0.0, checkpoint=tmp_path / "c.pt", configuration="c", processes=SingleProcess(),
        progress=progress,
    )  # fmt: skip
    # The number of steps is that of the checkpoint.
    assert (progress.total, progress.done, progress.closed) == (6, 6, True)


def test_the_learning_rate_is_constant_without_decay() -> None:
    assert {learning_rate(BASE, step, 100) for step in range(100)} == {BASE.learning_rate}


def test_the_learning_rate_warms_up_and_falls_along_half_a_cosine() -> None:
    recipe = replace(BASE, cosine_decay=True, learning_rate=2.0)
    rates = [learning_rate(recipe, step, 500) for step in range(500)]
    assert rates[:10] == pytest.approx([2.0 * (step + 1) / 10 for step in range(10)])
    assert rates[10] == pytest.approx(2.0)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[255] == pytest.approx(1.0)
    assert 0 < rates[-1] < 1e-3
    assert learning_rate(recipe, 0, 1) == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("sgd", torch.optim.SGD),
        ("rmsprop", torch.optim.RMSprop),
        ("adamw", torch.optim.AdamW),
        ("adam", torch.optim.Adam),
    ],
)
def test_the_optimizer_has_the_settings_of_the_recipe(name: str, kind: type[torch.optim.Optimizer]) -> None:
    recipe = replace(BASE, optimizer=name, learning_rate=0.25, weight_decay=0.125)
    objective = objective_of(recipe)
    optimizer = make_optimizer(objective, recipe)
    assert type(optimizer) is kind
    (group,) = optimizer.param_groups
    assert (group["lr"], group["weight_decay"]) == (0.25, 0.125)
    assert len(group["params"]) == len(list(objective.parameters()))
