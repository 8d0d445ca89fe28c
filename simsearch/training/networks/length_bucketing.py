"""Texts of a batch in parts of similar length, so that short ones do not wait for the padding of the longest."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from simsearch.training.networks.text import BagOfTokens

TEXTS = 16
"""Texts in a part: with fewer the products are too small to be fast."""


def in_length_buckets(network: nn.Module, inputs: Tensor, compute: Callable[[Tensor], Tensor] | None = None) -> Tensor:
    """What `compute`, which is `network` itself unless it is given, makes of a batch, one row for each input.

    On a processor token ids (n, length) go through in parts of 16 texts of similar length, each as wide as its longest,
    since what a step costs there is the padding. The rows come back in order, the same up to the last digits. All else
    goes through at once: pictures, features, what a GPU computes, and sums of a vector a token, which no padding slows
    down.
    """
    run = compute or network
    if inputs.dim() != 2 or inputs.is_floating_point() or inputs.device.type != "cpu" or _only_sums(network):
        return run(inputs)
    lengths = (inputs != 0).sum(dim=1)
    order = torch.argsort(lengths, stable=True)
    parts = [run(inputs[rows, : max(1, int(lengths[rows[-1]]))]) for rows in torch.split(order, TEXTS)]
    return torch.cat(parts)[torch.argsort(order)]


def _only_sums(network: nn.Module) -> bool:
    return any(isinstance(layer, BagOfTokens) for layer in network.modules())
