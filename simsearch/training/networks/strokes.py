"""The first blocks of EfficientNet-Lite and where in the picture they respond, the backbone of `strokes`."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from simsearch.training.networks.efficientnet import efficientnet_lite

POOLED_AFTER = (3, 5, 8)
"""Layers of EfficientNet-Lite0, its stem counted, after which maps are pooled: the ends of stages at a 4th, an 8th
and a 16th of the sides."""
CHANNELS = (24, 40, 80)
ROWS, COLUMNS = 2, 4
"""The cells of the grid."""
STROKE_FEATURES = 2 * ROWS * COLUMNS * sum(CHANNELS)
SMALLEST = 1e-12


class Strokes(nn.Module):
    """From standardized grey images (n, 1, h, w) to features (n, 2304) of fine lines: the maps of three early layers,
    pooled in each cell of a grid.

    `centre` and `gain` standardize each feature; they are zeros and ones until `standardize` has seen some.
    """

    def __init__(self) -> None:
        super().__init__()
        self.front = nn.Sequential(*list(efficientnet_lite(0, colours=1))[: POOLED_AFTER[-1] + 1])
        self.register_buffer("centre", torch.zeros(STROKE_FEATURES))
        self.register_buffer("gain", torch.ones(STROKE_FEATURES))

    def forward(self, images: Tensor) -> Tensor:
        return (self.pooled(images) - self.get_buffer("centre")) * self.get_buffer("gain")

    def pooled(self, images: Tensor) -> Tensor:
        """The features before they are standardized."""
        parts, maps = [], images
        for place, layer in enumerate(self.front):
            maps = layer(maps)
            if place in POOLED_AFTER:
                parts.append(grid_pooled(maps))
        return torch.cat(parts, dim=1)

    def standardize(self, pooled: Tensor) -> None:
        """Takes means and standard deviations from these features of `pooled`; all layers count for the same."""
        lengths = torch.cat(
            [torch.full((2 * ROWS * COLUMNS * width,), 2.0 * ROWS * COLUMNS * width) for width in CHANNELS]
        )
        self.centre = pooled.mean(dim=0)
        self.gain = 1.0 / (pooled.std(dim=0).clamp_min(1e-6) * lengths.sqrt())


def grid_pooled(maps: Tensor) -> Tensor:
    """Mean and root mean square of each map in each cell, (n, 2 x channels x rows x columns).

    The sides of the maps are multiples of the numbers of cells.
    """
    cell = (maps.shape[2] // ROWS, maps.shape[3] // COLUMNS)
    means, squares = F.avg_pool2d(maps, cell), F.avg_pool2d(maps.square(), cell)
    return torch.cat([means.flatten(1), squares.add(SMALLEST).sqrt().flatten(1)], dim=1)
