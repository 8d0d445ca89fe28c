"""The figures of a side, beside plain loops over its pairs, triplets and views."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr
from torch import Tensor, nn

from simsearch.labelled.splits import Split
from simsearch.training.data.dataset import Dataset
from simsearch.training.data.inputs import Arrays
from simsearch.training.data.partition import Partition
from simsearch.training.measure import (
    BATCH,
    chosen_threshold,
    embed_rows,
    figures_of_test,
    one_shot,
    row_products,
    validation_figure,
    verify,
)
from simsearch.training.networks.building import build
from simsearch.training.networks.encoder import Network, unit_rows
from simsearch.training.networks.specification import ModelSpec
from simsearch.training.presets import preset

COUNT = 40
RECIPE = replace(preset("backbone"), seed=3)
RNG = np.random.default_rng(0)
VECTORS = RNG.normal(size=(COUNT, 6)).astype(np.float32)
VECTORS /= np.linalg.norm(VECTORS, axis=1, keepdims=True)
PAIRS = np.array(list(itertools.combinations(range(12), 2)))
ROWS = np.arange(COUNT)[::-1].copy()
"""A side's rows need not be in order: positions are what pairs and triplets name."""


class Itself(Network):
    """Embeds unit vectors as they are; a random view is without some of their numbers."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout: nn.Module = nn.Dropout(dropout)

    def embed(self, prepared: Tensor) -> Tensor:
        return unit_rows(self.dropout(prepared))


def dataset(side: Partition, by: str = "content") -> Dataset:
    empty = np.array([], dtype=np.int64)
    split = Split(empty, empty, empty, by)
    nothing = Partition(empty)
    kind = "unlabelled"
    return Dataset(kind, "image", Arrays(VECTORS), (), nothing, side, side, (), split, "", 0, ())


def figure(side: Partition, by: str = "content", network: Network | None = None) -> float:
    return validation_figure(network or Itself(), dataset(side, by), RECIPE)


def cosine(side: Partition, left: int, right: int) -> float:
    return float(np.dot(VECTORS[side.rows[left]].astype(np.float64), VECTORS[side.rows[right]].astype(np.float64)))


def best_accuracy(scores: list[float], same: list[bool]) -> float:
    """The share that is right at the best of all thresholds, by trying each."""
    return max(
        np.mean([(score >= threshold) == truth for score, truth in zip(scores, same, strict=True)])
        for threshold in [*scores, math.inf]
    )


def test_rows_are_embedded_in_batches_as_alone() -> None:
    torch.manual_seed(0)
    network = build(ModelSpec("residual", 8, 8, 1, 4, widths=(4,)), mean=(0.5,), std=(0.3,))
    inputs = Arrays(RNG.integers(0, 256, size=(BATCH + 5, 8, 8, 1), dtype=np.uint8))
    rows = RNG.permutation(BATCH + 5)
    found = embed_rows(network.train(), inputs, rows)
    with torch.inference_mode():
        expected = np.concatenate([network.eval()(inputs.batch(np.array([row]))).numpy() for row in rows])
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_random_view_has_dropout_and_the_batch_statistics_of_before() -> None:
    network = Itself()
    network.dropout = nn.Sequential(nn.BatchNorm1d(6), nn.Dropout(0.5), nn.Identity())
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    assert before
    plain = embed_rows(network, Arrays(VECTORS), np.arange(COUNT))
    views = [embed_rows(network.train(), Arrays(VECTORS), np.arange(COUNT), view="none") for _ in range(2)]
    np.testing.assert_allclose(plain, VECTORS, atol=1e-4)
    assert (views[0] == 0).mean() == pytest.approx(0.5, abs=0.15)
    assert not np.array_equal(views[0], views[1])
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_products_are_cosines_of_pairs() -> None:
    side = Partition(ROWS)
    expected = [cosine(side, left, right) for left, right in PAIRS]
    np.testing.assert_allclose(row_products(VECTORS[ROWS], PAIRS), expected, atol=1e-6)


def test_pairs_are_judged_at_the_best_threshold() -> None:
    side = Partition(ROWS, pairs=PAIRS, same=RNG.random(len(PAIRS)) < 0.4)
    assert side.same is not None
    scores = [cosine(side, left, right) for left, right in PAIRS]
    assert figure(side) == pytest.approx(best_accuracy(scores, side.same.tolist()))
    threshold, accuracy = chosen_threshold(side, VECTORS[ROWS], 0)
    assert accuracy == pytest.approx(best_accuracy(scores, side.same.tolist()))
    assert np.mean([(score >= threshold) == truth for score, truth in zip(scores, side.same, strict=True)]) == accuracy
    verified = verify(side, VECTORS[ROWS], threshold=0.2, seed=0)
    right = [(score >= 0.2) == truth for score, truth in zip(scores, side.same, strict=True)]
    assert verified.accuracy == pytest.approx(np.mean(right))
    wins = [
        (near > far) + 0.5 * (near == far)
        for near, far in itertools.product(np.array(scores)[side.same], np.array(scores)[~side.same])
    ]
    assert verified.auc == pytest.approx(np.mean(wins))


def test_same_and_different_pairs_of_classes_count_for_as_much() -> None:
    # Five classes of four: 30 pairs are the same, 160 are not.
    rows, labels = np.arange(20), np.arange(20) % 5
    side = Partition(rows, labels)
    threshold, accuracy = chosen_threshold(side, VECTORS[rows], 0)
    pairs = list(itertools.combinations(range(20), 2))
    scores = np.array([cosine(side, left, right) for left, right in pairs], dtype=np.float32)
    same = np.array([labels[left] == labels[right] for left, right in pairs])
    rates = [((scores[same] >= cut).mean() + (scores[~same] < cut).mean()) / 2 for cut in [*scores, np.inf]]
    assert accuracy == pytest.approx(max(rates), abs=0.02)
    assert figure(side) == accuracy
    verified = verify(side, VECTORS[rows], threshold=threshold, seed=0)
    assert verified.accuracy == pytest.approx(accuracy)
    everyone_differs = verify(side, VECTORS[rows], threshold=1.1, seed=0)
    assert everyone_differs.accuracy == 0.5


def test_unseen_classes_are_judged_by_one_shot_recognition() -> None:
    side = Partition(ROWS, labels=np.repeat(np.arange(8), 5))
    result = one_shot(side, VECTORS[ROWS], most_ways=5, seed=3)
    assert result is not None
    assert result.ways == 5
    assert figure(side, "class") == result.accuracy
    # Five ways among vectors that know nothing of the classes.
    assert result.accuracy == pytest.approx(0.2, abs=0.15)
    known = VECTORS[ROWS] * 0.01 + np.eye(8, 6, dtype=np.float32)[side.labels % 6] * (1 + side.labels[:, None] // 6)
    known /= np.linalg.norm(known, axis=1, keepdims=True)
    few = Partition(ROWS[:30], labels=np.repeat(np.arange(6), 5))
    perfect = one_shot(few, known[:30].astype(np.float32), most_ways=20, seed=0)
    assert perfect is not None
    assert (perfect.ways, perfect.accuracy) == (6, 1.0)
    assert one_shot(Partition(ROWS), VECTORS, most_ways=5, seed=0) is None
    assert one_shot(Partition(ROWS, labels=np.arange(COUNT)), VECTORS, most_ways=5, seed=0) is None


def test_grades_are_judged_by_rank_correlation() -> None:
    side = Partition(ROWS, pairs=PAIRS, scores=RNG.random(len(PAIRS)).round(1).astype(np.float32))
    scores = [cosine(side, left, right) for left, right in PAIRS]
    assert figure(side) == pytest.approx(spearmanr(scores, side.scores).statistic, abs=1e-6)
    figures, verification = figures_of_test(Itself(), dataset(side), VECTORS[ROWS], None, RECIPE)
    assert verification is None
    assert figures["test_spearman"] == pytest.approx(spearmanr(scores, side.scores).statistic, abs=1e-6)
    assert figures["test_pearson"] == pytest.approx(np.corrcoef(scores, side.scores)[0, 1], abs=1e-6)


def test_triplets_are_judged_by_their_order() -> None:
    triplets = RNG.permuted(np.tile(np.arange(COUNT), (25, 1)), axis=1)[:, :3]
    side = Partition(ROWS, triplets=triplets)
    expected = np.mean([cosine(side, a, positive) > cosine(side, a, negative) for a, positive, negative in triplets])
    assert 0.2 < expected < 0.8
    assert figure(side) == pytest.approx(expected)


def nearest_share(queries: NDArray[np.float32], others: NDArray[np.float32], itself: list[int | None]) -> float:
    """How often query i is nearest to other i, by looking at each other one; `itself` is the one to pass over."""
    hits = 0
    for place, query in enumerate(queries):
        scores = {j: float(query @ other) for j, other in enumerate(others) if j != itself[place]}
        hits += max(scores, key=scores.__getitem__) == place
    return hits / len(queries)


def test_unlabelled_inputs_are_judged_by_their_own_view() -> None:
    side = Partition(ROWS)
    network = Itself(0.6)
    torch.manual_seed(RECIPE.seed)
    views = embed_rows(network, Arrays(VECTORS), ROWS, view="none")
    torch.manual_seed(11)
    expected = nearest_share(VECTORS[ROWS], views, [None] * COUNT)
    before = torch.get_rng_state()
    assert 0.2 < expected < 1
    assert figure(side, network=network) == pytest.approx(expected)
    assert torch.equal(torch.get_rng_state(), before)


def test_sentences_of_documents_are_judged_by_the_one_that_follows() -> None:
    # Three documents; each sentence is much like the next one, and none counts as its own neighbour.
    following = np.array([1, 2, 3, -1, 5, 6, -1, 8, -1, -1])
    rows = np.arange(10)
    near = VECTORS.copy()
    for place in range(1, 10):
        if following[place - 1] == place:
            near[place] += 1.2 * near[place - 1]
    near /= np.linalg.norm(near, axis=1, keepdims=True)
    side = Partition(rows, neighbours=following)
    here = [place for place in range(10) if following[place] >= 0]
    there = [int(following[place]) for place in here]
    itself = [there.index(place) if place in there else None for place in here]
    expected = nearest_share(near[here], near[there], itself)
    assert expected > 0.4
    found = validation_figure(Itself(), replace(dataset(side), inputs=Arrays(near)), RECIPE)
    assert found == pytest.approx(expected)


def test_nothing_to_validate_on_is_no_figure() -> None:
    assert math.isnan(figure(Partition(np.array([], dtype=np.int64))))
