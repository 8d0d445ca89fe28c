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
from torch import nn

from simsearch.encoders.folder import encoder_folder, read_config
from simsearch.encoders.head import base_folder
from simsearch.encoders.onnx import OnnxEncoder
from simsearch.training.dataset import Side, make_sampler
from simsearch.training.finishing import Trained, finish
from simsearch.training.heads import blended, cached_views, linear_half
from simsearch.training.inputs import Views
from simsearch.training.keeping import Kept, keep_between
from simsearch.training.loop import Fitted, fit
from simsearch.training.measure import validation_figure
from simsearch.training.models import Blend, ModelSpec, Network, SiameseEncoder, learned_half
from simsearch.training.objective import Objective

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.training.dataset import Dataset
    from simsearch.training.finishing import Run
    from simsearch.training.recipes import Recipe
    from simsearch.training.starting import Start

HIDDEN, DROPOUT = 256, 0.2
"""Of the half of a head that learns."""


@dataclass(frozen=True, slots=True)
class _Work:
    """A run with its data as features: `data` has the inputs themselves, `views` all that was encoded of them."""

    run: Run
    data: Dataset
    views: Views
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


def train_head(run: Run, data: Dataset, configuration: str, checkpoint: Path) -> Trained:
    """Learns a head from features of the encoder that the run starts from, and writes it as an encoder of its own.

    Classes make a Blend, or a linear map alone where nothing is left to the other half; for other data the head that
    the encoder has goes on.
    """
    assert run.start is not None
    cache = run.work / f"features{run.own}-{configuration[:16]}.npy"
    views = cached_views(
        opened_base(run.start), data.inputs, run.recipe, cache, run.seconds_left(), run.progress
    )  # fmt: skip
    work = _Work(run, replace(data, inputs=replace(views, view=0)), views, configuration, checkpoint)
    if data.train.labels is None:
        return _gone_on(work)
    return _of_classes(work) if run.recipe.halves[1] else _without_learning(work)


def _gone_on(work: _Work) -> Trained:
    """The head that the encoder has, taught by what is no classes."""
    run, recipe = work.run, work.recipe
    assert run.start is not None
    network = SiameseEncoder(nn.Identity(), run.start.encoder.head)
    before = copy.deepcopy(network.head.state_dict())
    torch.manual_seed(recipe.seed)
    fitted = _fitted(work, network, recipe, minutes=run.minutes_left())
    if run.processes.rank:
        return Trained(run.folder, {}, fitted.history, (), work.data.skipped)
    kept = keep_between(network.head, before, network, work.data, recipe, run.progress)
    return _finished(work, network, network, work.spec, fitted, kept)


def _of_classes(work: _Work) -> Trained:
    """A Blend. Where validation has the classes of the training side, it is learned again with both of them.

    What scores mean is then still asked of the head that has not seen validation.
    """
    run, halves = work.run, work.recipe.halves
    spec = replace(work.spec, head=True, hidden=HIDDEN, dropout=DROPOUT, dim=sum(halves), linear=halves[0])
    again = _known_classes(work.data)
    minutes = run.minutes_left()
    learned, fitted = _learned(work, spec, minutes=None if minutes is None else minutes / (2 if again else 1))
    if run.processes.rank and not again:
        return Trained(run.folder, {}, fitted.history, (), work.data.skipped)
    recipe = replace(work.recipe, model=spec)
    blend, kept = blended(learned, work.data, work.views, recipe, run.progress)
    judged = network = SiameseEncoder(nn.Identity(), blend)
    if again:
        both = replace(
            work, data=replace(work.data, train=_together(work.data.train, work.data.validation)),
            configuration=f"{work.configuration} again", checkpoint=work.checkpoint.with_suffix(".again.pt"),
        )  # fmt: skip
        learned, _ = _learned(both, spec, steps=max(1, fitted.best_step))
        network = SiameseEncoder(nn.Identity(), Blend(linear_half(both.data, both.views, recipe), learned).eval())
        assert isinstance(network.head, Blend)
        network.head.weigh(kept.share)
    if run.processes.rank:
        return Trained(run.folder, {}, fitted.history, (), work.data.skipped)
    return _finished(work, network, judged, spec, fitted, kept)


def _known_classes(data: Dataset) -> bool:
    """Whether there is validation, and of the classes of the training side."""
    labels, known = data.validation.labels, data.train.labels
    return labels is not None and known is not None and len(labels) > 0 and bool(np.isin(labels, known).all())


def _together(train: Side, validation: Side) -> Side:
    def both(name: str) -> NDArray[Any] | None:
        parts = [getattr(side, name) for side in (train, validation)]
        return None if any(part is None for part in parts) else np.concatenate(parts)

    rows = both("rows")
    assert rows is not None
    return Side(rows, both("labels"), both("groups"), forged=both("forged"), writers=both("writers"))


def _learned(
    work: _Work, spec: ModelSpec, *, minutes: float | None = None, steps: int | None = None
) -> tuple[nn.Sequential, Fitted]:
    """The half of a Blend that learns, from the training side of the work; with `steps` all of them, unvalidated."""
    torch.manual_seed(work.recipe.seed)
    learned = learned_half(spec)
    recipe = replace(work.recipe, model=replace(spec, dim=spec.halves[1]))
    fitted = _fitted(work, SiameseEncoder(nn.Identity(), learned), recipe, minutes=minutes, steps=steps)
    return learned, fitted


def _fitted(
    work: _Work, network: SiameseEncoder, recipe: Recipe, *, minutes: float | None = None, steps: int | None = None
) -> Fitted:
    run, train = work.run, work.data.train
    most = steps or recipe.total_steps(train)

    def validate(trained: Network) -> float:
        return math.nan if steps else validation_figure(trained, work.data, recipe)

    return fit(
        Objective(network, recipe, work.data.training_classes, run.processes), make_sampler(train, recipe),
        work.views, recipe=recipe, steps=most, minutes=minutes, most=most,
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
    return _finished(work, network, network, spec, fitted, Kept(1.0, {}))


def _finished(
    work: _Work, network: SiameseEncoder, judged: SiameseEncoder, spec: ModelSpec, fitted: Fitted, kept: Kept
) -> Trained:
    run = replace(work.run, recipe=replace(work.run.recipe, model=spec), half=True)
    figure = validation_figure(judged, work.data, replace(work.recipe, model=spec))
    return finish(network, run, work.data, replace(fitted, best_figure=figure), kept, judged=judged)


def opened_base(start: Start) -> OnnxEncoder:
    """The encoder whose features the head of `start` takes, for use."""
    assert start.base is not None
    folder = base_folder(start.base, encoder_folder(start.name))
    return OnnxEncoder(folder, read_config(folder))
