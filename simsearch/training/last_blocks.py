"""Fine-tuning the last blocks of a backbone on cached feature maps, with a head that is already trained."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from simsearch.training.data.inputs import Views
from simsearch.training.data.sampling import make_sampler
from simsearch.training.finetuning.freezing import TrainedLayers
from simsearch.training.loop import Fitted, fit
from simsearch.training.measure import validation_figure
from simsearch.training.networks.efficientnet import Pooled
from simsearch.training.objective import Objective

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from simsearch.training.data.dataset import Dataset
    from simsearch.training.finishing import Run
    from simsearch.training.networks.encoder import Network, SiameseEncoder
    from simsearch.training.recipes import Recipe

LAST_BLOCKS = 5
"""The number of layers of the trunk that are fine-tuned: four inverted residual blocks and the last convolution, 1.9 M
of the 3.4 M parameters, and about a quarter of the operations."""
LEARNING_RATE = 5e-4
BATCH_CLASSES, BATCH_IMAGES = 16, 4
MOST_EPOCHS = 40
EVALUATE_EVERY = 50
BATCH = 256
FRESH_VIEWS = 2
"""Views of each input whose features are computed again, for the closed-form half of the head."""


def block_of(encoder: SiameseEncoder) -> int | None:
    """The first layer of the trunk to fine-tune; None for a network other than EfficientNet-Lite."""
    layers = list(encoder.trunk.children())
    return len(layers) - LAST_BLOCKS if layers and isinstance(layers[-1], Pooled) else None


def fine_tuned(
    run: Run, data: Dataset, maps: Views, head: nn.Sequential, loss: dict[str, Tensor], recipe: Recipe,
    *, checkpoint: Path, configuration: str, minutes: float | None = None, steps: int | None = None,
) -> tuple[TrainedLayers, Fitted]:  # fmt: skip
    """Copies of the last blocks and of `head`, both trained on the train partition of `data`, whose inputs are `maps`.

    `loss` has the parameters of the loss that the head was trained with. With `minutes` half of the time is left for
    computing features again and for later steps; with `steps` there are so many, without validation.
    """
    assert run.start is not None and isinstance(run.start.encoder.trunk, nn.Sequential)
    recipe = replace(
        recipe, learning_rate=LEARNING_RATE, batch_classes=BATCH_CLASSES, batch_images=BATCH_IMAGES,
        evaluate_every=EVALUATE_EVERY,
    )  # fmt: skip
    torch.manual_seed(recipe.seed)
    network = TrainedLayers(copy.deepcopy(run.start.encoder.trunk[-LAST_BLOCKS:]), copy.deepcopy(head))
    network.requires_grad_(True)
    objective = Objective(network, recipe, data.training_classes, run.processes)
    objective.loss.load_state_dict(loss)
    most = steps or max(1, MOST_EPOCHS * len(data.train) // recipe.batch_inputs)
    validated = replace(data, inputs=replace(maps, view=0))

    def validate(trained: Network) -> float:
        return math.nan if steps else validation_figure(trained, validated, recipe)

    fitted = fit(
        objective, make_sampler(data.train, recipe), maps, recipe=recipe, steps=most, minutes=minutes, most=most,
        after=FRESH_VIEWS * len(maps) / max(1, len(data.validation)), validate=validate, checkpoint=checkpoint,
        configuration=configuration, processes=run.processes, progress=run.progress,
    )  # fmt: skip
    return network.eval(), fitted


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
