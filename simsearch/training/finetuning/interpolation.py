"""How much of the weights that a run began with is left in those that it keeps."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from simsearch.evaluation.intervals import LEVEL
from simsearch.progress import Progress, Working
from simsearch.training.data.forgeries import auc_of_writers
from simsearch.training.measure import embed_rows, one_shot, scored_pairs

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from simsearch.training.data.dataset import Dataset
    from simsearch.training.networks.encoder import Network
    from simsearch.training.recipes import Recipe

SHARES = (0.0, 0.25, 0.5, 0.75)
"""The shares of the start that are compared, the least first."""
MOST_ASKED, MOST_KNOWN = 1_000, 2_000
"""The inputs that ask for the nearest of how many, at most, to compare shares by; drawn at random where there are
more."""
EPISODES = 2_000
ERRORS_A_HALF = NormalDist().inv_cdf((1 + LEVEL) / 2)
"""Standard errors in half of an interval."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The share that was chosen, and for each that was compared how often it was right."""

    share: float
    compared: Mapping[float, float]


def between(start: Mapping[str, Tensor], learned: Mapping[str, Tensor], share: float) -> dict[str, Tensor]:
    """The weights with this share of the start and the rest of what was learned from there (Wortsman et al. 2022).

    On the way to what a few classes want, what tells others apart is lost last.
    """
    return {
        name: tensor.lerp(start[name].to(tensor), share) if tensor.is_floating_point() else tensor
        for name, tensor in learned.items()
    }


def keep_between(
    encoder: nn.Module, start: Mapping[str, Tensor], network: Network, data: Dataset, recipe: Recipe, progress: Progress
) -> Kept:
    """Leaves in `encoder`, which has learned, the share of `start` that the recipe gives or that its classes want.

    `network` is what of the encoder learns from `data`. The share is chosen after the rule of one standard error
    (Breiman et al. 1984, section 3.4.3): the largest of those that recognise about as well as the best of them.
    Where the classes of validation are held out they are recognised, from one example; else held-out inputs of the
    classes that were learned, by the nearest of the training side. With neither, the largest.
    """
    learned = {name: tensor.detach().clone() for name, tensor in encoder.state_dict().items()}
    if recipe.start_share is not None:
        encoder.load_state_dict(between(start, learned, recipe.start_share))
        return Kept(recipe.start_share, {})
    measured = {}
    with Working(progress, len(SHARES), "shares", "keeping"):
        for share in SHARES:
            encoder.load_state_dict(between(start, learned, share))
            found = recognised(network, data, recipe)
            if found is not None:
                measured[share] = found
            progress.advance()
    chosen = largest_as_good(measured) if measured else SHARES[-1]
    encoder.load_state_dict(between(start, learned, chosen))
    return Kept(chosen, {share: accuracy for share, (accuracy, _) in measured.items()})


def largest_as_good(measured: Mapping[float, tuple[float, float]]) -> float:
    """The largest share whose accuracy is within a standard error of the best, that of the best.

    `measured` has the accuracy of each share and its standard error.
    """
    accuracy, error = max(measured.values())
    return max(share for share, (other, _) in measured.items() if other >= accuracy - error)


def recognised(network: Network, data: Dataset, recipe: Recipe) -> tuple[float, float] | None:
    """How often validation inputs are given to their class, and the standard error of that; None without classes.

    With forgeries it is the mean area under the ROC curve of the validation writers, where these are held out.
    """
    side, train = data.validation, data.train
    if not len(side):
        return None
    if side.forged is not None:
        return _told_apart(network, data, recipe)
    assert side.labels is not None and train.labels is not None
    if not np.isin(side.labels, train.labels).any():
        vectors = embed_rows(network, data.inputs, side.rows)
        result = one_shot(side, vectors, most_ways=recipe.validation_ways, seed=recipe.seed, count=EPISODES)
        return None if result is None else (result.accuracy, result.half_width / ERRORS_A_HALF)
    asked, known = _some(len(side), MOST_ASKED, recipe.seed), _some(len(train), MOST_KNOWN, recipe.seed)
    questions, answers = (embed_rows(network, data.inputs, rows) for rows in (side.rows[asked], train.rows[known]))
    nearest = train.labels[known][(questions @ answers.T).argmax(axis=1)]
    right = nearest == side.labels[asked]
    # Two more of each kind (Agresti and Coull 1998): that all are right does not mean that there is no error.
    share, count = (right.sum() + 2) / (len(right) + 4), len(right) + 4
    return float(right.mean()), math.sqrt(share * (1 - share) / count)


def _told_apart(network: Network, data: Dataset, recipe: Recipe) -> tuple[float, float] | None:
    side = data.validation
    assert side.labels is not None and data.train.labels is not None
    if np.isin(side.labels, data.train.labels).any():
        # How well known writers are told from their forgers says little of others.
        return None
    vectors = embed_rows(network, data.inputs, side.rows)
    areas = auc_of_writers(side, *scored_pairs(side, vectors, recipe.seed))
    return float(np.mean(areas)), float(np.std(areas)) / math.sqrt(len(areas))


def _some(count: int, most: int, seed: int) -> NDArray[np.int64]:
    """At most `most` of the numbers below `count`, rising."""
    return np.sort(np.random.default_rng(seed).permutation(count)[:most])
