"""Miners against plain loops; the memory of past batches."""

from __future__ import annotations

import math
from collections import Counter

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from simsearch.errors import UsageError
from simsearch.training.losses.memory import CrossBatchMemory
from simsearch.training.losses.mining import (
    FARTHEST,
    MINING,
    NEAREST,
    Candidates,
    candidates,
    distance_weighted,
    distance_weights,
    distances,
)
from simsearch.training.losses.table import MINERS

Triplet = tuple[int, int, int]
BATCHES = {
    "labels": st.lists(st.integers(0, 3), min_size=1, max_size=9),
    "past": st.lists(st.integers(0, 4), max_size=5),
    "seed": st.integers(0, 1000),
}


def at_random(n: int, seed: int = 0, dim: int = 5) -> Tensor:
    drawn = torch.randn(n, dim, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return F.normalize(drawn, dim=1)


def found_of(labels: list[int], past: list[int], seed: int) -> Candidates:
    memory = (at_random(len(past), seed + 1), torch.tensor(past, dtype=torch.int64)) if past else None
    return candidates(at_random(len(labels), seed), torch.tensor(labels), memory)


def mined(name: str, found: Candidates) -> list[Triplet]:
    anchor, positive, negative = MINING[name](found)
    return list(zip(anchor.tolist(), positive.tolist(), negative.tolist(), strict=True))


def every(labels: list[int], past: list[int]) -> list[Triplet]:
    names = labels + past
    return [
        (a, p, n)
        for a in range(len(labels))
        for p in range(len(names))
        for n in range(len(names))
        if p != a and names[p] == labels[a] != names[n]
    ]


def test_the_table_and_the_miners_are_the_same() -> None:
    assert list(MINING) == list(MINERS)


@settings(max_examples=40, deadline=None)
@given(**BATCHES)
def test_all_gives_every_triplet_once(labels: list[int], past: list[int], seed: int) -> None:
    assert sorted(mined("all", found_of(labels, past, seed))) == every(labels, past)


@settings(max_examples=40, deadline=None)
@given(**BATCHES)
def test_hard_gives_the_farthest_mate_and_the_nearest_stranger(labels: list[int], past: list[int], seed: int) -> None:
    found = found_of(labels, past, seed)
    scores = found.scores.tolist()
    expected = []
    for a in range(len(labels)):
        own = [(p, n) for anchor, p, n in every(labels, past) if anchor == a]
        if own:
            expected.append(
                (a, min(own, key=lambda pn: scores[a][pn[0]])[0], max(own, key=lambda pn: scores[a][pn[1]])[1])
            )
    assert mined("hard", found) == expected


@settings(max_examples=40, deadline=None)
@given(**BATCHES)
def test_semi_hard_gives_the_nearest_stranger_beyond_each_mate(labels: list[int], past: list[int], seed: int) -> None:
    found = found_of(labels, past, seed)
    scores = found.scores.tolist()
    nearest: dict[tuple[int, int], int] = {}
    for a, p, n in every(labels, past):
        if scores[a][n] < scores[a][p] and ((a, p) not in nearest or scores[a][n] > scores[a][nearest[a, p]]):
            nearest[a, p] = n
    assert sorted(mined("semi-hard", found)) == sorted((a, p, n) for (a, p), n in nearest.items())


@settings(max_examples=40, deadline=None)
@given(**BATCHES)
def test_distance_weighted_draws_one_stranger_for_each_mate(labels: list[int], past: list[int], seed: int) -> None:
    found = found_of(labels, past, seed)
    torch.manual_seed(seed)
    drawn = mined("distance-weighted", found)
    possible = [(a, p, n) for a, p, n in every(labels, past) if math.sqrt(2 - 2 * found.scores[a, n].item()) < FARTHEST]
    assert set(drawn) <= set(possible)
    assert [(a, p) for a, p, _ in drawn] == sorted({(a, p) for a, p, _ in possible})


@pytest.mark.parametrize("dim", [2, 3, 5, 128])
def test_distance_weights_are_the_inverse_of_the_density_of_distances(dim: int) -> None:
    labels = [0, 0, 1, 1, 2, 2]
    found = candidates(at_random(6, seed=4, dim=dim), torch.tensor(labels))
    found = Candidates(found.scores * 0.3 + 0.2, found.positive, found.negative, dim)
    weights = distance_weights(found)
    for a in range(6):
        inverse = []
        for j in range(6):
            apart = math.sqrt(2 - 2 * found.scores[a, j].item())
            near = min(max(apart, NEAREST), FARTHEST)
            density = near ** (dim - 2) * (1 - near**2 / 4) ** ((dim - 3) / 2)
            inverse.append(1 / density if labels[j] != labels[a] and apart < FARTHEST else 0.0)
        assert sum(inverse) > 0
        assert weights[a].tolist() == pytest.approx([value / sum(inverse) for value in inverse], abs=1e-12)


def test_strangers_are_drawn_as_often_as_their_weights_say() -> None:
    found = candidates(at_random(4, seed=8, dim=3), torch.tensor([0, 0, 1, 2]))
    found = Candidates(torch.full((400, 4), 0.5, dtype=torch.float64), *_tiled(found), 3)
    found.scores[:, 3] = 0.9
    torch.manual_seed(0)
    _, _, negative = distance_weighted(found)
    weights = distance_weights(found)[0]
    assert Counter(negative.tolist())[3] / 400 == pytest.approx(weights[3].item(), abs=0.06)
    assert weights[3] > weights[2] > 0


def _tiled(found: Candidates) -> tuple[Tensor, Tensor]:
    return found.positive[:1].expand(400, 4), found.negative[:1].expand(400, 4)


def test_a_far_anchor_keeps_its_strangers_beside_a_near_one() -> None:
    """Weights are scaled for each anchor: 2^100 times smaller ones than those of another anchor still count."""
    scores = torch.tensor([[1.0, 0.9, 0.875, 0.875], [0.9, 1.0, 0.03, 0.03]])
    positive = torch.tensor([[False, True, False, False], [True, False, False, False]])
    found = Candidates(scores, positive, torch.tensor([[False, False, True, True]] * 2), 512)
    assert distance_weights(found)[:, 2:].tolist() == [[0.5, 0.5], [0.5, 0.5]]


def test_distances_of_known_angles() -> None:
    scores = torch.tensor([1.0, 0.5, 0.0, -1.0], dtype=torch.float64)
    assert distances(scores, "squared").tolist() == pytest.approx([0.0, 1.0, 2.0, 4.0])
    assert distances(scores, "l2").tolist() == pytest.approx([0.0, 1.0, math.sqrt(2), 2.0], abs=2e-6)
    assert distances(scores, "cosine").tolist() == pytest.approx([0.0, 0.5, 1.0, 2.0])


# -- past batches --------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(size=st.integers(1, 9), batches=st.lists(st.integers(0, 12), max_size=6))
def test_a_memory_holds_the_last_items(size: int, batches: list[int]) -> None:
    memory = CrossBatchMemory(size, 3)
    vectors = at_random(sum(batches), dim=3).float()
    seen = 0
    for count in batches:
        memory.remember(vectors[seen : seen + count], torch.arange(seen, seen + count))
        seen += count
        recalled = memory.recall()
        if not seen:
            assert recalled is None
            continue
        assert recalled is not None
        assert sorted(recalled[1].tolist()) == list(range(max(0, seen - size), seen))
        assert torch.equal(recalled[0], vectors[recalled[1]])


def test_a_memory_comes_back_from_its_state_and_keeps_no_gradient() -> None:
    memory, other = CrossBatchMemory(5, 3), CrossBatchMemory(5, 3)
    assert memory.recall() is None
    vectors = at_random(7, dim=3).float().requires_grad_()
    memory.remember(vectors[:4], torch.arange(4))
    other.load_state_dict(memory.state_dict())
    for both in (memory, other):
        both.remember(vectors[4:], torch.arange(4, 7))
    recalled, again = memory.recall(), other.recall()
    assert recalled is not None and again is not None
    assert not recalled[0].requires_grad
    assert torch.equal(recalled[0], again[0]) and torch.equal(recalled[1], again[1])


def test_a_memory_needs_room() -> None:
    with pytest.raises(UsageError, match="at least 1, not 0"):
        CrossBatchMemory(0, 3)
