"""The siamese encoder around every network: from inputs to unit embeddings."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

NORM_FLOOR = 1e-6
"""Outputs shorter than this are divided by it: an all-zero output stays zero instead of becoming NaN."""


class Network(nn.Module):
    """A trainable network from inputs to unit embeddings."""

    def forward(self, inputs: Tensor) -> Tensor:
        return self.embed(self.prepare(inputs))

    def prepare(self, inputs: Tensor) -> Tensor:
        """The inputs in the form that augmentation takes."""
        return inputs

    def embed(self, prepared: Tensor) -> Tensor:
        """Unit embeddings (n, dim) of what `prepare` gave."""
        raise NotImplementedError


class SiameseEncoder(Network):
    """Unit embeddings of inputs, one tensor of them.

    The twin branches of a siamese network share their weights (Bromley et al. 1993), so they are one network
    applied to every input of a pair. `head` is a last linear layer that fine-tuning may add.
    """

    def __init__(self, trunk: nn.Module, head: nn.Module | None = None) -> None:
        super().__init__()
        self.trunk = trunk
        self.head = head or nn.Identity()

    def standardized(self, prepared: Tensor) -> Tensor:
        """What the first layer takes."""
        return prepared

    def embed(self, prepared: Tensor) -> Tensor:
        """Unit embeddings (n, dim) of what `prepare` gave."""
        return unit_rows(self.head(self.trunk(self.standardized(prepared))))


class ImageEncoder(SiameseEncoder):
    """Unit embeddings of uint8 pixels (n, height, width, channels)."""

    def __init__(
        self, trunk: nn.Module, head: nn.Module | None = None, *, mean: tuple[float, ...], std: tuple[float, ...]
    ) -> None:
        super().__init__(trunk, head)
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(1, -1, 1, 1), persistent=True)
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(1, -1, 1, 1), persistent=True)

    def prepare(self, inputs: Tensor) -> Tensor:
        """Pixels as float32 (n, channels, height, width) in [0, 1]."""
        return inputs.permute(0, 3, 1, 2).to(torch.float32) / 255.0

    def standardized(self, prepared: Tensor) -> Tensor:
        """Images with the mean of each channel taken away, divided by its standard deviation."""
        return (prepared - self.get_buffer("mean")) / self.get_buffer("std")


def unit_rows(vectors: Tensor) -> Tensor:
    """The vectors divided by their length, or by NORM_FLOOR if that is more."""
    return F.normalize(vectors, dim=1, eps=NORM_FLOOR)
