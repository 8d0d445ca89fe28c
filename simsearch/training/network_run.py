"""The training of a network, or of the part of it that is not frozen, on images or texts."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from simsearch.training.data.dataset import Dataset
from simsearch.training.data.forgeries import genuine_only
from simsearch.training.data.sampling import make_sampler
from simsearch.training.finetuning.freezing import divided, features_of
from simsearch.training.finetuning.imprinting import imprint_class_weights
from simsearch.training.finetuning.interpolation import MOST_GALLERY, MOST_QUERIES, WEIGHTS, interpolate_weights
from simsearch.training.finetuning.wccn import MOST_INPUTS, append_wccn
from simsearch.training.finishing import Run, Trained, finish
from simsearch.training.loop import fit
from simsearch.training.measure import validation_figure
from simsearch.training.networks.building import build, build_text
from simsearch.training.networks.encoder import Network, SiameseEncoder
from simsearch.training.networks.specification import TextSpec
from simsearch.training.objective import Objective
from simsearch.training.recipes import Recipe
from simsearch.training.schedule import total_steps

if TYPE_CHECKING:
    from simsearch.training.finetuning.interpolation import Interpolation
    from simsearch.training.loop import Fitted

STATISTICS_SAMPLE = 2_000


def train_network(run: Run, data: Dataset, configuration: str, checkpoint: Path) -> Trained:
    """The encoder trained from images or texts: from random weights, or fine-tuned as far as it is not frozen.

    Resumes from `checkpoint` if it is of the same `configuration`.
    """
    if isinstance(run.recipe.model, TextSpec) and run.start is None:
        # A tokenizer trained on few texts has fewer tokens than its limit.
        run = replace(run, recipe=replace(run.recipe, model=replace(run.recipe.model, vocabulary=data.vocabulary)))
    recipe = run.recipe
    torch.manual_seed(recipe.seed)
    encoder = _fresh(recipe, data) if run.start is None else run.start.encoder
    # Synchronized batch normalization replaces layers of the trained network.
    written = copy.deepcopy(encoder)
    network, learned_on = _trainable(encoder, run, data)
    objective = Objective(network, recipe, data.training_classes, run.processes)
    if run.start is not None and data.train.labels is not None:
        genuine = genuine_only(data.train)
        assert genuine.labels is not None
        dense = np.unique(genuine.labels, return_inverse=True)[1]
        imprint_class_weights(objective, learned_on.inputs, genuine.rows, dense)
    fitted = fit(
        objective,
        make_sampler(data.train, recipe),
        learned_on.inputs,
        recipe=recipe,
        steps=total_steps(recipe, data.train),
        minutes=run.minutes_left(),
        after=_after(run, data),
        validate=lambda trained: validation_figure(trained, learned_on, recipe),
        checkpoint=checkpoint,
        configuration=configuration,
        processes=run.processes,
        progress=run.progress,
    )
    if run.processes.rank:
        return Trained(run.folder, {}, fitted.history, (), data.skipped)
    interpolation = None
    if run.start is not None:
        interpolation = interpolate_weights(encoder, written.state_dict(), network, learned_on, recipe, run.progress)
        if interpolation.weight:
            fitted = replace(fitted, best_figure=validation_figure(network, learned_on, recipe))
    written.load_state_dict(encoder.state_dict())
    return _normalized_and_finished(written, run, data, fitted, interpolation)


def _trainable(encoder: SiameseEncoder, run: Run, data: Dataset) -> tuple[Network, Dataset]:
    """The part of the encoder that is not frozen, and the data with the inputs of that part."""
    if run.freeze == "none":
        return encoder, data
    frozen, network = divided(encoder, run.freeze)
    cache = run.work / f"features{run.own}.npy"
    features = features_of(frozen, data.inputs, cache, run.processes.device, run.progress)
    return network, replace(data, inputs=features)


def _normalized_and_finished(
    encoder: SiameseEncoder, run: Run, data: Dataset, fitted: Fitted, interpolation: Interpolation | None
) -> Trained:
    normalized = append_wccn(encoder, data, run.recipe)
    if normalized is not run.recipe:
        run = replace(run, recipe=normalized)
        fitted = replace(fitted, best_figure=validation_figure(encoder, data, normalized))
    return finish(encoder, run, data, fitted, interpolation)


def _after(run: Run, data: Dataset) -> float:
    """The cost of the final evaluation, in embeddings of the whole validation partition."""
    inputs = len(data.test) + 2 * len(data.validation)
    if run.start is not None and data.train.labels is not None:
        inputs += len(WEIGHTS) * (min(MOST_QUERIES, len(data.validation)) + min(MOST_GALLERY, len(data.train)))
    if run.recipe.within_power:
        inputs += min(MOST_INPUTS, len(data.train))
    return inputs / max(1, len(data.validation))


def _fresh(recipe: Recipe, data: Dataset) -> SiameseEncoder:
    """An encoder with random weights that standardizes images by the training images.

    Mean and standard deviation of each channel are those of at most 2,000 images.
    """
    if isinstance(recipe.model, TextSpec):
        return build_text(recipe.model)
    rows = data.train.rows[:: max(1, len(data.train.rows) // STATISTICS_SAMPLE)]
    sample = data.inputs.batch(rows).numpy().astype(np.float64) / 255.0
    mean, std = sample.mean(axis=(0, 1, 2)), sample.std(axis=(0, 1, 2))
    return build(recipe.model, mean=tuple(mean.round(4).tolist()), std=tuple(np.maximum(std, 1e-3).round(4).tolist()))
