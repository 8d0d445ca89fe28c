"""The training objective: the loss of a batch."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from simsearch.training.data.image_augmentation import augment, posed
from simsearch.training.losses.building import build_loss
from simsearch.training.losses.functional import supervised_contrastive
from simsearch.training.losses.memory import CrossBatchMemory
from simsearch.training.networks.length_bucketing import in_length_buckets
from simsearch.training.processes import Processes, autocast_to, precision_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simsearch.training.data.sampling import Batch
    from simsearch.training.losses.module import Loss
    from simsearch.training.networks.encoder import Network
    from simsearch.training.recipes import Recipe


FEWEST_MAPS = 8
OTHER_VIEWS = 7_919
"""The difference between the seeds of two processes."""


def channels_last_is_safe(network: nn.Module) -> bool:
    """Whether the memory format channels_last is safe for the gradients of this network.

    In torch 2.13 (oneDNN, on a CPU) a strided 1x1 convolution with 2 to 7 input channels writes beyond its memory.
    """
    convolutions = (layer for layer in network.modules() if isinstance(layer, nn.Conv2d))
    return not any(
        layer.kernel_size == (1, 1) and max(layer.stride) > 1 and layer.in_channels < FEWEST_MAPS
        for layer in convolutions
    )


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, step: int, decay: float) -> None:
    """Updates an exponential moving average of weights and batch statistics.

    The decay is smaller in the first steps, so that the initial weights are forgotten.
    """
    share = 1.0 - min(decay, (step + 1) / (step + 10))
    for mean, now in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if mean.is_floating_point():
            mean.lerp_(now, share)
        else:
            mean.copy_(now)


def loss_of(recipe: Recipe, classes: int) -> Loss:
    """The loss of a recipe. Raises UsageError for settings that it does not have."""
    return build_loss(
        recipe.loss,
        margin=recipe.margin,
        temperature=recipe.temperature,
        scale=recipe.scale,
        distance=recipe.distance,
        miner=recipe.miner,
        positive_share=recipe.positive_share,
        dim=recipe.model.dim,
        classes=classes,
    )


class Objective(nn.Module):
    """The network with its loss, weight average and memory; called with a batch it returns the loss.

    Each of several processes encodes its share, and all compute the same loss of the joint embeddings. Random numbers
    come from torch's global generator, which the loop seeds for every step.
    """

    def __init__(self, network: Network, recipe: Recipe, classes: int, processes: Processes) -> None:
        super().__init__()
        self.network = network
        self.recipe = recipe
        self.classes = classes
        self._processes = processes
        self._layout = torch.channels_last if channels_last_is_safe(network) else torch.contiguous_format
        self.precision = precision_of(recipe.precision, processes.device)
        self.loss = loss_of(recipe, recipe.poses * classes)
        self.average = copy.deepcopy(network).requires_grad_(False) if recipe.averaging else None
        self.memory = CrossBatchMemory(recipe.memory, recipe.model.dim) if recipe.memory else None

    @property
    def averaged(self) -> Network:
        """The network that is validated and exported: the moving average, if there is one."""
        return self.network if self.average is None else self.average

    def follow(self, step: int) -> None:
        """Updates the moving average of the weights and of the batch statistics, if there is one."""
        if self.average is not None:
            follow(self.average, self.network, step, self.recipe.averaging)

    def forward(self, batch: Batch, inputs: Tensor, share: NDArray[np.int64]) -> Tensor:
        """The loss of the batch; `inputs` are of its rows at the positions `share`, which this process encodes."""
        inputs = self.network.prepare(inputs)
        labels = None if batch.labels is None else torch.from_numpy(batch.labels).to(inputs.device)
        if self.recipe.poses > 1 and labels is not None:
            poses = torch.randint(self.recipe.poses, (self.classes,)).to(labels)[labels]
            inputs, labels = posed(inputs, poses[torch.from_numpy(share)]), labels + poses * self.classes
        embeddings = self._joint(inputs, len(batch.rows))
        if labels is not None:
            return self._of_labels(embeddings, labels)
        if batch.triplets is not None:
            anchor, positive, negative = embeddings[torch.from_numpy(batch.triplets)].unbind(dim=1)
            return self.loss.of_triplets(anchor, positive, negative)
        assert batch.pairs is not None
        left, right = embeddings[torch.from_numpy(batch.pairs)].unbind(dim=1)
        scores = (left * right).sum(dim=1)
        if batch.scores is not None:
            return self.loss.of_graded(scores, torch.from_numpy(batch.scores).to(embeddings))
        assert batch.same is not None
        return self.loss.of_pairs(scores, torch.from_numpy(batch.same).to(embeddings))

    def _joint(self, inputs: Tensor, count: int) -> Tensor:
        """The embeddings of all rows of the batch, in 32 bits."""
        with self._own_views():
            seen = augment(inputs, self.recipe.augmentation)
            if seen.dim() == 4:
                # channels_last makes convolutions on a CPU up to 1.5 times as fast.
                seen = seen.contiguous(memory_format=self._layout)
            with autocast_to(self.precision, inputs.device):
                # Not the augmentation: in 16 bits its sampling coordinates would be off by whole pixels.
                embeddings = in_length_buckets(self.network, seen, self.network.embed)
        return self._processes.gather(embeddings.float())[:count]

    @contextlib.contextmanager
    def _own_views(self) -> Iterator[None]:
        """A context in which random numbers differ between the processes, for augmentation and dropout."""
        seed = torch.initial_seed()
        if self._processes.world > 1:
            torch.manual_seed(seed + OTHER_VIEWS * self._processes.rank)
        yield
        if self._processes.world > 1:
            torch.manual_seed(seed)

    def _of_labels(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        past = None if self.memory is None else self.memory.recall()
        loss = self.loss.of_labels(embeddings, labels, past)
        if self.recipe.contrast_weight:
            loss = loss + self.recipe.contrast_weight * supervised_contrastive(embeddings, labels)
        if self.memory is not None and self.training:
            self.memory.remember(embeddings, labels)
        return loss
