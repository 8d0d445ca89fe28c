"""Augmentation of batches of images (n, channels, height, width) in [0, 1]."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from simsearch.errors import UsageError
from simsearch.training.data.image_edits import edited
from simsearch.training.data.text_augmentation import augment_ids
from simsearch.training.recipes import AUGMENTATIONS


def augment(images: Tensor, kind: str) -> Tensor:
    """A random variant of each image, of the same size, with torch's global random state.

    `photo`: crops of 35 to 100 % of the area, mirror images, brightness, contrast and colour. `drawing`: small
    rotations, shears, shifts, changes of scale, bent and thicker or fainter lines, white around. `copies`: the edits of
    `edits.edited`. `text`, of token ids: one stretch, without some of its tokens.
    """
    if kind == "text":
        return augment_ids(images)
    if kind == "none":
        return images
    if images.dim() != 4:
        raise UsageError(f"augmentation {kind!r} applies to images; for texts there are text and none")
    with images.device:
        # What is drawn at random lies where the images do.
        return _variant(images, kind, (images.shape[2], images.shape[3]))


def _variant(images: Tensor, kind: str, size: tuple[int, int]) -> Tensor:
    if kind == "photo":
        return _colours(_warp(images, _grid(_crops(len(images)), size), "border"))
    if kind == "copies":
        return edited(images, size)
    if kind == "drawing":
        grid = _grid(_affine(len(images)), size) + _bends(len(images), size)
        # grid_sample pads with zeros: turn white to zero and back.
        return 1.0 - _strokes(_warp(1.0 - images, grid, "zeros"))
    raise UsageError(f"Unknown augmentation {kind!r}; there are {', '.join(AUGMENTATIONS)}")


def posed(images: Tensor, poses: Tensor) -> Tensor:
    """Each square image in its own pose: 0 to 3 quarter turns, and from 4 on the same of its mirror image."""
    changed = images.clone()
    for pose in range(1, 8):
        chosen = poses == pose
        seen = images[chosen].flip(3) if pose >= 4 else images[chosen]
        changed[chosen] = torch.rot90(seen, pose % 4, (2, 3))
    return changed


def _uniform(n: int, low: float, high: float) -> Tensor:
    return torch.empty(n).uniform_(low, high)


def _crops(n: int) -> Tensor:
    """(n, 2, 3) matrices that cut a random window and mirror every second image."""
    side = _uniform(n, 0.35, 1.0).sqrt()
    stretch = torch.exp(_uniform(n, math.log(3 / 4), math.log(4 / 3)) / 2)
    width, height = (side * stretch).clamp_max(1.0), (side / stretch).clamp_max(1.0)
    matrix = torch.zeros(n, 2, 3)
    matrix[:, 0, 0] = width * torch.where(torch.rand(n) < 0.5, -1.0, 1.0)
    matrix[:, 1, 1] = height
    matrix[:, 0, 2] = (1 - width) * _uniform(n, -1, 1)
    matrix[:, 1, 2] = (1 - height) * _uniform(n, -1, 1)
    return matrix


def _affine(n: int) -> Tensor:
    """(n, 2, 3) matrices: up to 15 degrees, shear 0.25, scale 0.8 to 1.25 each way, shift 6 % of the side."""
    angle, shear = _uniform(n, -0.26, 0.26), _uniform(n, -0.25, 0.25)
    across, down = _uniform(n, 0.8, 1.25), _uniform(n, 0.8, 1.25)
    matrix = torch.zeros(n, 2, 3)
    matrix[:, 0, 0] = angle.cos() * across
    matrix[:, 0, 1] = (shear - angle.sin()) * down
    matrix[:, 1, 0] = angle.sin() * across
    matrix[:, 1, 1] = angle.cos() * down
    matrix[:, :, 2] = torch.empty(n, 2).uniform_(-0.12, 0.12)
    return matrix


def _bends(n: int, size: tuple[int, int]) -> Tensor:
    """(n, height, width, 2) smooth random displacements (Simard et al. 2003), of a 44th of a side at one deviation."""
    coarse = torch.randn(n, 2, 5, 5) * 0.045
    return F.interpolate(coarse, size, mode="bicubic", align_corners=True).permute(0, 2, 3, 1)


def _strokes(ink: Tensor) -> Tensor:
    """Ink (1 is black) whose lines are as thick as before or up to two pixels thicker, and darker or fainter."""
    n = len(ink)
    spread = (F.avg_pool2d(ink, 3, stride=1, padding=1) * 2.2).clamp(0.0, 1.0)
    share = _uniform(n, -0.6, 1.0).clamp_min(0.0).view(n, 1, 1, 1)
    thick = ink + share * (spread - ink).clamp_min(0.0)
    return (thick * _uniform(n, 0.8, 1.4).view(n, 1, 1, 1)).clamp(0.0, 1.0)


def _grid(matrices: Tensor, size: tuple[int, int]) -> Tensor:
    return F.affine_grid(matrices, [len(matrices), 1, *size], align_corners=False)


def _warp(images: Tensor, grid: Tensor, padding: str) -> Tensor:
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
