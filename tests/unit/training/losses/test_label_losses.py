"""Every loss of labels against plain loops over embeddings at known angles, with and without past batches.

Also its gradients where formulas break, and what it gives for batches that lack something."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import combinations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from simsearch.training.losses.building import build_loss
from simsearch.training.losses.module import Loss
from simsearch.training.losses.table import LOSSES, losses_for

DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
ANGLES = (0.0, 20.0, 60.0, 90.0, 120.0, 180.0, 200.0, 345.0)
LABELS = [0, 0, 1, 1, 2, 0, 2, 3]
CLASSES = 5


def tolerance(dtype: torch.dtype) -> float:
    return 1e-4 if dtype == torch.float32 else 1e-9


def at_angles(dtype: torch.dtype) -> Tensor:
    """Unit vectors in the plane."""
    radians = torch.tensor([math.radians(angle) for angle in ANGLES], dtype=torch.float64)
    return torch.stack([radians.cos(), radians.sin()], dim=1).to(dtype)


def at_random(dtype: torch.dtype, seed: int = 0, n: int = 8, dim: int = 5) -> Tensor:
    drawn = torch.randn(n, dim, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return F.normalize(drawn, dim=1).to(dtype)


def past(dtype: torch.dtype, dim: int) -> tuple[Tensor, Tensor]:
    # A seed that no batch is drawn with: equal points are not at distance zero but at the floor of the losses.
    return at_random(dtype, seed=2_000, n=6, dim=dim), torch.tensor([0, 1, 1, 2, 4, 4])


# -- plain loops ---------------------------------------------------------------------------------------------------


@dataclass
class Room:
    """The items of a batch, then those of past batches, as plain numbers."""

    rows: list[list[float]]
    labels: list[int]
    batch: int

    def dot(self, i: int, j: int) -> float:
        return math.fsum(a * b for a, b in zip(self.rows[i], self.rows[j], strict=True))

    def apart(self, i: int, j: int) -> float:
        return math.dist(self.rows[i], self.rows[j])

    def mates(self, i: int) -> list[int]:
        return [j for j in range(len(self.rows)) if j != i and self.labels[j] == self.labels[i]]

    def strangers(self, i: int) -> list[int]:
        return [j for j in range(len(self.rows)) if self.labels[j] != self.labels[i]]

    def mated(self) -> list[tuple[int, int]]:
        return [(i, j) for i in range(self.batch) for j in self.mates(i)]

    def pairs(self) -> list[tuple[int, int]]:
        """Each pair within the batch once, and each item of the batch with each past one."""
        return [(i, j) for i, j in combinations(range(len(self.rows)), 2) if i < self.batch]


def mean(values: list[float]) -> float:
    return math.fsum(values) / len(values) if values else 0.0


def mean_over_pairs(of_pair: Callable[[Room, int, int], float]) -> Callable[[Room], float]:
    return lambda room: mean([of_pair(room, i, j) for i, j in room.pairs()])


def naive_contrastive(room: Room, i: int, j: int) -> float:
    apart = room.apart(i, j)
    return apart**2 if room.labels[i] == room.labels[j] else max(0.0, 0.8 - apart) ** 2


def naive_dot(room: Room, i: int, j: int) -> float:
    return (room.dot(i, j) - (room.labels[i] == room.labels[j])) ** 2


def naive_bce(room: Room, i: int, j: int) -> float:
    probability = 1 / (1 + math.exp(-5.0 * (room.dot(i, j) - 0.5)))
    return -math.log(probability if room.labels[i] == room.labels[j] else 1 - probability)


def naive_triplet(kind: str, margin: float | None) -> Callable[[Room], float]:
    def measured(room: Room, i: int, j: int) -> float:
        return {"l2": room.apart(i, j), "squared": room.apart(i, j) ** 2, "cosine": 1 - room.dot(i, j)}[kind]

    def loss(room: Room) -> float:
        excess = [measured(room, a, p) - measured(room, a, n) for a, p in room.mated() for n in room.strangers(a)]
        if margin is None:
            return mean([math.log(1 + math.exp(value)) for value in excess])
        return mean([value + margin for value in excess if value + margin > 0])

    return loss


def naive_supervised(room: Room) -> float:
    per_anchor = []
    for i in range(room.batch):
        total = sum(math.exp(room.dot(i, j) / 0.2) for j in range(len(room.rows)) if j != i)
        shares = [math.log(math.exp(room.dot(i, p) / 0.2) / total) for p in room.mates(i)]
        per_anchor += [-mean(shares)] if shares else []
    return mean(per_anchor)


def naive_infonce(room: Room) -> float:
    losses = []
    for a, p in room.mated():
        own = math.exp(room.dot(a, p) / 0.2)
        losses.append(-math.log(own / (own + sum(math.exp(room.dot(a, n) / 0.2) for n in room.strangers(a)))))
    return mean(losses)


def naive_lifted(room: Room) -> float:
    losses = []
    for i, j in room.mated():
        ends = [i, j] if j < room.batch else [i]
        total = sum(math.exp(0.9 - room.apart(end, k)) for end in ends for k in room.strangers(end))
        losses.append(max(0.0, math.log(total) + room.apart(i, j)) ** 2 / 2 if total else 0.0)
    return mean(losses)


def naive_multi_similarity(room: Room) -> float:
    losses = []
    for i in range(room.batch):
        mates = sum(math.exp(-2 * (room.dot(i, p) - 0.4)) for p in room.mates(i))
        strangers = sum(math.exp(10 * (room.dot(i, n) - 0.4)) for n in room.strangers(i))
        losses.append(math.log(1 + mates) / 2 + math.log(1 + strangers) / 10)
    return mean(losses)


def naive_angular(room: Room) -> float:
    square = math.tan(math.radians(36)) ** 2
    losses = []
    for a, p in room.mated():
        total = 1.0
        for n in room.strangers(a):
            far = room.dot(a, n) + room.dot(p, n)
            total += math.exp(4 * square * far - 2 * (1 + square) * room.dot(a, p))
        losses.append(math.log(total))
    return mean(losses) if any(room.strangers(a) for a in range(room.batch)) else 0.0


@dataclass(frozen=True)
class Case:
    """A loss of the batch alone with settings that are not its own, and what it must give."""

    name: str
    naive: Callable[[Room], float]
    settings: dict[str, object] = field(default_factory=dict)

    def build(self, dim: int, dtype: torch.dtype) -> Loss:
        return build_loss(self.name, dim=dim, classes=CLASSES, **self.settings).to(dtype)  # type: ignore[arg-type]


CASES = {
    "contrastive": Case("contrastive", mean_over_pairs(naive_contrastive), {"margin": 0.8}),
    "dot": Case("dot", mean_over_pairs(naive_dot)),
    "bce": Case("bce", mean_over_pairs(naive_bce), {"scale": 5.0}),
    "triplet l2": Case("triplet", naive_triplet("l2", 0.3), {"distance": "l2", "margin": 0.3}),
    "triplet squared": Case("triplet", naive_triplet("squared", 0.2)),
    "triplet cosine": Case("triplet", naive_triplet("cosine", 0.5), {"distance": "cosine", "margin": 0.5}),
    "triplet soft": Case("triplet", naive_triplet("l2", None), {"distance": "l2", "margin": "soft"}),
    "supervised-contrastive": Case("supervised-contrastive", naive_supervised, {"temperature": 0.2}),
    "infonce": Case("infonce", naive_infonce, {"temperature": 0.2}),
    "lifted": Case("lifted", naive_lifted, {"margin": 0.9}),
    "multi-similarity": Case("multi-similarity", naive_multi_similarity, {"margin": 0.4, "scale": 10.0}),
    "angular": Case("angular", naive_angular, {"margin": 36.0}),
}
ALL_CASES = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def room_of(embeddings: Tensor, labels: list[int], memory: tuple[Tensor, Tensor] | None) -> Room:
    rows: list[list[float]] = embeddings.double().tolist()
    if memory is None:
        return Room(rows, labels, len(labels))
    return Room(rows + memory[0].double().tolist(), labels + memory[1].tolist(), len(labels))


def test_every_loss_of_labels_has_a_loop() -> None:
    with_classes = {name for name in losses_for("classes") if LOSSES[name].takes == ("classes",)}
    assert {case.name for case in CASES.values()} == set(losses_for("classes")) - with_classes
    assert with_classes == {"classifier", "arcface", "proxy-anchor"}
    assert {case.name for case in CASES.values()} == set(losses_for("unlabelled"))
    assert {case.name for case in CASES.values()} == {name for name in LOSSES if LOSSES[name].remembers}


@DTYPES
@ALL_CASES
@pytest.mark.parametrize("make", [at_angles, at_random])
@pytest.mark.parametrize("remembering", [False, True], ids=["alone", "with past batches"])
def test_loss_equals_plain_loops(
    case: Case, dtype: torch.dtype, make: Callable[[torch.dtype], Tensor], remembering: bool
) -> None:
    embeddings = make(dtype)
    memory = past(dtype, embeddings.shape[1]) if remembering else None
    loss = case.build(embeddings.shape[1], dtype).of_labels(embeddings, torch.tensor(LABELS), memory)
    assert loss.dtype == dtype
    assert loss.item() == pytest.approx(case.naive(room_of(embeddings, LABELS, memory)), abs=tolerance(dtype))


@ALL_CASES
@settings(max_examples=12, deadline=None)
@given(labels=st.lists(st.integers(0, 3), min_size=2, max_size=9), seed=st.integers(0, 1000), remembering=st.booleans())
def test_loss_equals_plain_loops_for_any_labels(case: Case, labels: list[int], seed: int, remembering: bool) -> None:
    embeddings = at_random(torch.float64, seed, n=len(labels))
    memory = past(torch.float64, 5) if remembering else None
    loss = case.build(5, torch.float64).of_labels(embeddings, torch.tensor(labels), memory)
    assert loss.item() == pytest.approx(case.naive(room_of(embeddings, labels, memory)), abs=1e-9)


# -- losses with parameters a class --------------------------------------------------------------------------------


def directions_of(loss: Loss) -> list[list[float]]:
    (parameter,) = loss.parameters()
    rows: list[list[float]] = F.normalize(parameter.detach().double(), dim=1).tolist()
    return rows


def cosines_to(loss: Loss, embeddings: Tensor) -> list[list[float]]:
    directions = directions_of(loss)
    return [
        [math.fsum(a * b for a, b in zip(row, direction, strict=True)) for direction in directions]
        for row in embeddings.double().tolist()
    ]


def naive_softmax(logits: list[float], label: int) -> float:
    return -math.log(math.exp(logits[label]) / sum(map(math.exp, logits)))


@DTYPES
@pytest.mark.parametrize("make", [at_angles, at_random])
def test_classifier_equals_plain_loops(dtype: torch.dtype, make: Callable[[torch.dtype], Tensor]) -> None:
    embeddings = make(dtype)
    loss = build_loss("classifier", dim=embeddings.shape[1], classes=CLASSES, scale=6.0).to(dtype)
    cosines = cosines_to(loss, embeddings)
    expected = mean([naive_softmax([6.0 * c for c in row], LABELS[i]) for i, row in enumerate(cosines)])
    assert loss.of_labels(embeddings, torch.tensor(LABELS)).item() == pytest.approx(expected, abs=tolerance(dtype))


@DTYPES
@pytest.mark.parametrize("make", [at_angles, at_random])
@pytest.mark.parametrize("degrees", [10.0, 28.6, 90.0])
def test_arcface_equals_plain_loops(dtype: torch.dtype, make: Callable[[torch.dtype], Tensor], degrees: float) -> None:
    embeddings = make(dtype)
    torch.manual_seed(2)
    loss = build_loss("arcface", dim=embeddings.shape[1], classes=CLASSES, margin=degrees, scale=6.0).to(dtype)
    losses, margin = [], math.radians(degrees)
    for label, row in zip(LABELS, cosines_to(loss, embeddings), strict=True):
        angle = math.acos(row[label])
        passed = angle + margin > math.pi
        row[label] = row[label] - margin * math.sin(margin) if passed else math.cos(angle + margin)
        losses.append(naive_softmax([6.0 * cosine for cosine in row], label))
    assert loss.of_labels(embeddings, torch.tensor(LABELS)).item() == pytest.approx(mean(losses), abs=tolerance(dtype))


@DTYPES
@pytest.mark.parametrize("make", [at_angles, at_random])
def test_proxy_anchor_equals_plain_loops(dtype: torch.dtype, make: Callable[[torch.dtype], Tensor]) -> None:
    embeddings = make(dtype)
    loss = build_loss("proxy-anchor", dim=embeddings.shape[1], classes=CLASSES, margin=0.2, scale=6.0).to(dtype)
    cosines = cosines_to(loss, embeddings)
    drawn, pushed = 0.0, 0.0
    for proxy in range(CLASSES):
        own = [row[proxy] for row, label in zip(cosines, LABELS, strict=True) if label == proxy]
        others = [row[proxy] for row, label in zip(cosines, LABELS, strict=True) if label != proxy]
        drawn += math.log(1 + sum(math.exp(-6.0 * (cosine - 0.2)) for cosine in own))
        pushed += math.log(1 + sum(math.exp(6.0 * (cosine + 0.2)) for cosine in others))
    expected = drawn / len(set(LABELS)) + pushed / CLASSES
    assert loss.of_labels(embeddings, torch.tensor(LABELS)).item() == pytest.approx(expected, abs=tolerance(dtype))


def test_arcface_without_an_angle_is_the_classifier() -> None:
    embeddings, labels = at_random(torch.float64), torch.tensor(LABELS)
    arcface = build_loss("arcface", dim=5, classes=CLASSES, margin=1e-9, scale=8.0).double()
    classifier = build_loss("classifier", dim=5, classes=CLASSES, scale=8.0).double()
    classifier.load_state_dict(arcface.state_dict())
    both = [loss.of_labels(embeddings, labels).item() for loss in (arcface, classifier)]
    assert both[0] == pytest.approx(both[1], abs=1e-6)


# -- gradients and batches that lack something ---------------------------------------------------------------------

EVERY = pytest.mark.parametrize("name", losses_for("classes"))
AWKWARD = {
    "identical": [[1.0, 2.0], [1.0, 2.0], [1.0, 2.0], [1.0, 2.0]],
    "zero": [[0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]],
    "opposite": [[3.0, 1.0], [-3.0, -1.0], [3.0, 1.0], [-3.0, -1.0]],
    "zero beside others": [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 0.0]],
}
BATCHES = {"some of each": [0, 0, 1, 2], "no mates": [0, 1, 2, 3], "one class": [1, 1, 1, 1], "two pairs": [0, 0, 1, 1]}


def value_and_gradient(loss: Loss, raw: Tensor, labels: Tensor, memory: tuple[Tensor, Tensor] | None = None) -> Tensor:
    """The loss of the rows as unit vectors, checked to be finite and to have a finite gradient."""
    raw = raw.clone().requires_grad_()
    value = loss.of_labels(F.normalize(raw, dim=1, eps=1e-6), labels, memory)
    value.backward()  # type: ignore[no-untyped-call]
    assert math.isfinite(value.item())
    assert raw.grad is not None and torch.isfinite(raw.grad).all()
    assert all(torch.isfinite(own.grad).all() for own in loss.parameters() if own.grad is not None)
    return torch.cat([value.detach()[None], raw.grad.flatten()])


@DTYPES
@EVERY
@pytest.mark.parametrize("rows", AWKWARD.values(), ids=AWKWARD)
def test_gradient_is_finite_at_awkward_points(dtype: torch.dtype, name: str, rows: list[list[float]]) -> None:
    for labels in BATCHES.values():
        loss = build_loss(name, dim=2, classes=4).to(dtype)
        value_and_gradient(loss, torch.tensor(rows, dtype=dtype), torch.tensor(labels))
        if LOSSES[name].remembers:
            memory = (F.normalize(torch.tensor(rows, dtype=dtype), dim=1), torch.tensor(labels))
            value_and_gradient(loss, torch.tensor(rows, dtype=dtype), torch.tensor(labels), memory)


@pytest.mark.parametrize("name", ["classifier", "arcface"])
def test_gradient_is_finite_on_a_direction_itself(name: str) -> None:
    """There the slope of the angle is infinite."""
    loss = build_loss(name, dim=3, classes=2)
    (directions,) = loss.parameters()
    with torch.no_grad():
        directions.copy_(torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]))
    value_and_gradient(loss, torch.tensor([[1.0, 0.0, 0.0], [0.0, -1.0, 0.0]]), torch.tensor([0, 1]))


WITHOUT_MATES = [name for name in losses_for("unlabelled") if "pairs" not in LOSSES[name].takes]


@pytest.mark.parametrize("name", [name for name in WITHOUT_MATES if name != "multi-similarity"])
@pytest.mark.parametrize("labels", [[0, 1, 2], [1]])
def test_without_mates_there_is_nothing_to_learn(name: str, labels: list[int]) -> None:
    loss = build_loss(name, dim=5, classes=3)
    assert (value_and_gradient(loss, at_random(torch.float32, n=len(labels)), torch.tensor(labels)) == 0).all()


@pytest.mark.parametrize(
    "name", [name for name in WITHOUT_MATES if name not in ("multi-similarity", "supervised-contrastive")]
)
def test_without_strangers_there_is_nothing_to_learn(name: str) -> None:
    loss = build_loss(name, dim=5, classes=3)
    assert (value_and_gradient(loss, at_random(torch.float32, n=3), torch.tensor([1, 1, 1])) == 0).all()


@pytest.mark.parametrize("name", losses_for("unlabelled"))
def test_a_batch_of_one_has_no_loss(name: str) -> None:
    loss = build_loss(name, dim=5, classes=1)
    assert (value_and_gradient(loss, at_random(torch.float32, n=1), torch.tensor([0])) == 0).all()


@pytest.mark.parametrize(
    ("name", "remembering"),
    [(name, remembering) for name in losses_for("classes") for remembering in {False, LOSSES[name].remembers}],
)
def test_gradient_is_that_of_finite_differences(name: str, remembering: bool) -> None:
    torch.manual_seed(0)
    loss = build_loss(name, dim=3, classes=3).double()
    memory = past(torch.float64, 3) if remembering else None
    raw = at_random(torch.float64, seed=3, n=6, dim=3).requires_grad_()
    labels = torch.tensor([0, 0, 1, 1, 2, 2])
    formula = lambda rows: loss.of_labels(F.normalize(rows, dim=1), labels, memory)  # noqa: E731
    assert torch.autograd.gradcheck(formula, (raw,), atol=1e-5)


@EVERY
@settings(max_examples=8, deadline=None)
@given(order=st.permutations(range(8)), names=st.permutations(range(4)))
def test_neither_the_order_of_a_batch_nor_the_names_of_its_classes_matter(
    name: str, order: list[int], names: list[int]
) -> None:
    embeddings, labels = at_random(torch.float64), torch.tensor(LABELS)
    loss = build_loss(name, dim=5, classes=4).double()
    before = loss.of_labels(embeddings, labels).item()
    assert loss.of_labels(embeddings[order], labels[order]).item() == pytest.approx(before, abs=1e-9)
    if LOSSES[name].takes != ("classes",):
        renamed = torch.tensor(names)[labels]
        assert loss.of_labels(embeddings, renamed).item() == pytest.approx(before, abs=1e-9)


@pytest.mark.parametrize("name", sorted({case.name for case in CASES.values()}))
def test_an_empty_memory_changes_nothing_and_a_filled_one_does(name: str) -> None:
    embeddings, labels = at_random(torch.float64), torch.tensor(LABELS)
    loss = build_loss(name, dim=5, classes=4).double()
    alone = loss.of_labels(embeddings, labels).item()
    nothing = (torch.zeros(0, 5, dtype=torch.float64), torch.zeros(0, dtype=torch.int64))
    assert loss.of_labels(embeddings, labels, nothing).item() == pytest.approx(alone, abs=1e-12)
    vectors, names = past(torch.float32, 5)
    assert loss.of_labels(embeddings, labels, (vectors, names)).item() != pytest.approx(alone, abs=1e-6)


@EVERY
def test_mixed_precision_around_a_loss_does_not_reach_it(name: str) -> None:
    embeddings, labels = at_random(torch.bfloat16, n=8), torch.tensor(LABELS)
    loss = build_loss(name, dim=5, classes=4)
    expected = loss.of_labels(embeddings.float(), labels)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = loss.of_labels(embeddings, labels)
    assert value.dtype == torch.float32
    assert value.item() == expected.item()
