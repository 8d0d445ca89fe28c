"""Training a part of a network: the rest is frozen, and its outputs are computed once and cached."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from simsearch.errors import UsageError
from simsearch.progress import Progress, Working
from simsearch.training.data.inputs import Arrays, Inputs
from simsearch.training.data.reserved import reserved_array
from simsearch.training.networks.encoder import Network, unit_rows
from simsearch.training.networks.length_bucketing import in_length_buckets

if TYPE_CHECKING:
    from simsearch.training.networks.encoder import SiameseEncoder

FREEZES = ("none", "part", "all")
BATCH = 256


class FrozenLayers(nn.Module):
    """The frozen layers of an encoder, from its inputs to the features that its trained layers take."""

    def __init__(self, encoder: SiameseEncoder, layers: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.layers = layers

    def forward(self, inputs: Tensor) -> Tensor:
        features: Tensor = self.layers(self.encoder.standardized(self.encoder.prepare(inputs)))
        return features


class TrainedLayers(Network):
    """The trained layers of an encoder as a network; they are shared with the encoder."""

    def __init__(self, layers: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.layers = layers
        self.head = head

    def embed(self, prepared: Tensor) -> Tensor:
        """Unit embeddings of features."""
        return unit_rows(self.head(self.layers(prepared)))


def divided(encoder: SiameseEncoder, freeze: str) -> tuple[FrozenLayers, TrainedLayers]:
    """The frozen and the trained layers: with `all` the head is trained, with `part` the second half of the layers too.

    Raises UsageError for a network that cannot be divided.
    """
    if freeze == "all":
        frozen, layers = FrozenLayers(encoder, encoder.trunk), nn.Sequential()
        return frozen, TrainedLayers(layers, encoder.head)
    weighted = [
        number for number, layer in enumerate(encoder.trunk.children()) if any(True for _ in layer.parameters())
    ]
    if not isinstance(encoder.trunk, nn.Sequential) or len(weighted) < 2:
        raise UsageError("this network is not a sequence of layers; give --freeze all or none")
    cut = weighted[len(weighted) // 2]
    return FrozenLayers(encoder, encoder.trunk[:cut]), TrainedLayers(encoder.trunk[cut:], encoder.head)


def features_of(frozen: FrozenLayers, inputs: Inputs, cache: Path, device: torch.device, progress: Progress) -> Arrays:
    """The features of every input by the frozen layers, float32, in the memory-mapped file `cache`."""
    frozen.eval().to(device)
    stored = None
    with torch.inference_mode(), Working(progress, len(inputs), "inputs", "frozen layers"):
        for start in range(0, len(inputs), BATCH):
            rows = np.arange(start, min(start + BATCH, len(inputs)))
            made = in_length_buckets(frozen, inputs.batch(rows).to(device)).float().cpu().numpy()
            if stored is None:
                shape = (len(inputs), *made.shape[1:])
                stored = reserved_array(cache, np.float32, shape)
            stored[rows] = made
            progress.advance(len(rows))
    assert stored is not None
    stored.flush()
    return Arrays(np.load(cache, mmap_mode="r", allow_pickle=False))
