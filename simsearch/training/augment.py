"""Augmentation of a whole batch at once, on images (n, channels, height, width) in [0, 1]."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from simsearch.errors import UsageError

AUGMENTATIONS = ("none", "photo", "drawing")


def augment(images: Tensor, kind: str) -> Tensor:
    """A random variant of each image, with torch's global random state.

    `photo`: crops of 50 to 100 % of the area, mirror images, brightness, contrast and colour. `drawing`: small
    rotations, shears, shifts and changes of scale, white around.
    """
    if kind == "none":
        return images
    if kind == "photo":
        return _colours(_warp(images, _crops(len(images)), "border"))
    if kind == "drawing":
        # grid_sample pads with zeros: turn white to zero and back.
        return 1.0 - _warp(1.0 - images, _affine(len(images)), "zeros")
    raise UsageError(f"Unknown augmentation {kind!r}; there are {', '.join(AUGMENTATIONS)}")


def quarter_turns(images: Tensor, turns: Tensor) -> Tensor:
    """Each square image turned by its own number of quarter turns."""
    turned = images.clone()
    for turn in (1, 2, 3):
        chosen = turns == turn
        turned[chosen] = torch.rot90(images[chosen], turn, (2, 3))
    return turned


def _uniform(n: int, low: float, high: float) -> Tensor:
    return torch.empty(n).uniform_(low, high)


def _crops(n: int) -> Tensor:
    """(n, 2, 3) matrices that cut a random window and mirror every second image."""
    side = _uniform(n, 0.5, 1.0).sqrt()
    stretch = torch.exp(_uniform(n, math.log(3 / 4), math.log(4 / 3)) / 2)
    width, height = (side * stretch).clamp_max(1.0), (side / stretch).clamp_max(1.0)
    matrix = torch.zeros(n, 2, 3)
    matrix[:, 0, 0] = width * torch.where(torch.rand(n) < 0.5, -1.0, 1.0)
    matrix[:, 1, 1] = height
    matrix[:, 0, 2] = (1 - width) * _uniform(n, -1, 1)
    matrix[:, 1, 2] = (1 - height) * _uniform(n, -1, 1)
    return matrix


def _affine(n: int) -> Tensor:
    """(n, 2, 3) matrices: up to 12 degrees, shear 0.2, scale 0.8 to 1.2 each way, shift a tenth of the picture."""
    angle, shear = _uniform(n, -0.21, 0.21), _uniform(n, -0.2, 0.2)
    across, down = _uniform(n, 0.8, 1.2), _uniform(n, 0.8, 1.2)
    matrix = torch.zeros(n, 2, 3)
    matrix[:, 0, 0] = angle.cos() * across
    matrix[:, 0, 1] = (shear - angle.sin()) * down
    matrix[:, 1, 0] = angle.sin() * across
    matrix[:, 1, 1] = angle.cos() * down
    matrix[:, :, 2] = torch.empty(n, 2).uniform_(-0.1, 0.1)
    return matrix


def _warp(images: Tensor, matrices: Tensor, padding: str) -> Tensor:
    grid = F.affine_grid(matrices, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode=padding, align_corners=False)


def _colours(images: Tensor) -> Tensor:
    n = len(images)
    brightness = _uniform(n, 0.8, 1.2).view(n, 1, 1, 1)
    contrast = _uniform(n, 0.8, 1.2).view(n, 1, 1, 1)
    saturation = _uniform(n, 0.7, 1.3).view(n, 1, 1, 1)
    grey = images.mean(dim=1, keepdim=True)
    coloured = grey + (images - grey) * saturation
    middle = coloured.mean(dim=(1, 2, 3), keepdim=True)
    return ((middle + (coloured - middle) * contrast) * brightness).clamp(0.0, 1.0)
