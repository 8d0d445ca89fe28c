"""Training of a head on cached features of a frozen encoder, and its export as an encoder."""

from __future__ import annotations

import copy
import math
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from simsearch.encoders.folder import encoder_folder, read_config
from simsearch.encoders.head import base_folder
from simsearch.encoders.onnx import OnnxEncoder
from simsearch.training.data.inputs import Inputs, Views
from simsearch.training.data.sampling import make_sampler
from simsearch.training.finetuning.freezing import TrainedLayers
from simsearch.training.finetuning.heads import blended, cached_views, linear_half
from simsearch.training.finetuning.interpolation import (
    Interpolation,
    average_precisions,
    clearly_better,
    interpolate_weights,
)
from simsearch.training.finishing import Exported, Trained, finish
from simsearch.training.last_blocks import block_of, fine_tuned, fresh_features, whole_encoder
from simsearch.training.loop import Fitted, fit
from simsearch.training.measure import validation_figure
from simsearch.training.networks.encoder import Network, SiameseEncoder
from simsearch.training.networks.head import BlendedHead, learned_half
from simsearch.training.networks.specification import ModelSpec
from simsearch.training.objective import Objective
from simsearch.training.schedule import total_steps

if TYPE_CHECKING:
    from simsearch.training.data.dataset import Dataset
    from simsearch.training.finetuning.initial import InitialEncoder
    from simsearch.training.finishing import Run
    from simsearch.training.recipes import Recipe

HIDDEN, DROPOUT = 256, 0.2
"""Of the trained half of a head."""
EXPORTED = 64
"""Inputs on which the exported network is compared with the trained one."""


@dataclass(frozen=True, slots=True)
class _Work:
    """A run with its data as features: `data` has those of the inputs themselves, `views` of all augmented views.

    `maps` are the inputs of the last blocks of the backbone, if these may be fine-tuned.
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
        assert isinstance(self.run.recipe.model, ModelSpec)
        return self.run.recipe.model

    @property
    def of_blend(self) -> ModelSpec:
        """The specification of the network with a BlendedHead."""
        halves = self.recipe.halves
        return replace(self.spec, head=True, hidden=HIDDEN, dropout=DROPOUT, dim=sum(halves), linear=halves[0])

    def again(self) -> _Work:
        """The same work with the validation partition added to the train partition."""
        return replace(
            self, data=replace(self.data, train=self.data.train.joined(self.data.validation)),
            configuration=f"{self.configuration} again", checkpoint=self.checkpoint.with_suffix(".again.pt"),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Learned:
    """The trained half of a head, and the parameters of its loss."""

    half: nn.Sequential
    loss: dict[str, Tensor]
    fitted: Fitted


def train_head(run: Run, data: Dataset, configuration: str, checkpoint: Path) -> Trained:
    """Trains a head on features of the initial encoder, and exports it as an encoder.

    Classes make a BlendedHead, or a linear map alone if the trained half has no dimensions; for other data the head
    of the encoder is fine-tuned. If time is left, the last blocks of the backbone are fine-tuned with the BlendedHead;
    if validation items then rank the training items better, the whole network is exported.
    """
    assert run.start is not None
    cache = run.work / f"features{run.own}-{configuration[:16]}.npy"
    cached = cached_views(
        opened_base(run.start), data.inputs, run.recipe, cache, run.seconds_left(), run.progress,
        block=_block(run, data),
    )  # fmt: skip
    work = _Work(
        run, replace(data, inputs=replace(cached.features, view=0)), cached.features, cached.maps, data.inputs,
        configuration, checkpoint,
    )  # fmt: skip
    if data.train.labels is None:
        return _fine_tuned_head(work)
    return _blended_head(work) if run.recipe.halves[1] else _closed_form(work)


def _block(run: Run, data: Dataset) -> int | None:
    """The first block to fine-tune, if validation has the training classes; None if only a head is to be trained."""
    assert run.start is not None
    if not run.fine_tune_blocks or run.processes.world > 1 or data.train.forged is not None or not _known_classes(data):
        return None
    return block_of(run.start.encoder)


def _fine_tuned_head(work: _Work) -> Trained:
    """The head of the encoder, fine-tuned on pairs, grades, triplets or unlabelled inputs."""
    run, recipe = work.run, work.recipe
    assert run.start is not None
    network = SiameseEncoder(nn.Identity(), run.start.encoder.head)
    before = copy.deepcopy(network.head.state_dict())
    torch.manual_seed(recipe.seed)
    fitted = _fitted(work, _objective(work, network, recipe), minutes=run.minutes_left())
    if run.processes.rank:
        return Trained(run.folder, {}, fitted.history, (), work.data.skipped)
    interpolation = interpolate_weights(network.head, before, network, work.data, recipe, run.progress)
    return _finished(work, network, network, work.spec, fitted, interpolation)


def _blended_head(work: _Work) -> Trained:
    """A BlendedHead, trained again with validation if that has the same classes; the first one gives the threshold."""
    run, spec = work.run, work.of_blend
    again = _known_classes(work.data)
    minutes = run.minutes_left()
    part = None if minutes is None else minutes / (2 if again else 1)
    learned = _learned(work, spec, minutes=part)
    if run.processes.rank and not again:
        return Trained(run.folder, {}, learned.fitted.history, (), work.data.skipped)
    recipe = replace(work.recipe, model=spec)
    blend, interpolation = blended(learned.half, work.data, work.views, recipe, run.progress)
    if work.maps is not None and interpolation.compared:
        tuned = _with_last_blocks(work, learned, blend)
        if tuned is not None:
            return tuned
    validated = network = SiameseEncoder(nn.Identity(), blend)
    if again:
        both = work.again()
        half = _learned(both, spec, steps=max(1, learned.fitted.best_step)).half
        network = SiameseEncoder(nn.Identity(), _blend(linear_half(both.data, both.views, recipe), half, interpolation))
    if run.processes.rank:
        return Trained(run.folder, {}, learned.fitted.history, (), work.data.skipped)
    return _finished(work, network, validated, spec, learned.fitted, interpolation)


def _blend(linear: nn.Linear, half: nn.Sequential, interpolation: Interpolation) -> BlendedHead:
    blend = BlendedHead(linear, half).eval()
    blend.set_linear_weight(interpolation.weight)
    return blend


def _with_last_blocks(work: _Work, learned: _Learned, head: BlendedHead) -> Trained | None:
    """The whole encoder with fine-tuned last blocks; None if the `head` alone ranks validation items about as well."""
    run, recipe = work.run, replace(work.recipe, model=work.of_blend)
    minutes = run.minutes_left()
    assert minutes is not None
    trained, fitted = _blocks_learned(work, learned, minutes=minutes / 2)
    tuned, features = _on_fresh_features(work, trained)
    assert isinstance(trained.head, nn.Sequential)
    blend, found = blended(trained.head, tuned.data, features, recipe, run.progress)
    before = average_precisions(SiameseEncoder(nn.Identity(), head), work.data, recipe)
    after = average_precisions(SiameseEncoder(nn.Identity(), blend), tuned.data, recipe)
    assert before is not None and after is not None
    if not clearly_better(before, after):
        return None
    compared = {"head": float(before.mean()), "last_blocks": float(after.mean())}
    validated = TrainedLayers(trained.layers, blend)
    both = work.again()
    half = _learned(both, work.of_blend, steps=max(1, learned.fitted.best_step))
    trained, _ = _blocks_learned(both, half, steps=max(1, fitted.best_step))
    tuned, features = _on_fresh_features(both, trained)
    assert isinstance(trained.head, nn.Sequential)
    network = TrainedLayers(trained.layers, _blend(linear_half(tuned.data, features, recipe), trained.head, found))
    return _finished_whole(work, network, validated, fitted, found, compared)


def _blocks_learned(
    work: _Work, learned: _Learned, *, minutes: float | None = None, steps: int | None = None
) -> tuple[TrainedLayers, Fitted]:
    assert work.maps is not None
    recipe = replace(work.recipe, model=replace(work.of_blend, dim=work.of_blend.halves[1]))
    return fine_tuned(
        work.run, work.data, work.maps, learned.half, learned.loss, recipe, minutes=minutes, steps=steps,
        checkpoint=work.checkpoint.with_suffix(f".blocks{work.checkpoint.suffix}"),
        configuration=f"{work.configuration} blocks",
    )  # fmt: skip


def _on_fresh_features(work: _Work, trained: TrainedLayers) -> tuple[_Work, Views]:
    """The work with the features of the fine-tuned blocks."""
    assert work.maps is not None
    features = fresh_features(trained, work.maps)
    return replace(work, data=replace(work.data, inputs=replace(features, view=0))), features


def _finished_whole(
    work: _Work, network: TrainedLayers, validated: TrainedLayers, fitted: Fitted, interpolation: Interpolation,
    compared: dict[str, float],
) -> Trained:  # fmt: skip
    assert work.run.start is not None and work.maps is not None
    spec = work.of_blend
    run = replace(
        work.run, recipe=replace(work.run.recipe, model=spec), half=True, freeze="part", depths_compared=compared
    )  # fmt: skip
    data = replace(work.data, inputs=replace(work.maps, view=0))
    fitted = replace(fitted, best_figure=validation_figure(validated, data, replace(work.recipe, model=spec)))
    sample = work.pixels.batch(data.train.rows[:EXPORTED]).numpy()
    whole = Exported(whole_encoder(work.run.start.encoder, network), sample)
    return finish(network, run, data, fitted, interpolation, validated=validated, exported=whole)


def _known_classes(data: Dataset) -> bool:
    """Whether there is a validation partition, with training classes only."""
    labels, known = data.validation.labels, data.train.labels
    return labels is not None and known is not None and len(labels) > 0 and bool(np.isin(labels, known).all())


def _learned(work: _Work, spec: ModelSpec, *, minutes: float | None = None, steps: int | None = None) -> _Learned:
    """The trained half of a BlendedHead; with `steps` it is trained for all of them, without validation."""
    torch.manual_seed(work.recipe.seed)
    half = learned_half(spec)
    recipe = replace(work.recipe, model=replace(spec, dim=spec.halves[1]))
    objective = _objective(work, SiameseEncoder(nn.Identity(), half), recipe)
    fitted = _fitted(work, objective, minutes=minutes, steps=steps)
    return _Learned(half, objective.loss.state_dict(), fitted)


def _objective(work: _Work, network: SiameseEncoder, recipe: Recipe) -> Objective:
    return Objective(network, recipe, work.data.training_classes, work.run.processes)


def _fitted(work: _Work, objective: Objective, *, minutes: float | None = None, steps: int | None = None) -> Fitted:
    run, train, recipe = work.run, work.data.train, objective.recipe
    most = steps or total_steps(recipe, train)

    def validate(trained: Network) -> float:
        return math.nan if steps else validation_figure(trained, work.data, recipe)

    return fit(
        objective, make_sampler(train, recipe), work.views, recipe=recipe, steps=most, minutes=minutes, most=most,
        validate=validate, checkpoint=work.checkpoint,
        configuration=work.configuration, processes=run.processes, progress=run.progress,
    )  # fmt: skip


def _closed_form(work: _Work) -> Trained:
    """The linear half alone, in closed form."""
    run, began = work.run, time.monotonic()
    if run.processes.rank:
        return Trained(run.folder, {}, (), (), work.data.skipped)
    spec = replace(work.spec, head=True, hidden=0, linear=0, dim=work.recipe.halves[0])
    head = linear_half(work.data, work.views, replace(work.recipe, model=spec))
    network = SiameseEncoder(nn.Identity(), head)
    fitted = Fitted((), 0.0, 0, 0, time.monotonic() - began)
    return _finished(work, network, network, spec, fitted, Interpolation(1.0, {}))


def _finished(
    work: _Work, network: SiameseEncoder, validated: SiameseEncoder, spec: ModelSpec, fitted: Fitted,
    interpolation: Interpolation,
) -> Trained:  # fmt: skip
    run = replace(work.run, recipe=replace(work.run.recipe, model=spec), half=True)
    fitted = replace(fitted, best_figure=validation_figure(validated, work.data, replace(work.recipe, model=spec)))
    return finish(network, run, work.data, fitted, interpolation, validated=validated)


def opened_base(start: InitialEncoder) -> OnnxEncoder:
    """The encoder whose features the head of `start` takes."""
    assert start.base is not None
    folder = base_folder(start.base, encoder_folder(start.name))
    return OnnxEncoder(folder, read_config(folder))
