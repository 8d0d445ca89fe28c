"""Fine-tuning the last blocks of a backbone from cached maps, with a head that has been trained before."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from simsearch.training.data.inputs import Views
from simsearch.training.finetuning.freezing import TrainedLayers
from simsearch.training.finetuning.heads import blended, linear_half
from simsearch.training.finetuning.interpolation import Interpolation, average_precisions, clearly_better
from simsearch.training.finishing import Exported, Trained, finish
from simsearch.training.head_work import HeadWork, LearnedHalf, blend_of, learn_half
from simsearch.training.measure import validation_figure
from simsearch.training.networks.efficientnet import Pooled
from simsearch.training.networks.encoder import SiameseEncoder

if TYPE_CHECKING:
    from simsearch.training.loop import Fitted
    from simsearch.training.networks.head import BlendedHead

LAST_BLOCKS = 5
"""Layers of the trunk that are fine-tuned: four inverted residual blocks and the last convolution, 1.9 M of the 3.4 M
parameters, and about a quarter of the operations."""
LEARNING_RATE = 5e-4
BATCH_CLASSES, BATCH_IMAGES = 16, 4
MOST_EPOCHS = 40
EVALUATE_EVERY = 50
BATCH = 256
FRESH_VIEWS = 2
"""Views of each input whose features are computed again, for the closed-form half of the head."""
EXPORTED = 64
"""Inputs on which the exported network is compared with the trained one."""


def block_of(encoder: SiameseEncoder) -> int | None:
    """The first layer of the trunk to fine-tune; None for a network other than EfficientNet-Lite."""
    layers = list(encoder.trunk.children())
    return len(layers) - LAST_BLOCKS if layers and isinstance(layers[-1], Pooled) else None


def with_last_blocks(work: HeadWork, learned: LearnedHalf, head: BlendedHead) -> Trained | None:
    """The whole encoder with fine-tuned last blocks; None if the `head` alone ranks validation items about as well.

    Half of the minutes are for training with validation, the rest for training again with its items too.
    """
    run, recipe = work.run, replace(work.recipe, model=work.of_blend)
    minutes = run.minutes_left()
    assert minutes is not None
    trained, fitted = _fine_tuned(work, learned, minutes=minutes / 2)
    tuned, features = _on_fresh_features(work, trained)
    blend, found = blended(_half_of(trained), tuned.data, features, recipe, run.progress)
    before = average_precisions(SiameseEncoder(nn.Identity(), head), work.data, recipe)
    after = average_precisions(SiameseEncoder(nn.Identity(), blend), tuned.data, recipe)
    assert before is not None and after is not None
    if not clearly_better(before, after):
        return None
    compared = {"head": float(before.mean()), "last_blocks": float(after.mean())}
    validated = TrainedLayers(trained.layers, blend)
    both = work.again()
    half = learn_half(both, steps=max(1, learned.fitted.best_step))
    trained, _ = _fine_tuned(both, half, steps=max(1, fitted.best_step))
    tuned, features = _on_fresh_features(both, trained)
    linear = linear_half(tuned.data, features, recipe)
    network = TrainedLayers(trained.layers, blend_of(linear, _half_of(trained), found))
    return _finished(work, network, validated, fitted, found, compared)


def _fine_tuned(
    work: HeadWork, learned: LearnedHalf, *, minutes: float | None = None, steps: int | None = None
) -> tuple[TrainedLayers, Fitted]:
    """Copies of the last blocks and of the learned half, both trained on the maps."""
    run, maps = work.run, work.maps
    assert maps is not None and run.start is not None and isinstance(run.start.encoder.trunk, nn.Sequential)
    recipe = replace(
        work.of_half,
        learning_rate=LEARNING_RATE,
        batch_classes=BATCH_CLASSES,
        batch_images=BATCH_IMAGES,
        evaluate_every=EVALUATE_EVERY,
    )
    torch.manual_seed(recipe.seed)
    network = TrainedLayers(copy.deepcopy(run.start.encoder.trunk[-LAST_BLOCKS:]), copy.deepcopy(learned.half))
    objective = work.objective(network.requires_grad_(True), recipe)
    objective.loss.load_state_dict(learned.loss)
    of_blocks = replace(
        work,
        checkpoint=work.checkpoint.with_suffix(f".blocks{work.checkpoint.suffix}"),
        configuration=f"{work.configuration} blocks",
    )
    most = max(1, MOST_EPOCHS * len(work.data.train) // recipe.batch_inputs)
    after = FRESH_VIEWS * len(maps) / max(1, len(work.data.validation))
    fitted = of_blocks.fitted(objective, maps, most=most, minutes=minutes, steps=steps, after=after)
    network.eval()
    return network, fitted


def _half_of(trained: TrainedLayers) -> nn.Sequential:
    assert isinstance(trained.head, nn.Sequential)
    return trained.head


def _on_fresh_features(work: HeadWork, trained: TrainedLayers) -> tuple[HeadWork, Views]:
    """The work with the features of the fine-tuned blocks."""
    assert work.maps is not None
    features = fresh_features(trained, work.maps)
    return replace(work, data=replace(work.data, inputs=replace(features, view=0))), features


def _finished(
    work: HeadWork,
    network: TrainedLayers,
    validated: TrainedLayers,
    fitted: Fitted,
    interpolation: Interpolation,
    compared: dict[str, float],
) -> Trained:
    assert work.run.start is not None and work.maps is not None
    spec = work.of_blend
    run = replace(
        work.run, recipe=replace(work.run.recipe, model=spec), half=True, freeze="part", depths_compared=compared
    )
    data = replace(work.data, inputs=replace(work.maps, view=0))
    fitted = replace(fitted, best_figure=validation_figure(validated, data, replace(work.recipe, model=spec)))
    sample = work.pixels.batch(data.train.rows[:EXPORTED]).numpy()
    whole = Exported(whole_encoder(work.run.start.encoder, network), sample)
    return finish(network, run, data, fitted, interpolation, validated=validated, exported=whole)


@torch.inference_mode()
def fresh_features(trained: TrainedLayers, maps: Views) -> Views:
    """The features of the fine-tuned blocks for the first FRESH_VIEWS views, float16, in memory."""
    views = min(FRESH_VIEWS, maps.rows.shape[1])
    parts = []
    for start in range(0, len(maps), BATCH):
        some = torch.from_numpy(maps.rows[start : start + BATCH, :views].astype(np.float32))
        made = trained.layers(some.flatten(0, 1))
        parts.append(made.view(len(some), views, -1).numpy().astype(np.float16))
    return Views(np.concatenate(parts))


def whole_encoder(encoder: SiameseEncoder, trained: TrainedLayers) -> SiameseEncoder:
    """The encoder with the fine-tuned blocks in place of its own, and the head of `trained`; the blocks are shared."""
    whole = copy.deepcopy(encoder)
    whole.trunk = nn.Sequential(*list(whole.trunk.children())[:-LAST_BLOCKS], *trained.layers.children())
    whole.head = trained.head
    return whole
