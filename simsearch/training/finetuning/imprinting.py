"""Weight imprinting (Qi et al. 2018): class proxies are initialized with the mean embedding of each class."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F

from simsearch.training.data.image_augmentation import posed
from simsearch.training.networks.length_bucketing import in_length_buckets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.training.data.inputs import Inputs
    from simsearch.training.objective import Objective

MOST = 30
"""The largest number of inputs of a class that are averaged."""
BATCH = 256


@torch.no_grad()
def imprint_class_weights(
    objective: Objective, inputs: Inputs, rows: NDArray[np.int64], labels: NDArray[np.int64]
) -> None:
    """Sets the proxy of each class to the normalized mean of its embeddings, if the loss has such proxies.

    Gradients of random proxies would first distort a trained network. `labels` are 0 .. C-1, one for each of `rows`.
    """
    directions = getattr(objective.loss.label_formula, "directions", None)
    if not isinstance(directions, torch.nn.Parameter):
        return
    order = np.argsort(labels, kind="stable")
    _, starts = np.unique(labels[order], return_index=True)
    place = np.arange(len(order)) - np.repeat(starts, np.diff([*starts, len(order)]))
    chosen = order[place < MOST]
    sums = torch.zeros_like(directions)
    training = objective.network.training
    objective.network.eval()
    for pose in range(objective.recipe.poses):
        for start in range(0, len(chosen), BATCH):
            part = chosen[start : start + BATCH]
            prepared = objective.network.prepare(inputs.batch(rows[part]).to(directions.device))
            numbers = torch.from_numpy(labels[part]).to(directions.device)
            if pose:
                prepared = posed(prepared, torch.full_like(numbers, pose))
            embeddings = in_length_buckets(objective.network, prepared, objective.network.embed).float()
            sums.index_add_(0, numbers + pose * objective.classes, embeddings)
    objective.network.train(training)
    directions.copy_(F.normalize(sums, dim=1))
