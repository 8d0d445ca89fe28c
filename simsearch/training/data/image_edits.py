"""Augmentation by common edits of copies, for batches of images (n, channels, h, w) in [0, 1]."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

OFTEN, SELDOM = 0.5, 0.25


def edited(images: Tensor, size: tuple[int, int]) -> Tensor:
    """A copy of each image with edits drawn at random, `size` pixels (height, width), with torch's global random state.

    Crops of 40 to 100 % of the area, mirror images, quarter turns, rotations, frames, letters laid over, fewer pixels,
    other exposure, other colours, grey.
    """
    return _lettered(_blurred(_coloured(_placed(images, size))))


def _chosen(n: int, share: float) -> Tensor:
    return torch.rand(n) < share


def _uniform(n: int, low: float, high: float) -> Tensor:
    return torch.empty(n).uniform_(low, high)


def _placed(images: Tensor, size: tuple[int, int]) -> Tensor:
    """A window of each image, turned, with a frame of one colour around and in the corners that a rotation leaves."""
    n, channels = len(images), images.shape[1]
    frame = 1.0 + _uniform(n, 0.05, 0.5) * _chosen(n, OFTEN)
    angle = _uniform(n, -0.35, 0.35) * _chosen(n, OFTEN)
    angle = angle + torch.randint(4, (n,)) * (math.pi / 2) * _chosen(n, SELDOM)
    turn = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], dim=1).view(n, 2, 2)
    matrices = torch.cat([turn * frame.view(n, 1, 1), torch.zeros(n, 2, 1)], dim=2)
    grid = F.affine_grid(matrices, [n, channels, *size], align_corners=False)
    inside = (grid.abs() <= 1.0).all(dim=3).unsqueeze(1)
    share = _uniform(n, 0.4, 1.0).sqrt()
    stretch = torch.exp(_uniform(n, math.log(3 / 4), math.log(4 / 3)) / 2)
    window = torch.stack([share * stretch, share / stretch], dim=1).clamp_max(1.0)
    window = torch.where(_chosen(n, OFTEN).unsqueeze(1), window, torch.ones(n, 2))
    corner = (1.0 - window) * torch.empty(n, 2).uniform_(-1.0, 1.0)
    mirrored = torch.where(_chosen(n, OFTEN), -1.0, 1.0)
    scale = torch.stack([window[:, 0] * mirrored, window[:, 1]], dim=1)
    source = grid * scale.view(n, 1, 1, 2) + corner.view(n, 1, 1, 2)
    seen = F.grid_sample(images, source, mode="bilinear", padding_mode="border", align_corners=False)
    return torch.where(inside, seen, torch.rand(n, channels, 1, 1))


def _coloured(images: Tensor) -> Tensor:
    """Half of the images as if exposed 0.5 to 1.6 times as long, in half each channel brighter or darker by itself; a
    quarter without colours."""
    n, channels = len(images), images.shape[1]
    exposure = torch.exp(_uniform(n, math.log(0.5), math.log(1.6)) * _chosen(n, OFTEN))
    images = (images * exposure.view(n, 1, 1, 1)).clamp(0.0, 1.0)
    gains = 1.0 + torch.empty(n, channels, 1, 1).uniform_(-0.35, 0.35) * _chosen(n, OFTEN).view(n, 1, 1, 1)
    images = (images * gains).clamp(0.0, 1.0)
    grey = images.mean(dim=1, keepdim=True).expand_as(images)
    return torch.where(_chosen(n, SELDOM).view(n, 1, 1, 1), grey, images)


def _blurred(images: Tensor) -> Tensor:
    """A quarter of the images as if they had been stored with half or a third of the pixels of a side."""
    height, width = images.shape[2:]
    less = int(torch.randint(2, 4, (), device="cpu"))
    small = F.interpolate(images, (max(1, height // less), max(1, width // less)), mode="area")
    back = F.interpolate(small, (height, width), mode="bilinear", align_corners=False)
    return torch.where(_chosen(len(images), SELDOM).view(-1, 1, 1, 1), back, images)


def _lettered(images: Tensor) -> Tensor:
    """Half of the images with up to two lines of what looks like letters from afar: blots with an edge."""
    n, _, height, width = images.shape
    blots = F.interpolate((torch.rand(n, 1, 24, 24) < 0.5).float(), (height, width), mode="nearest")
    rows = torch.linspace(-1.0, 1.0, height).view(1, 1, height, 1)
    wide = _uniform(n, 0.5, 1.0).view(n, 1, 1, 1)
    columns = torch.linspace(-1.0, 1.0, width).view(1, 1, 1, width).abs() <= wide
    lines = torch.zeros(n, 1, height, 1, dtype=torch.bool)
    for _ in range(2):
        middle, half = _uniform(n, -0.9, 0.9).view(n, 1, 1, 1), _uniform(n, 0.08, 0.22).view(n, 1, 1, 1)
        lines |= ((rows - middle).abs() <= half) & _chosen(n, 0.75).view(n, 1, 1, 1)
    ink = blots * (lines & columns & _chosen(n, OFTEN).view(n, 1, 1, 1))
    edge = F.max_pool2d(ink, 3, stride=1, padding=1)
    colour = torch.randint(2, (n, 1, 1, 1)).float()
    return torch.where(ink > 0, colour, torch.where(edge > 0, 1.0 - colour, images))
