"""Every loss against plain loops over embeddings at known angles, and its gradients where formulas break."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from simsearch.training.losses.functional import (
    batch_pairs,
    contrastive,
    dot_regression,
    squared_distances,
    supervised_contrastive,
    triplet,
)
from simsearch.training.losses.proxies import CosineClassifier

DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
ANGLES = (0.0, 20.0, 60.0, 90.0, 120.0, 180.0, 200.0, 345.0)
LABELS = torch.tensor([0, 0, 1, 1, 2, 0, 2, 3])


def tolerance(dtype: torch.dtype) -> float:
    return 2e-5 if dtype == torch.float32 else 1e-9


def at_angles(dtype: torch.dtype, angles: tuple[float, ...] = ANGLES) -> Tensor:
    """Unit vectors in the plane."""
    radians = torch.tensor([math.radians(angle) for angle in angles], dtype=torch.float64)
    return torch.stack([radians.cos(), radians.sin()], dim=1).to(dtype)


def at_random(dtype: torch.dtype, seed: int = 0, n: int = 8, dim: int = 5) -> Tensor:
    drawn = torch.randn(n, dim, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return F.normalize(drawn, dim=1).to(dtype)


def distance(a: Tensor, b: Tensor) -> float:
    return math.dist(a.double().tolist(), b.double().tolist())


def all_pairs(embeddings: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    pairs = list(combinations(range(len(labels)), 2))
    left, right = (torch.tensor(side) for side in zip(*pairs, strict=True))
    scores = (embeddings[left] * embeddings[right]).sum(dim=1)
    return scores, (labels[left] == labels[right]).to(embeddings.dtype)


def naive_contrastive(embeddings: Tensor, labels: Tensor, margin: float) -> float:
    total, count = 0.0, 0
    for i, j in combinations(range(len(labels)), 2):
        apart = distance(embeddings[i], embeddings[j])
        total += apart**2 if labels[i] == labels[j] else max(0.0, margin - apart) ** 2
        count += 1
    return total / count


def naive_dot(embeddings: Tensor, labels: Tensor) -> float:
    errors = [
        (float(embeddings[i].double() @ embeddings[j].double()) - float(labels[i] == labels[j])) ** 2
        for i, j in combinations(range(len(labels)), 2)
    ]
    return sum(errors) / len(errors)


def naive_triplet(embeddings: Tensor, labels: Tensor, margin: float) -> float:
    violations = []
    for a in range(len(labels)):
        for p in range(len(labels)):
            for n in range(len(labels)):
                if a == p or labels[a] != labels[p] or labels[a] == labels[n]:
                    continue
                near, far = distance(embeddings[a], embeddings[p]), distance(embeddings[a], embeddings[n])
                violations.append(near**2 - far**2 + margin)
    violating = [violation for violation in violations if violation > 0]
    return sum(violating) / max(1, len(violating))


def naive_supervised(embeddings: Tensor, labels: Tensor, temperature: float) -> float:
    rows = embeddings.double().tolist()
    per_anchor = []
    for i, anchor in enumerate(rows):
        others = [j for j in range(len(rows)) if j != i]
        mates = [j for j in others if labels[j] == labels[i]]
        if not mates:
            continue
        weight = {j: math.exp(sum(map(float.__mul__, anchor, rows[j])) / temperature) for j in others}
        per_anchor.append(-sum(math.log(weight[p] / sum(weight.values())) for p in mates) / len(mates))
    return sum(per_anchor) / max(1, len(per_anchor))


@DTYPES
@pytest.mark.parametrize("make", [at_angles, at_random])
@pytest.mark.parametrize("margin", [0.5, 1.0, 1.9])
def test_contrastive_equals_a_loop_over_all_pairs(
    dtype: torch.dtype, make: Callable[[torch.dtype], Tensor], margin: float
) -> None:
    embeddings = make(dtype)
    loss = contrastive(*all_pairs(embeddings, LABELS), margin)
    assert loss.dtype == dtype
    assert loss.item() == pytest.approx(naive_contrastive(embeddings, LABELS, margin), abs=tolerance(dtype))


@DTYPES
@pytest.mark.parametrize("make", [at_angles, at_random])
def test_dot_regression_equals_a_loop_over_all_pairs(dtype: torch.dtype, make: Callable[[torch.dtype], Tensor]) -> None:
    embeddings = make(dtype)
    loss = dot_regression(*all_pairs(embeddings, LABELS))
    assert loss.item() == pytest.approx(naive_dot(embeddings, LABELS), abs=tolerance(dtype))


@DTYPES
@pytest.mark.parametrize("make", [at_angles, at_random])
@pytest.mark.parametrize("margin", [0.05, 0.2, 1.0])
def test_triplet_equals_a_loop_over_all_triplets(
    dtype: torch.dtype, make: Callable[[torch.dtype], Tensor], margin: float
) -> None:
    embeddings = make(dtype)
    loss = triplet(embeddings, LABELS, margin)
    assert loss.item() == pytest.approx(naive_triplet(embeddings, LABELS, margin), abs=tolerance(dtype))


@DTYPES
@pytest.mark.parametrize("make", [at_angles, at_random])
@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_supervised_contrastive_equals_a_loop_over_all_anchors(
    dtype: torch.dtype, make: Callable[[torch.dtype], Tensor], temperature: float
) -> None:
    embeddings = make(dtype)
    loss = supervised_contrastive(embeddings, LABELS, temperature)
    expected = naive_supervised(embeddings, LABELS, temperature)
    assert loss.item() == pytest.approx(expected, abs=10 * tolerance(dtype))


@settings(max_examples=30, deadline=None)
@given(labels=st.lists(st.integers(0, 3), min_size=2, max_size=9), seed=st.integers(0, 1000))
def test_losses_equal_the_loops_for_any_labels(labels: list[int], seed: int) -> None:
    embeddings, numbers = at_random(torch.float64, seed, n=len(labels)), torch.tensor(labels)
    scores, same = all_pairs(embeddings, numbers)
    assert contrastive(scores, same).item() == pytest.approx(naive_contrastive(embeddings, numbers, 1.0), abs=1e-9)
    assert dot_regression(scores, same).item() == pytest.approx(naive_dot(embeddings, numbers), abs=1e-9)
    assert triplet(embeddings, numbers).item() == pytest.approx(naive_triplet(embeddings, numbers, 0.2), abs=1e-9)
    expected = naive_supervised(embeddings, numbers, 0.1)
    assert supervised_contrastive(embeddings, numbers).item() == pytest.approx(expected, abs=1e-9)


@DTYPES
def test_known_values(dtype: torch.dtype) -> None:
    """60 degrees apart is distance 1; 90 degrees is the root of 2; 180 is 2."""
    scores = torch.tensor([1.0, 0.5, 0.0, -1.0], dtype=dtype)
    assert squared_distances(scores).tolist() == pytest.approx([0.0, 1.0, 2.0, 4.0])
    similar, different = torch.ones(4, dtype=dtype), torch.zeros(4, dtype=dtype)
    assert contrastive(scores, similar).item() == pytest.approx((0 + 1 + 2 + 4) / 4, abs=1e-6)
    assert contrastive(scores, different, 1.5).item() == pytest.approx(
        (1.5**2 + 0.5**2 + (1.5 - math.sqrt(2)) ** 2) / 4, abs=1e-5
    )


def test_a_cosine_beyond_one_gives_no_negative_distance() -> None:
    assert squared_distances(torch.tensor([1.0000002, 1.5])).tolist() == [0.0, 0.0]


@DTYPES
def test_classifier_is_cross_entropy_over_scaled_cosines(dtype: torch.dtype) -> None:
    classifier = CosineClassifier(5, 4, scale=8.0).to(dtype)
    embeddings, labels = at_random(dtype), LABELS
    directions = classifier.directions.detach().double()
    total = 0.0
    for row, label in zip(embeddings.double(), labels.tolist(), strict=True):
        cosines = [float(row @ direction / direction.norm()) for direction in directions]
        weights = [math.exp(8.0 * cosine) for cosine in cosines]
        total -= math.log(weights[label] / sum(weights))
    assert classifier(embeddings, labels).item() == pytest.approx(total / len(labels), abs=10 * tolerance(dtype))


def test_the_length_of_a_classifiers_directions_does_not_matter() -> None:
    classifier = CosineClassifier(5, 4)
    embeddings = at_random(torch.float32)
    before = classifier(embeddings, LABELS).item()
    with torch.no_grad():
        classifier.directions.mul_(7.0)
    assert classifier(embeddings, LABELS).item() == pytest.approx(before, abs=1e-5)


def loss_of(name: str, raw: Tensor, labels: Tensor) -> Tensor:
    embeddings = F.normalize(raw, dim=1, eps=1e-6)
    if name == "triplet":
        return triplet(embeddings, labels)
    if name == "supervised":
        return supervised_contrastive(embeddings, labels)
    if name == "classifier":
        torch.manual_seed(0)
        loss: Tensor = CosineClassifier(raw.shape[1], 3).to(raw.dtype)(embeddings, labels)
        return loss
    scores, same = all_pairs(embeddings, labels)
    return contrastive(scores, same) if name == "contrastive" else dot_regression(scores, same)


ALL_LOSSES = pytest.mark.parametrize("name", ["contrastive", "dot", "triplet", "supervised", "classifier"])
AWKWARD = {
    "identical": [[1.0, 2.0], [1.0, 2.0], [1.0, 2.0], [1.0, 2.0]],
    "zero": [[0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]],
    "opposite": [[3.0, 1.0], [-3.0, -1.0], [3.0, 1.0], [-3.0, -1.0]],
    "zero beside others": [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 0.0]],
}


@DTYPES
@ALL_LOSSES
@pytest.mark.parametrize("case", AWKWARD)
def test_loss_and_gradient_are_finite_at_awkward_points(dtype: torch.dtype, name: str, case: str) -> None:
    raw = torch.tensor(AWKWARD[case], dtype=dtype, requires_grad=True)
    loss = loss_of(name, raw, torch.tensor([0, 0, 1, 2]))
    loss.backward()  # type: ignore[no-untyped-call]
    assert math.isfinite(loss.item())
    assert raw.grad is not None
    assert torch.isfinite(raw.grad).all()


@ALL_LOSSES
def test_gradient_is_that_of_finite_differences(name: str) -> None:
    raw = at_random(torch.float64, seed=3, n=6, dim=3).requires_grad_()
    labels = torch.tensor([0, 0, 1, 1, 2, 2])
    assert torch.autograd.gradcheck(lambda x: loss_of(name, x, labels), (raw,), atol=1e-5)


def test_contrastive_pushes_identical_strangers_apart_by_the_full_margin() -> None:
    scores = torch.tensor([1.0], requires_grad=True)
    loss = contrastive(scores, torch.tensor([0.0]), margin=1.0)
    assert loss.item() == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("labels", [[0, 0, 0], [0, 1, 2]])
def test_triplet_without_triplets_is_zero(labels: list[int]) -> None:
    raw = at_random(torch.float32, n=3).requires_grad_()
    loss = triplet(raw, torch.tensor(labels))
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == 0.0
    assert raw.grad is not None
    assert (raw.grad == 0).all()


def test_supervised_contrastive_without_class_mates_is_zero() -> None:
    assert supervised_contrastive(at_random(torch.float32, n=3), torch.tensor([0, 1, 2])).item() == 0.0


def pairs_of(labels: list[int], share: float, seed: int = 0) -> tuple[list[tuple[int, int]], list[float]]:
    left, right, same = batch_pairs(torch.tensor(labels), share, torch.Generator().manual_seed(seed))
    return list(zip(left.tolist(), right.tolist(), strict=True)), same.tolist()


def test_batch_pairs_gives_every_pair_when_no_share_is_asked_for() -> None:
    labels = [0, 1, 0, 2, 1]
    pairs, same = pairs_of(labels, 0.0)
    assert pairs == list(combinations(range(5), 2))
    assert same == [float(labels[i] == labels[j]) for i, j in pairs]


@settings(max_examples=60, deadline=None)
@given(
    labels=st.lists(st.integers(0, 4), min_size=2, max_size=16),
    share=st.sampled_from([0.1, 0.25, 0.3, 0.5, 0.9, 1.0]),
    seed=st.integers(0, 99),
)
def test_batch_pairs_keeps_all_positives_and_reaches_the_share(labels: list[int], share: float, seed: int) -> None:
    pairs, same = pairs_of(labels, share, seed)
    every = list(combinations(range(len(labels)), 2))
    positives = [(i, j) for i, j in every if labels[i] == labels[j]]
    negatives = len(every) - len(positives)
    assert len(set(pairs)) == len(pairs)
    assert set(pairs) <= set(every)
    assert same == [float(labels[i] == labels[j]) for i, j in pairs]
    assert set(positives) <= set(pairs)
    kept = len(pairs) - len(positives)
    if not positives:
        assert kept == negatives
        return
    # One negative pair stays even where the share leaves room for none.
    assert kept == min(negatives, max(1, int(len(positives) * (1 - share) / share)))
    assert kept <= 1 or len(positives) / len(pairs) >= share - 1e-9


def test_batch_pairs_draws_other_negatives_with_another_seed() -> None:
    labels = [0, 0, 1, 1, 2, 2, 3, 3]
    assert pairs_of(labels, 0.5, 1) == pairs_of(labels, 0.5, 1)
    assert pairs_of(labels, 0.5, 1) != pairs_of(labels, 0.5, 2)
