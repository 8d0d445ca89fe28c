"""Augmentation of token ids (n, length), padded with 0 at the end."""

from __future__ import annotations

import torch
from torch import Tensor

DROPPED = 0.15
"""The share of tokens that is taken out."""
SHORTEST = 0.6
"""The least share of a text that is kept when it is cut."""


def augment_ids(ids: Tensor) -> Tensor:
    """A random variant of each text, with torch's global random state: one stretch of 60 to 100 % of it, without 15 %
    of the tokens in there. The order stays, padding stays at the end, and at least one token of a text is left.
    """
    return without(ids, (torch.rand(ids.shape, device=ids.device) < DROPPED) | outside(ids))


def outside(ids: Tensor) -> Tensor:
    """True for the tokens outside a random stretch of each text."""
    lengths = (ids != 0).sum(dim=1)
    kept = (lengths * torch.empty(len(ids), device=ids.device).uniform_(SHORTEST, 1.0)).round().clamp_min(1.0)
    first = ((lengths - kept + 1) * torch.rand(len(ids), device=ids.device)).floor()
    place = torch.arange(ids.shape[1], device=ids.device)
    return (place < first[:, None]) | (place >= (first + kept)[:, None])


def without(ids: Tensor, dropped: Tensor) -> Tensor:
    """The texts without these tokens, moved together; a text that would lose all of them stays as it is."""
    kept = (ids != 0) & ~dropped
    kept = torch.where(kept.any(dim=1, keepdim=True), kept, ids != 0)
    order = torch.argsort((~kept).to(torch.int8), dim=1, stable=True)
    return torch.where(kept, ids, 0).gather(1, order)
