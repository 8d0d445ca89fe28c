"""Training of a head on cached features of a frozen encoder, and its export as an encoder."""

from __future__ import annotations

import copy
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from simsearch.encoders.folder import encoder_folder, read_config
from simsearch.encoders.head import base_folder
from simsearch.encoders.onnx import OnnxEncoder
from simsearch.training.finetuning.heads import blended, cached_views, linear_half
from simsearch.training.finetuning.interpolation import (
    Interpolation,
    interpolate_weights,
)
from simsearch.training.finishing import Trained, finish
from simsearch.training.head_work import HeadWork, blend_of, learn_half
from simsearch.training.last_blocks import block_of, with_last_blocks
from simsearch.training.loop import Fitted
from simsearch.training.measure import validation_figure
from simsearch.training.networks.encoder import SiameseEncoder
from simsearch.training.networks.specification import ModelSpec
from simsearch.training.schedule import total_steps

if TYPE_CHECKING:
    from simsearch.training.data.dataset import Dataset
    from simsearch.training.finetuning.initial import InitialEncoder
    from simsearch.training.finishing import Run


def train_head(run: Run, data: Dataset, configuration: str, checkpoint: Path) -> Trained:
    """Trains a head on features of the initial encoder, and exports it as an encoder.

    Classes make a BlendedHead, or a linear map alone if the trained half has no dimensions; for other data the head
    of the encoder is fine-tuned. If time is left, the last blocks of the backbone are fine-tuned with the BlendedHead;
    if validation items then rank the training items better, the whole network is exported.
    """
    assert run.start is not None
    cache = run.work / f"features{run.own}-{configuration[:16]}.npy"
    cached = cached_views(
        opened_base(run.start),
        data.inputs,
        run.recipe,
        cache,
        run.seconds_left(),
        run.progress,
        block=_block(run, data),
    )
    work = HeadWork(
        run,
        replace(data, inputs=replace(cached.features, view=0)),
        cached.features,
        cached.maps,
        data.inputs,
        configuration,
        checkpoint,
    )
    if data.train.labels is None:
        return _fine_tuned_head(work)
    return _blended_head(work) if run.recipe.halves[1] else _closed_form(work)


def _block(run: Run, data: Dataset) -> int | None:
    """The first block to fine-tune, if validation has the training classes; None if only a head is to be trained."""
    assert run.start is not None
    if not run.fine_tune_blocks or run.processes.world > 1 or run.recipe.start_share is not None:
        return None
    if data.train.forged is not None or not _known_classes(data):
        return None
    return block_of(run.start.encoder)


def _fine_tuned_head(work: HeadWork) -> Trained:
    """The head of the encoder, fine-tuned on pairs, grades, triplets or unlabelled inputs."""
    run, recipe = work.run, work.recipe
    assert run.start is not None
    network = SiameseEncoder(nn.Identity(), run.start.encoder.head)
    before = copy.deepcopy(network.head.state_dict())
    torch.manual_seed(recipe.seed)
    most = total_steps(recipe, work.data.train)
    fitted = work.fitted(work.objective(network, recipe), work.views, most=most, minutes=run.minutes_left())
    if run.processes.rank:
        return Trained(run.folder, {}, fitted.history, (), work.data.skipped)
    interpolation = interpolate_weights(network.head, before, network, work.data, recipe, run.progress)
    return _finished(work, network, network, work.spec, fitted, interpolation)


def _blended_head(work: HeadWork) -> Trained:
    """A BlendedHead, trained again with validation if that has the same classes; the first one gives the threshold."""
    run, spec = work.run, work.of_blend
    again = _known_classes(work.data)
    minutes = run.minutes_left()
    part = None if minutes is None else minutes / (2 if again else 1)
    learned = learn_half(work, minutes=part)
    if run.processes.rank and not again:
        return Trained(run.folder, {}, learned.fitted.history, (), work.data.skipped)
    recipe = replace(work.recipe, model=spec)
    blend, interpolation = blended(learned.half, work.data, work.views, recipe, run.progress)
    if work.maps is not None:
        tuned = with_last_blocks(work, learned, blend)
        if tuned is not None:
            return tuned
    validated = network = SiameseEncoder(nn.Identity(), blend)
    if again:
        both = work.again()
        half = learn_half(both, steps=max(1, learned.fitted.best_step)).half
        network = SiameseEncoder(
            nn.Identity(), blend_of(linear_half(both.data, both.views, recipe), half, interpolation)
        )
    if run.processes.rank:
        return Trained(run.folder, {}, learned.fitted.history, (), work.data.skipped)
    return _finished(work, network, validated, spec, learned.fitted, interpolation)


def _known_classes(data: Dataset) -> bool:
    """Whether there is a validation partition, with training classes only."""
    labels, known = data.validation.labels, data.train.labels
    return labels is not None and known is not None and len(labels) > 0 and bool(np.isin(labels, known).all())


def _closed_form(work: HeadWork) -> Trained:
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
    work: HeadWork,
    network: SiameseEncoder,
    validated: SiameseEncoder,
    spec: ModelSpec,
    fitted: Fitted,
    interpolation: Interpolation,
) -> Trained:
    run = replace(work.run, recipe=replace(work.run.recipe, model=spec), half=True)
    fitted = replace(fitted, best_figure=validation_figure(validated, work.data, replace(work.recipe, model=spec)))
    return finish(network, run, work.data, fitted, interpolation, validated=validated)


def opened_base(start: InitialEncoder) -> OnnxEncoder:
    """The encoder whose features the head of `start` takes."""
    assert start.base is not None
    folder = base_folder(start.base, encoder_folder(start.name))
    return OnnxEncoder(folder, read_config(folder))
