"""Interpolation between the initial and the fine-tuned weights (WiSE-FT, Wortsman et al. 2022)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from simsearch.evaluation.statistics.intervals import LEVEL
from simsearch.progress import Progress, Working
from simsearch.training.data.forgeries import auc_of_writers
from simsearch.training.measure import embed_rows, one_shot, scored_pairs

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from simsearch.training.data.dataset import Dataset
    from simsearch.training.networks.encoder import Network
    from simsearch.training.recipes import Recipe

WEIGHTS = (0.0, 0.25, 0.5, 0.75)
"""The interpolation weights of the initial encoder that are compared, ascending."""
MOST_QUERIES, MOST_GALLERY = 1_000, 2_000
"""The largest numbers of validation queries and of training inputs in the gallery, for comparing weights."""
EPISODES = 2_000
ERRORS_A_HALF = NormalDist().inv_cdf((1 + LEVEL) / 2)
"""The half width of a confidence interval in standard errors."""


@dataclass(frozen=True, slots=True)
class Interpolation:
    """The weight of the initial encoder that was chosen, and the accuracy of each that was compared."""

    weight: float
    compared: Mapping[float, float]


def interpolated(initial: Mapping[str, Tensor], tuned: Mapping[str, Tensor], weight: float) -> dict[str, Tensor]:
    """The tensors weight * initial + (1 - weight) * tuned; those of whole numbers are the tuned ones."""
    return {
        name: tensor.lerp(initial[name].to(tensor), weight) if tensor.is_floating_point() else tensor
        for name, tensor in tuned.items()
    }


def interpolate_weights(
    encoder: nn.Module,
    initial: Mapping[str, Tensor],
    network: Network,
    data: Dataset,
    recipe: Recipe,
    progress: Progress,
) -> Interpolation:
    """Interpolates the fine-tuned `encoder` with its `initial` weights, by the recipe or as validation chooses.

    `network` is the part of the encoder that is trained on `data`. The weight is chosen by the one-standard-error rule
    (Breiman et al. 1984, section 3.4.3): the largest whose accuracy is within one of the best.
    Validation classes that are held out are recognized from one example; inputs of training classes are assigned the
    class of the nearest training input. Without either it is the largest.
    """
    tuned = {name: tensor.detach().clone() for name, tensor in encoder.state_dict().items()}
    if recipe.start_share is not None:
        encoder.load_state_dict(interpolated(initial, tuned, recipe.start_share))
        return Interpolation(recipe.start_share, {})
    measured = {}
    with Working(progress, len(WEIGHTS), "weights", "interpolating"):
        for weight in WEIGHTS:
            encoder.load_state_dict(interpolated(initial, tuned, weight))
            found = validation_accuracy(network, data, recipe)
            if found is not None:
                measured[weight] = found
            progress.advance()
    chosen = one_standard_error_rule(measured) if measured else WEIGHTS[-1]
    encoder.load_state_dict(interpolated(initial, tuned, chosen))
    return Interpolation(chosen, {weight: accuracy for weight, (accuracy, _) in measured.items()})


def one_standard_error_rule(measured: Mapping[float, tuple[float, float]]) -> float:
    """The largest weight whose accuracy is within a standard error of the best, that of the best.

    `measured` has the accuracy of each weight and its standard error.
    """
    accuracy, error = max(measured.values())
    return max(weight for weight, (other, _) in measured.items() if other >= accuracy - error)


def validation_accuracy(network: Network, data: Dataset, recipe: Recipe) -> tuple[float, float] | None:
    """The accuracy with which validation inputs are classified, and its standard error; None without classes.

    With forgeries it is the mean area under the ROC curve of the validation writers, where these are held out.
    """
    partition, train = data.validation, data.train
    if not len(partition):
        return None
    if partition.forged is not None:
        return _verification_auc(network, data, recipe)
    assert partition.labels is not None and train.labels is not None
    if not np.isin(partition.labels, train.labels).any():
        vectors = embed_rows(network, data.inputs, partition.rows)
        result = one_shot(partition, vectors, most_ways=recipe.validation_ways, seed=recipe.seed, count=EPISODES)
        return None if result is None else (result.accuracy, result.half_width / ERRORS_A_HALF)
    queries, known = _some(len(partition), MOST_QUERIES, recipe.seed), _some(len(train), MOST_GALLERY, recipe.seed)
    questions, answers = (
        embed_rows(network, data.inputs, rows) for rows in (partition.rows[queries], train.rows[known])
    )
    nearest = train.labels[known][(questions @ answers.T).argmax(axis=1)]
    right = nearest == partition.labels[queries]
    # Agresti and Coull 1998: the standard error is not zero when all are right.
    share, count = (right.sum() + 2) / (len(right) + 4), len(right) + 4
    return float(right.mean()), math.sqrt(share * (1 - share) / count)


def ranking_precision(network: Network, data: Dataset, recipe: Recipe) -> tuple[float, float] | None:
    """The mean of `average_precisions` and its standard error.

    It distinguishes networks of equal accuracy, as it depends on the whole ranking. For held-out validation classes
    and for forgeries it is `validation_accuracy`; None without classes.
    """
    each = average_precisions(network, data, recipe)
    if each is None:
        return validation_accuracy(network, data, recipe)
    return float(each.mean()), standard_error(each)


def average_precisions(network: Network, data: Dataset, recipe: Recipe) -> NDArray[np.float64] | None:
    """The average precision with which each validation input ranks the training inputs, always of the same inputs.

    None where no validation class is a training class, and for forgeries.
    """
    partition, train = data.validation, data.train
    if partition.labels is None or train.labels is None or partition.forged is not None:
        return None
    known = np.flatnonzero(np.isin(partition.labels, train.labels))
    if not len(known):
        return None
    queries = known[_some(len(known), MOST_QUERIES, recipe.seed)]
    gallery = _some(len(train), MOST_GALLERY, recipe.seed)
    vectors, answers = (
        embed_rows(network, data.inputs, rows) for rows in (partition.rows[queries], train.rows[gallery])
    )
    order = np.argsort(-(vectors @ answers.T), axis=1, kind="stable")
    hits = train.labels[gallery][order] == partition.labels[queries][:, None]
    precision = hits.cumsum(axis=1) / np.arange(1, hits.shape[1] + 1)
    each: NDArray[np.float64] = (precision * hits).sum(axis=1) / np.maximum(1, hits.sum(axis=1))
    return each


def standard_error(values: NDArray[np.float64]) -> float:
    """The standard error of the mean."""
    return float(values.std()) / math.sqrt(len(values))


def clearly_better(before: NDArray[np.float64], after: NDArray[np.float64]) -> bool:
    """Whether the mean of `after` is higher by more than a standard error of the difference of the pairs."""
    gains = after - before
    return bool(gains.mean() > standard_error(gains))


def _verification_auc(network: Network, data: Dataset, recipe: Recipe) -> tuple[float, float] | None:
    partition = data.validation
    assert partition.labels is not None and data.train.labels is not None
    if np.isin(partition.labels, data.train.labels).any():
        # Verification of writers that were trained on does not predict that of others.
        return None
    vectors = embed_rows(network, data.inputs, partition.rows)
    areas = auc_of_writers(partition, *scored_pairs(partition, vectors, recipe.seed))
    return float(np.mean(areas)), float(np.std(areas)) / math.sqrt(len(areas))


def _some(count: int, most: int, seed: int) -> NDArray[np.int64]:
    """A random sample of at most `most` numbers below `count`, ascending."""
    return np.sort(np.random.default_rng(seed).permutation(count)[:most])
