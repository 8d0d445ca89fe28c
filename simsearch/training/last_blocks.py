"""Fine-tuning the last blocks of a backbone from cached maps, with a head that has learned before."""

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
from simsearch.training.finetuning.freezing import Tail
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
"""Layers of the trunk that are fine-tuned: four inverted residual blocks and the last convolution, 1.9 M of the 3.4 M
parameters, and about a quarter of the operations."""
LEARNING_RATE = 5e-4
BATCH_CLASSES, BATCH_IMAGES = 16, 4
MOST_EPOCHS = 40
EVALUATE_EVERY = 50
BATCH = 256
FRESH_VIEWS = 2
"""Of each input, whose features are computed anew: they are what the closed form is taken from."""


def block_of(encoder: SiameseEncoder) -> int | None:
    """The first of the layers of the trunk that may be fine-tuned; None where the network is no EfficientNet-Lite."""
    layers = list(encoder.trunk.children())
    return len(layers) - LAST_BLOCKS if layers and isinstance(layers[-1], Pooled) else None


def fine_tuned(
    run: Run, data: Dataset, maps: Views, head: nn.Sequential, loss: dict[str, Tensor], recipe: Recipe,
    *, checkpoint: Path, configuration: str, minutes: float | None = None, steps: int | None = None,
) -> tuple[Tail, Fitted]:  # fmt: skip
    """Copies of the last blocks and of `head`, both trained on the training split of `data`, whose inputs are `maps`.

    `loss` has the parameters of the loss that the head was learned with. With `minutes` half of the time stays for
    computing features anew and for what else comes; with `steps` there are so many, and nothing is validated.
    """
    assert run.start is not None and isinstance(run.start.encoder.trunk, nn.Sequential)
    recipe = replace(
        recipe, learning_rate=LEARNING_RATE, batch_classes=BATCH_CLASSES, batch_images=BATCH_IMAGES,
        evaluate_every=EVALUATE_EVERY,
    )  # fmt: skip
    torch.manual_seed(recipe.seed)
    network = Tail(copy.deepcopy(run.start.encoder.trunk[-LAST_BLOCKS:]), copy.deepcopy(head))
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
def fresh_features(tail: Tail, maps: Views) -> Views:
    """What the fine-tuned blocks make of the first FRESH_VIEWS views, float16, in memory."""
    views = min(FRESH_VIEWS, maps.rows.shape[1])
    parts = []
    for start in range(0, len(maps), BATCH):
        some = torch.from_numpy(maps.rows[start : start + BATCH, :views].astype(np.float32))
        made = tail.layers(some.flatten(0, 1))
        parts.append(made.view(len(some), views, -1).numpy().astype(np.float16))
    return Views(np.concatenate(parts))


def whole_encoder(encoder: SiameseEncoder, tail: Tail) -> SiameseEncoder:
    """The encoder with the fine-tuned blocks in place of its own, and with the tail's head; the blocks are shared."""
    whole = copy.deepcopy(encoder)
    whole.trunk = nn.Sequential(*list(whole.trunk.children())[:-LAST_BLOCKS], *tail.layers.children())
    whole.head = tail.head
    return whole
