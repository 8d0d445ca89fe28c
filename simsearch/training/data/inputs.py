"""The inputs of the network by row: images, texts, or features of frozen layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Inputs(Protocol):
    """Rows that can be drawn into a batch in any order."""

    def __len__(self) -> int: ...

    def batch(self, rows: NDArray[np.int64]) -> Tensor:
        """These rows as the one tensor that the network takes."""
        ...


@dataclass(frozen=True, slots=True)
class Arrays:
    """Rows of one array (n, ...): pixels as uint8, features as float32; it may be memory-mapped."""

    rows: NDArray[np.uint8] | NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, rows: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(self.rows[rows])


@dataclass(frozen=True, slots=True)
class Views:
    """Features (n, views, d) of several views of each input, the first of which is the input itself.

    `view` is the one that a batch has; None is one at random for each row, with torch's global random state.
    """

    rows: NDArray[np.floating[Any]]
    view: int | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, rows: NDArray[np.int64]) -> Tensor:
        """Shape (len(rows), d), float32."""
        drawn = torch.randint(self.rows.shape[1], (len(rows),)).numpy() if self.view is None else self.view
        return torch.from_numpy(self.rows[rows, drawn].astype(np.float32))


@dataclass(frozen=True, slots=True)
class Tokens:
    """Texts of any length as concatenated token ids: text i is `ids[starts[i]:starts[i + 1]]`."""

    ids: NDArray[np.int32]
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, texts: Sequence[Sequence[int]]) -> Tokens:
        lengths = np.fromiter((len(text) for text in texts), dtype=np.int64, count=len(texts))
        flat = np.fromiter((token for text in texts for token in text), dtype=np.int32, count=int(lengths.sum()))
        return cls(flat, np.concatenate([[0], np.cumsum(lengths)]))

    def __len__(self) -> int:
        return len(self.starts) - 1

    def batch(self, rows: NDArray[np.int64]) -> Tensor:
        """Shape (len(rows), longest of them), int64, padded with 0."""
        starts, lengths = self.starts[rows], self.starts[rows + 1] - self.starts[rows]
        column = np.arange(max(1, lengths.max(initial=1)))
        inside = column < lengths[:, None]
        padded = np.zeros(inside.shape, dtype=np.int64)
        padded[inside] = self.ids[(starts[:, None] + column)[inside]]
        return torch.from_numpy(padded)
