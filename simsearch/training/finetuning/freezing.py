"""Training a part of a network: the rest stays as it is, and what it makes of each input is computed once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from simsearch.errors import UsageError
from simsearch.progress import Progress, Working
from simsearch.training.data.inputs import Arrays, Inputs
from simsearch.training.networks.encoder import Network, unit_rows
from simsearch.training.networks.length_bucketing import in_length_buckets

if TYPE_CHECKING:
    from simsearch.training.networks.encoder import SiameseEncoder

FREEZES = ("none", "part", "all")
BATCH = 256


class Front(nn.Module):
    """The frozen layers: from what the encoder takes to the features that its trained layers take."""

    def __init__(self, encoder: SiameseEncoder, layers: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.layers = layers

    def forward(self, inputs: Tensor) -> Tensor:
        features: Tensor = self.layers(self.encoder.standardized(self.encoder.prepare(inputs)))
        return features


class Tail(Network):
    """The trained layers as a network of their own; they stay those of the encoder, which learns with them."""

    def __init__(self, layers: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.layers = layers
        self.head = head

    def embed(self, prepared: Tensor) -> Tensor:
        """Unit embeddings of features, which are what `prepare` gives here."""
        return unit_rows(self.head(self.layers(prepared)))


def divided(encoder: SiameseEncoder, freeze: str) -> tuple[Front, Tail]:
    """The frozen and the trained part. `all` leaves the head to train, `part` the second half of the layers with it.

    Raises UsageError when the network cannot be divided so.
    """
    if freeze == "all":
        front, layers = Front(encoder, encoder.trunk), nn.Sequential()
        return front, Tail(layers, encoder.head)
    weighted = [
        number for number, layer in enumerate(encoder.trunk.children()) if any(True for _ in layer.parameters())
    ]
    if not isinstance(encoder.trunk, nn.Sequential) or len(weighted) < 2:
        raise UsageError("this network is one piece and cannot be frozen in part; give --freeze all or none")
    cut = weighted[len(weighted) // 2]
    return Front(encoder, encoder.trunk[:cut]), Tail(encoder.trunk[cut:], encoder.head)


def features_of(front: Front, inputs: Inputs, cache: Path, device: torch.device, progress: Progress) -> Arrays:
    """What the frozen part makes of every input, float32, in the memory-mapped file `cache`: computed once a run."""
    front.eval().to(device)
    stored = None
    with torch.inference_mode(), Working(progress, len(inputs), "inputs", "frozen layers"):
        for start in range(0, len(inputs), BATCH):
            rows = np.arange(start, min(start + BATCH, len(inputs)))
            made = in_length_buckets(front, inputs.batch(rows).to(device)).float().cpu().numpy()
            if stored is None:
                shape = (len(inputs), *made.shape[1:])
                stored = np.lib.format.open_memmap(cache, mode="w+", dtype=np.float32, shape=shape)
            stored[rows] = made
            progress.advance(len(rows))
    assert stored is not None
    stored.flush()
    return Arrays(np.load(cache, mmap_mode="r", allow_pickle=False))
