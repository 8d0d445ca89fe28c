"""Metrics of a network on a partition of the split."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from simsearch.evaluation.metrics import best_threshold, confusion, roc_auc
from simsearch.evaluation.pairs import pair_scores, sample_pairs
from simsearch.evaluation.protocols import episodes
from simsearch.evaluation.statistics.correlation import pearson, spearman
from simsearch.training.data.forgeries import forgery_figures, genuine_only, writer_pairs
from simsearch.training.data.image_augmentation import augment
from simsearch.training.data.inputs import Views
from simsearch.training.networks.length_bucketing import in_length_buckets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.evaluation.metrics import Confusion
    from simsearch.training.data.dataset import Dataset
    from simsearch.training.data.inputs import Inputs
    from simsearch.training.data.partition import Partition
    from simsearch.training.networks.encoder import Network
    from simsearch.training.recipes import Recipe
    from simsearch.types import JSONValue, Scores, Vectors

BATCH = 256
MOST_PAIRS = 20_000
MOST_VIEWS = 2_000
EPISODES = 400
HALF = 0.5
COSINE_AT_HALF = 0.875
"""The cosine of two unit vectors at L2 distance 0.5."""
REPORTED_WAYS = {"content": (5, 10), "given": (5, 10), "class": (5, 20), "group": (5, 20)}


def embed_rows(network: Network, inputs: Inputs, rows: NDArray[np.int64], *, view: str | None = None) -> Vectors:
    """Embeddings of these rows of the inputs, in batches of 256. An all-zero output stays zero.

    With `view`, the name of an augmentation, of a random view: augmented, and with dropout.
    """
    network.eval()
    if view is not None:
        for module in network.modules():
            module.train(isinstance(module, nn.Dropout))
    device = next((tensor.device for tensor in network.parameters()), torch.device("cpu"))
    parts = []
    with torch.inference_mode():
        for start in range(0, len(rows), BATCH):
            batch = inputs.batch(rows[start : start + BATCH]).to(device)
            if view is None:
                embedded = in_length_buckets(network, batch)
            else:
                embedded = in_length_buckets(network, augment(network.prepare(batch), view), network.embed)
            parts.append(embedded.float().cpu().numpy())
    return np.concatenate(parts)


def scored_pairs(
    partition: Partition, vectors: Vectors, seed: int
) -> tuple[NDArray[np.int64], Scores, NDArray[np.bool_]]:
    """The given pairs of a partition, or all pairs of its rows (a sample of at most 20,000), with scores and labels.

    With forgeries, the pairs of each writer: two genuine ones, or a genuine and a forged one.
    """
    if partition.forged is not None:
        pairs, same = writer_pairs(partition)
        return pairs, row_products(vectors, pairs), same
    if partition.labels is None:
        assert partition.pairs is not None and partition.same is not None
        return partition.pairs, row_products(vectors, partition.pairs), partition.same
    count = len(vectors) * (len(vectors) - 1) // 2
    if count > MOST_PAIRS:
        pairs = sample_pairs(partition.labels, MOST_PAIRS, np.random.default_rng(seed), positive_fraction=0.5)
    else:
        pairs = np.stack(np.triu_indices(len(vectors), 1), axis=1)
    scores, same = pair_scores(vectors, partition.labels, pairs=pairs)
    return pairs, scores, same


def row_products(vectors: Vectors, pairs: NDArray[np.int64]) -> Scores:
    """The cosine of each pair (m, 2) of rows."""
    products: Scores = np.einsum("ij,ij->i", vectors[pairs[:, 0]], vectors[pairs[:, 1]])
    return products


@dataclass(frozen=True, slots=True)
class OneShot:
    ways: int
    accuracy: float
    half_width: float


def one_shot(
    partition: Partition, vectors: Vectors, *, most_ways: int, seed: int, count: int = EPISODES
) -> OneShot | None:
    """One-shot accuracy among `most_ways` classes (fewer if there are fewer), or None without classes.

    If classes have groups, the classes of an episode are of one group. Forgeries are excluded.
    """
    if partition.forged is not None:
        vectors = vectors[~partition.forged]
        partition = genuine_only(partition)
    if partition.labels is None:
        return None
    classes, first = np.unique(partition.labels, return_index=True)
    sizes = np.unique(partition.labels, return_counts=True)[1]
    ways = min(most_ways, int((sizes >= 2).sum()))
    groups = None
    if partition.groups is not None:
        per_group = np.unique(partition.groups[first][sizes >= 2], return_counts=True)[1]
        groups = partition.groups
        ways = min(most_ways, int(per_group.max(initial=0)))
    if ways < 2 or len(classes) < 2:
        return None
    result = episodes(vectors, partition.labels, ways=ways, shots=1, queries=1, count=count, seed=seed, groups=groups)
    return OneShot(ways, result.accuracy, result.half_width)


@dataclass(frozen=True, slots=True)
class Verification:
    """Verification metrics on the pairs of the test partition. `threshold` was chosen on validation pairs."""

    threshold: float
    accuracy: float
    accuracy_at_half_distance: float
    accuracy_at_half_score: float
    auc: float
    confusion: Confusion
    pairs: NDArray[np.int64]
    scores: Scores
    same: NDArray[np.bool_]


def verify(partition: Partition, vectors: Vectors, *, threshold: float, seed: int) -> Verification:
    """The metrics of the test pairs at a given threshold, at distance 0.5 and at score 0.5."""
    pairs, scores, same = scored_pairs(partition, vectors, seed)
    at = [confusion(scores, same, each) for each in (threshold, COSINE_AT_HALF, HALF)]
    chosen, half_distance, half = (
        each.balanced_accuracy if partition.labels is not None else each.accuracy for each in at
    )
    return Verification(threshold, chosen, half_distance, half, roc_auc(scores, same), at[0], pairs, scores, same)


def chosen_threshold(partition: Partition, vectors: Vectors, seed: int) -> tuple[float, float]:
    """The threshold with the best accuracy on the pairs of this partition, and that accuracy.

    For classes it is the balanced accuracy, as nearly all pairs are of different classes. Given pairs are not
    reweighted.
    """
    _, scores, same = scored_pairs(partition, vectors, seed)
    return best_threshold(scores, same, balanced=partition.labels is not None)


def validation_figure(network: Network, data: Dataset, recipe: Recipe) -> float:
    """The metric by which weights are chosen, larger is better; NaN without a validation partition.

    One-shot accuracy on unseen classes, else the best accuracy on pairs; Spearman's correlation with grades; the share
    of triplets in the right order; without labels, the share of inputs whose nearest neighbor is their own other view;
    with forgeries the area under the ROC curve of genuine against forged pairs.
    """
    partition = data.validation
    if not len(partition):
        return math.nan
    vectors = embed_rows(network, data.inputs, partition.rows)
    if partition.forged is not None:
        _, scores, same = scored_pairs(partition, vectors, recipe.seed)
        return roc_auc(scores, same)
    if partition.labels is not None and data.split.by in ("class", "group"):
        result = one_shot(partition, vectors, most_ways=recipe.validation_ways, seed=recipe.seed)
        if result is not None:
            return result.accuracy
    if partition.labels is not None or partition.same is not None:
        return chosen_threshold(partition, vectors, recipe.seed)[1]
    return next(iter(other_figures(network, data, partition, vectors, recipe).values()))


def other_figures(
    network: Network, data: Dataset, partition: Partition, vectors: Vectors, recipe: Recipe
) -> dict[str, float]:
    """The metrics of a partition without same or different labels."""
    return order_figures(partition, vectors) or {
        "own_view_nearest": own_view_nearest(network, data, partition, vectors, recipe)
    }


def order_figures(partition: Partition, vectors: Vectors) -> dict[str, float]:
    """The rank metrics of scores against grades or triplets; empty without these."""
    if partition.scores is not None and partition.pairs is not None:
        scores = row_products(vectors, partition.pairs)
        return {"spearman": spearman(scores, partition.scores), "pearson": pearson(scores, partition.scores)}
    if partition.triplets is not None:
        near, far = row_products(vectors, partition.triplets[:, :2]), row_products(vectors, partition.triplets[:, ::2])
        return {"triplets_in_order": float(np.mean(near > far))}
    return {}


def own_view_nearest(network: Network, data: Dataset, partition: Partition, vectors: Vectors, recipe: Recipe) -> float:
    """The share of inputs whose nearest view is their own: the augmented one, or the text that follows.

    Among at most 2,000 inputs.
    """
    here, there = np.arange(len(partition))[:MOST_VIEWS], np.arange(len(partition))[:MOST_VIEWS]
    if partition.neighbours is not None and (partition.neighbours >= 0).any():
        here = np.flatnonzero(partition.neighbours >= 0)[:MOST_VIEWS]
        there = partition.neighbours[here]
        others, itself = vectors[there], here[:, None] == there
    elif isinstance(data.inputs, Views):
        # The last of the views that were encoded beforehand.
        others = embed_rows(network, replace(data.inputs, view=-1), partition.rows[there])
        itself = np.zeros((len(here), len(there)), dtype=np.bool_)
    else:
        state = torch.get_rng_state()
        torch.manual_seed(recipe.seed)
        others = embed_rows(network, data.inputs, partition.rows[there], view=recipe.augmentation)
        torch.set_rng_state(state)
        itself = np.zeros((len(here), len(there)), dtype=np.bool_)
    nearest = np.where(itself, -np.inf, vectors[here] @ others.T).argmax(axis=1)
    return float(np.mean(nearest == np.arange(len(here))))


def figures_of_test(
    network: Network, data: Dataset, vectors: Vectors, threshold: float | None, recipe: Recipe
) -> tuple[dict[str, JSONValue], Verification | None]:
    """The test metrics, and the verification of the test pairs, if any."""
    partition = data.test
    if threshold is None:
        return {
            f"test_{name}": value for name, value in other_figures(network, data, partition, vectors, recipe).items()
        }, None
    verification = verify(partition, vectors, threshold=threshold, seed=recipe.seed)
    figures: dict[str, JSONValue] = {
        "test_pairs": len(verification.pairs),
        "test_pair_accuracy": verification.accuracy,
        "test_pair_accuracy_at_distance_0.5": verification.accuracy_at_half_distance,
        "test_pair_accuracy_at_score_0.5": verification.accuracy_at_half_score,
        "test_roc_auc": verification.auc,
    }
    if partition.forged is not None:
        found = forgery_figures(partition, verification.pairs, verification.scores, verification.same)
        figures |= {f"test_{name}": value for name, value in found.items()}
    for ways in REPORTED_WAYS[data.split.by]:
        result = one_shot(partition, vectors, most_ways=ways, seed=recipe.seed)
        if result is not None:
            figures[f"test_{result.ways}_way_1_shot"] = result.accuracy
            figures[f"test_{result.ways}_way_1_shot_interval"] = result.half_width
    return figures, verification
