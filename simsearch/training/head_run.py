"""A run that learns a head: from the features of an encoder that stays as it is to an encoder of its own."""

from __future__ import annotations

import copy
import math
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from simsearch.encoders.folder import encoder_folder, read_config
from simsearch.encoders.head import base_folder
from simsearch.encoders.onnx import OnnxEncoder
from simsearch.training.data.inputs import Inputs, Views
from simsearch.training.data.partition import Partition
from simsearch.training.data.sampling import make_sampler
from simsearch.training.finetuning.freezing import Tail
from simsearch.training.finetuning.heads import blended, cached_views, linear_half
from simsearch.training.finetuning.interpolation import Interpolation, interpolate_weights
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
    from numpy.typing import NDArray

    from simsearch.training.data.dataset import Dataset
    from simsearch.training.finetuning.initial import InitialEncoder
    from simsearch.training.finishing import Run
    from simsearch.training.recipes import Recipe

HIDDEN, DROPOUT = 256, 0.2
"""Of the half of a head that learns."""
EXPORTED = 64
"""Inputs on which the exported network is compared with the trained one."""


@dataclass(frozen=True, slots=True)
class _Work:
    """A run with its data as features: `data` has the inputs themselves, `views` all that was encoded of them.

    `maps` is what the last blocks of the backbone take, where these may be fine-tuned.
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
        """That of the run, for features, which nothing changes any more."""
        return replace(self.run.recipe, augmentation="none")

    @property
    def spec(self) -> ModelSpec:
        assert isinstance(self.run.recipe.model, ModelSpec)
        return self.run.recipe.model

    @property
    def of_blend(self) -> ModelSpec:
        """The network with a BlendedHead behind it."""
        halves = self.recipe.halves
        return replace(self.spec, head=True, hidden=HIDDEN, dropout=DROPOUT, dim=sum(halves), linear=halves[0])

    def again(self) -> _Work:
        """The same, with the validation split to learn from as well."""
        return replace(
            self, data=replace(self.data, train=_together(self.data.train, self.data.validation)),
            configuration=f"{self.configuration} again", checkpoint=self.checkpoint.with_suffix(".again.pt"),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Learned:
    """The half of a head that learns, after learning, and the parameters of its loss."""

    half: nn.Sequential
    loss: dict[str, Tensor]
    fitted: Fitted


def train_head(run: Run, data: Dataset, configuration: str, checkpoint: Path) -> Trained:
    """Learns a head from features of the encoder that the run starts from, and writes it as an encoder of its own.

    Classes make a BlendedHead, or a linear map alone where nothing is left to the other half; for other data the head
    that the encoder has goes on. Where minutes are left, the last blocks of the backbone are fine-tuned with the
    BlendedHead, and kept if validation items rank the training items better: then the whole network is written.
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
        return _gone_on(work)
    return _of_classes(work) if run.recipe.halves[1] else _without_learning(work)


def _block(run: Run, data: Dataset) -> int | None:
    """Where the blocks begin that may be fine-tuned: for classes with validation, if nobody asked for a head alone."""
    assert run.start is not None
    if not run.deeper or data.train.labels is None or not len(data.validation) or run.processes.world > 1:
        return None
    return block_of(run.start.encoder)


def _gone_on(work: _Work) -> Trained:
    """The head that the encoder has, taught by what is no classes."""
    run, recipe = work.run, work.recipe
    assert run.start is not None
    network = SiameseEncoder(nn.Identity(), run.start.encoder.head)
    before = copy.deepcopy(network.head.state_dict())
    torch.manual_seed(recipe.seed)
    fitted = _fitted(work, _objective(work, network, recipe), minutes=run.minutes_left())
    if run.processes.rank:
        return Trained(run.folder, {}, fitted.history, (), work.data.skipped)
    kept = interpolate_weights(network.head, before, network, work.data, recipe, run.progress)
    return _finished(work, network, network, work.spec, fitted, kept)


def _of_classes(work: _Work) -> Trained:
    """A BlendedHead. Where validation has the classes of the training side, it is learned again with both of them.

    What scores mean is then still asked of the head that has not seen validation.
    """
    run, spec = work.run, work.of_blend
    again = _known_classes(work.data)
    minutes = run.minutes_left()
    part = None if minutes is None else minutes / (2 if again else 1)
    learned = _learned(work, spec, minutes=part)
    if run.processes.rank and not again:
        return Trained(run.folder, {}, learned.fitted.history, (), work.data.skipped)
    recipe = replace(work.recipe, model=spec)
    blend, kept = blended(learned.half, work.data, work.views, recipe, run.progress)
    if work.maps is not None and kept.compared:
        deeper = _deeper(work, learned, kept, again=again)
        if deeper is not None:
            return deeper
    judged = network = SiameseEncoder(nn.Identity(), blend)
    if again:
        both = work.again()
        half = _learned(both, spec, steps=max(1, learned.fitted.best_step)).half
        network = SiameseEncoder(nn.Identity(), _weighed(linear_half(both.data, both.views, recipe), half, kept))
    if run.processes.rank:
        return Trained(run.folder, {}, learned.fitted.history, (), work.data.skipped)
    return _finished(work, network, judged, spec, learned.fitted, kept)


def _weighed(linear: nn.Linear, half: nn.Sequential, kept: Interpolation) -> BlendedHead:
    blend = BlendedHead(linear, half).eval()
    blend.weigh(kept.weight)
    return blend


def _deeper(work: _Work, learned: _Learned, kept: Interpolation, *, again: bool) -> Trained | None:
    """The whole encoder with fine-tuned last blocks; None where the head alone ranks validation items as well."""
    run, recipe = work.run, replace(work.recipe, model=work.of_blend)
    minutes = run.minutes_left()
    assert minutes is not None
    tail, fitted = _blocks_learned(work, learned, minutes=minutes / (2 if again else 1))
    tuned, features = _on_fresh_features(work, tail)
    assert isinstance(tail.head, nn.Sequential)
    blend, found = blended(tail.head, tuned.data, features, recipe, run.progress)
    compared = {"head": kept.compared[kept.weight], "last_blocks": found.compared[found.weight]}
    if compared["last_blocks"] <= compared["head"]:
        return None
    judged = network = Tail(tail.layers, blend)
    if again:
        both = work.again()
        half = _learned(both, work.of_blend, steps=max(1, learned.fitted.best_step))
        tail, _ = _blocks_learned(both, half, steps=max(1, fitted.best_step))
        tuned, features = _on_fresh_features(both, tail)
        assert isinstance(tail.head, nn.Sequential)
        network = Tail(tail.layers, _weighed(linear_half(tuned.data, features, recipe), tail.head, found))
    return _finished_whole(work, network, judged, fitted, found, compared)


def _blocks_learned(
    work: _Work, learned: _Learned, *, minutes: float | None = None, steps: int | None = None
) -> tuple[Tail, Fitted]:
    assert work.maps is not None
    recipe = replace(work.recipe, model=replace(work.of_blend, dim=work.of_blend.halves[1]))
    return fine_tuned(
        work.run, work.data, work.maps, learned.half, learned.loss, recipe, minutes=minutes, steps=steps,
        checkpoint=work.checkpoint.with_suffix(f".blocks{work.checkpoint.suffix}"),
        configuration=f"{work.configuration} blocks",
    )  # fmt: skip


def _on_fresh_features(work: _Work, tail: Tail) -> tuple[_Work, Views]:
    """The work with the features that the fine-tuned blocks give."""
    assert work.maps is not None
    features = fresh_features(tail, work.maps)
    return replace(work, data=replace(work.data, inputs=replace(features, view=0))), features


def _finished_whole(
    work: _Work, network: Tail, judged: Tail, fitted: Fitted, kept: Interpolation, compared: dict[str, float]
) -> Trained:
    assert work.run.start is not None and work.maps is not None
    spec = work.of_blend
    run = replace(
        work.run, recipe=replace(work.run.recipe, model=spec), half=True, freeze="part", depths_compared=compared
    )  # fmt: skip
    data = replace(work.data, inputs=replace(work.maps, view=0))
    figure = validation_figure(judged, data, replace(work.recipe, model=spec))
    sample = work.pixels.batch(data.train.rows[:EXPORTED]).numpy()
    whole = Exported(whole_encoder(work.run.start.encoder, network), sample)
    return finish(network, run, data, replace(fitted, best_figure=figure), kept, judged=judged, exported=whole)


def _known_classes(data: Dataset) -> bool:
    """Whether there is validation, and of the classes of the training side."""
    labels, known = data.validation.labels, data.train.labels
    return labels is not None and known is not None and len(labels) > 0 and bool(np.isin(labels, known).all())


def _together(train: Partition, validation: Partition) -> Partition:
    def both(name: str) -> NDArray[Any] | None:
        parts = [getattr(side, name) for side in (train, validation)]
        return None if any(part is None for part in parts) else np.concatenate(parts)

    rows = both("rows")
    assert rows is not None
    return Partition(rows, both("labels"), both("groups"), forged=both("forged"), writers=both("writers"))


def _learned(work: _Work, spec: ModelSpec, *, minutes: float | None = None, steps: int | None = None) -> _Learned:
    """The half of a BlendedHead that learns, from the training split; with `steps` all of them, unvalidated."""
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


def _without_learning(work: _Work) -> Trained:
    """The linear half alone."""
    run, began = work.run, time.monotonic()
    if run.processes.rank:
        return Trained(run.folder, {}, (), (), work.data.skipped)
    spec = replace(work.spec, head=True, hidden=0, linear=0, dim=work.recipe.halves[0])
    head = linear_half(work.data, work.views, replace(work.recipe, model=spec))
    network = SiameseEncoder(nn.Identity(), head)
    fitted = Fitted((), 0.0, 0, 0, time.monotonic() - began)
    return _finished(work, network, network, spec, fitted, Interpolation(1.0, {}))


def _finished(
    work: _Work, network: SiameseEncoder, judged: SiameseEncoder, spec: ModelSpec, fitted: Fitted, kept: Interpolation
) -> Trained:
    run = replace(work.run, recipe=replace(work.run.recipe, model=spec), half=True)
    figure = validation_figure(judged, work.data, replace(work.recipe, model=spec))
    return finish(network, run, work.data, replace(fitted, best_figure=figure), kept, judged=judged)


def opened_base(start: InitialEncoder) -> OnnxEncoder:
    """The encoder whose features the head of `start` takes, for use."""
    assert start.base is not None
    folder = base_folder(start.base, encoder_folder(start.name))
    return OnnxEncoder(folder, read_config(folder))
