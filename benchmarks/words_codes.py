"""Optimized product quantization (Ge et al. 2013, the parametric form): one byte for every few dimensions."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

CHOICES = 256
"""Codewords of a byte."""
ROUNDS = 12


@dataclass(frozen=True)
class Codes:
    """Row r is scale[r] times the numbers books[g][codes[r, g]] of all groups g one after the other, turned back."""

    codes: Tensor
    """(rows, groups), uint8."""
    books: Tensor
    """(groups, 256, numbers in a group)."""
    turn: Tensor
    """(dim, dim)."""
    scale: Tensor

    def decoded(self) -> Tensor:
        numbers = [book[self.codes[:, group].long()] for group, book in enumerate(self.books)]
        return torch.cat(numbers, dim=1) @ self.turn * self.scale[:, None]

    @classmethod
    def learned(cls, table: Tensor, groups: int, seed: int) -> Codes:
        """Of each row its direction is coded, and its length kept; rows of zero stay zero."""
        length = table.norm(dim=1)
        used = length > 0
        unit = table[used] / length[used, None]
        values, directions = torch.linalg.eigh(unit.double().T @ unit.double())
        turn = directions[:, balanced(values, groups)].T.float().half().float()
        numbers = (unit @ turn.T).split(table.shape[1] // groups, dim=1)
        random = torch.Generator().manual_seed(seed)
        found = [clustered(each, random) for each in numbers]
        codes = torch.zeros(len(table), groups, dtype=torch.uint8)
        codes[used] = torch.stack([chosen for chosen, _ in found], dim=1).to(torch.uint8)
        books = torch.stack([centres for _, centres in found]).half().float()
        decoded = cls(codes, books, turn, used.float()).decoded()
        # The best factor for what was coded.
        scale = (table * decoded).sum(dim=1) / decoded.square().sum(dim=1).clamp_min(1e-12)
        return cls(codes, books, turn, scale.half().float())


def balanced(values: Tensor, groups: int) -> Tensor:
    """An order of the directions by which all groups have equally many, and about the same product of variances."""
    size = len(values) // groups
    members: list[list[int]] = [[] for _ in range(groups)]
    logs = [0.0] * groups
    for direction in values.argsort(descending=True).tolist():
        free = [group for group in range(groups) if len(members[group]) < size]
        group = min(free, key=lambda each: (logs[each], each))
        members[group].append(direction)
        logs[group] += float(values[direction].clamp_min(1e-9).log() - values.clamp_min(1e-9).log().min())
    return torch.tensor([direction for each in members for direction in each])


def clustered(rows: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """The centre of each row, and the centres (k-means)."""
    centres = rows[torch.randperm(len(rows), generator=random)[:CHOICES]].clone()
    for _ in range(ROUNDS):
        chosen = torch.cdist(rows, centres).argmin(dim=1)
        sums = torch.zeros_like(centres).index_add_(0, chosen, rows)
        counts = torch.bincount(chosen, minlength=len(centres))
        centres = torch.where(counts[:, None] > 0, sums / counts.clamp_min(1)[:, None], centres)
    return torch.cdist(rows, centres).argmin(dim=1), centres
