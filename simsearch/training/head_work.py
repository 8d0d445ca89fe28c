"""What the training of a head works on, and the training of its learned half on cached features."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from simsearch.training.data.inputs import Inputs, Views
from simsearch.training.data.sampling import make_sampler
from simsearch.training.loop import Fitted, fit
from simsearch.training.measure import validation_figure
from simsearch.training.networks.encoder import Network, SiameseEncoder
from simsearch.training.networks.head import BlendedHead, learned_half
from simsearch.training.networks.specification import ModelSpec
from simsearch.training.objective import Objective
from simsearch.training.schedule import total_steps

if TYPE_CHECKING:
    from simsearch.training.data.dataset import Dataset
    from simsearch.training.finetuning.interpolation import Interpolation
    from simsearch.training.finishing import Run
    from simsearch.training.recipes import Recipe

HIDDEN, DROPOUT = 256, 0.2
"""Of the trained half of a head."""


@dataclass(frozen=True, slots=True)
class HeadWork:
    """A run with its data as features: `data` has those of the inputs themselves, `views` of all augmented views.

    `maps` are the inputs of the last blocks of the backbone, if these may be fine-tuned, `pixels` those of the encoder.
    """

    run: Run
    data: Dataset
    views: Views
    maps: Views | None
    pixels: Inputs
    configuration: str
    checkpoint: Path

    @property
    def recipe(self) -> Recipe:
        """The recipe of the run without augmentation, as the views are cached."""
        return replace(self.run.recipe, augmentation="none")

    @property
    def spec(self) -> ModelSpec:
        """The specification of the encoder below the head."""
        assert isinstance(self.run.recipe.model, ModelSpec)
        return self.run.recipe.model

    @property
    def of_blend(self) -> ModelSpec:
        """The specification of the network with a BlendedHead."""
        halves = self.recipe.halves
        return replace(self.spec, head=True, hidden=HIDDEN, dropout=DROPOUT, dim=sum(halves), linear=halves[0])

    @property
    def of_half(self) -> Recipe:
        """The recipe for the trained half alone."""
        return replace(self.recipe, model=replace(self.of_blend, dim=self.of_blend.halves[1]))

    def again(self) -> HeadWork:
        """The same work with the validation partition added to the train partition."""
        return replace(
            self,
            data=replace(self.data, train=self.data.train.joined(self.data.validation)),
            configuration=f"{self.configuration} again",
            checkpoint=self.checkpoint.with_suffix(".again.pt"),
        )

    def objective(self, network: Network, recipe: Recipe) -> Objective:
        """The network with the loss of the recipe."""
        return Objective(network, recipe, self.data.training_classes, self.run.processes)

    def fitted(
        self,
        objective: Objective,
        inputs: Views,
        *,
        most: int,
        minutes: float | None = None,
        steps: int | None = None,
        after: float = 0.0,
    ) -> Fitted:
        """Trains on the train partition of `inputs`, for `steps` without validation, else within `minutes` and `most`.

        `after` is the number of validations for which time is left.
        """
        recipe, validated = objective.recipe, replace(self.data, inputs=replace(inputs, view=0))

        def validate(trained: Network) -> float:
            return math.nan if steps else validation_figure(trained, validated, recipe)

        return fit(
            objective,
            make_sampler(self.data.train, recipe),
            inputs,
            recipe=recipe,
            steps=steps or most,
            minutes=minutes,
            most=steps or most,
            after=after,
            validate=validate,
            checkpoint=self.checkpoint,
            configuration=self.configuration,
            processes=self.run.processes,
            progress=self.run.progress,
        )


@dataclass(frozen=True, slots=True)
class LearnedHalf:
    """The trained half of a head, and the parameters of its loss."""

    half: nn.Sequential
    loss: dict[str, Tensor]
    fitted: Fitted


def learn_half(work: HeadWork, *, minutes: float | None = None, steps: int | None = None) -> LearnedHalf:
    """The trained half of a BlendedHead; with `steps` it is trained for all of them, without validation."""
    torch.manual_seed(work.recipe.seed)
    half = learned_half(work.of_blend)
    objective = work.objective(SiameseEncoder(nn.Identity(), half), work.of_half)
    most = total_steps(objective.recipe, work.data.train)
    fitted = work.fitted(objective, work.views, most=most, minutes=minutes, steps=steps)
    return LearnedHalf(half, objective.loss.state_dict(), fitted)


def blend_of(linear: nn.Linear, half: nn.Sequential, interpolation: Interpolation) -> BlendedHead:
    """Both halves as one head, weighted as validation chose."""
    blend = BlendedHead(linear, half).eval()
    blend.set_linear_weight(interpolation.weight)
    return blend
