"""From a batch to a loss."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from simsearch.training import losses
from simsearch.training.augment import augment, quarter_turns
from simsearch.training.models import SiameseEncoder
from simsearch.training.recipes import Recipe
from simsearch.training.sampling import Batch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Objective(nn.Module):
    """The encoder with what its loss needs beside it; called with a batch it returns the loss.

    Random choices come from torch's global generator, which the loop seeds for every step.
    """

    def __init__(self, encoder: SiameseEncoder, recipe: Recipe, classes: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.recipe = recipe
        self.classes = classes
        turned = 4 if recipe.quarter_turns else 1
        self.classifier = None
        if recipe.loss == "classifier":
            self.classifier = losses.CosineClassifier(
                recipe.model.dim, turned * classes, recipe.scale, recipe.label_smoothing
            )
        self.average = copy.deepcopy(encoder).requires_grad_(False) if recipe.averaging else None

    @property
    def kept(self) -> SiameseEncoder:
        """The encoder that is validated and exported: the running mean of the weights, where there is one."""
        return self.encoder if self.average is None else self.average

    @torch.no_grad()
    def follow(self, step: int) -> None:
        """Moves the running mean of the weights, and of the batch statistics, towards those of this step.

        The first steps count less than the decay says, so that the random start is forgotten.
        """
        if self.average is None:
            return
        share = 1.0 - min(self.recipe.averaging, (step + 1) / (step + 10))
        for mean, now in zip(self.average.state_dict().values(), self.encoder.state_dict().values(), strict=True):
            if mean.is_floating_point():
                mean.lerp_(now, share)
            else:
                mean.copy_(now)

    def forward(self, batch: Batch, pixels: NDArray[np.uint8]) -> Tensor:
        images = self.encoder.prepare(torch.from_numpy(pixels[batch.images]))
        if batch.labels is None:
            return self._of_pairs(images, batch)
        labels = torch.from_numpy(batch.labels)
        if self.recipe.quarter_turns:
            turns = torch.randint(4, (self.classes,))[labels]
            images, labels = quarter_turns(images, turns), labels + turns * self.classes
        return self._of_labels(self._embedded(images), labels)

    def _embedded(self, images: Tensor) -> Tensor:
        seen = augment(images, self.recipe.augmentation, side=self.recipe.training_side)
        # Convolutions on a processor are up to 1.5 times as fast when the channels of a pixel lie side by side.
        return self.encoder.embed(seen.contiguous(memory_format=torch.channels_last))

    def _of_labels(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        if self.recipe.loss == "triplet":
            return losses.triplet(embeddings, labels, self.recipe.margin)
        if self.classifier is not None:
            loss: Tensor = self.classifier(embeddings, labels)
            if self.recipe.contrast_weight:
                loss = loss + self.recipe.contrast_weight * losses.supervised_contrastive(embeddings, labels)
            return loss
        generator = torch.Generator().manual_seed(int(torch.randint(2**31, ())))
        left, right, same = losses.batch_pairs(labels, self.recipe.positive_share, generator)
        return self._of_scores((embeddings[left] * embeddings[right]).sum(dim=1), same)

    def _of_pairs(self, images: Tensor, batch: Batch) -> Tensor:
        assert batch.pairs is not None and batch.same is not None
        embeddings = self._embedded(images)
        left, right = torch.from_numpy(batch.pairs).unbind(dim=1)
        same = torch.from_numpy(batch.same).to(torch.float32)
        return self._of_scores((embeddings[left] * embeddings[right]).sum(dim=1), same)

    def _of_scores(self, scores: Tensor, same: Tensor) -> Tensor:
        if self.recipe.loss == "dot":
            return losses.dot_regression(scores, same)
        return losses.contrastive(scores, same, self.recipe.margin)
