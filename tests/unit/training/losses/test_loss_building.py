"""Losses by name: the table, settings, refusals, and losses of pairs, grades and triplets."""

from __future__ import annotations

import math
import subprocess
import sys
from itertools import combinations, product
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from simsearch.errors import MissingExtraError, UsageError
from simsearch.labelled.material import KINDS, Kind
from simsearch.training.losses.building import BUILDERS, build_loss
from simsearch.training.losses.functional import contrastive
from simsearch.training.losses.mining import MINING, candidates
from simsearch.training.losses.module import Loss
from simsearch.training.losses.table import (
    LOSSES,
    MINERS,
    default_loss,
    loss_rows,
    losses_for,
    miner_rows,
    require_kind,
)

DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
SCORES = [math.cos(math.radians(angle)) for angle in (0, 15, 60, 60, 90, 130, 180)]
SAME = [1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0]
GRADES = [1.0, 0.8, 0.8, 0.4, 0.25, 0.0, 0.4]


def tolerance(dtype: torch.dtype) -> float:
    return 1e-5 if dtype == torch.float32 else 1e-9


def at_random(seed: int, n: int = 6, dim: int = 4) -> Tensor:
    drawn = torch.randn(n, dim, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return F.normalize(drawn, dim=1)


def built(name: str, classes: int = 3, **given: object) -> Loss:
    return build_loss(name, dim=4, classes=classes, **given).double()  # type: ignore[arg-type]


# -- the table -----------------------------------------------------------------------------------------------------


def test_every_loss_of_the_table_can_be_built_with_its_own_settings() -> None:
    assert list(LOSSES) == [entry.name for entry in LOSSES.values()]
    assert set(BUILDERS) == set(LOSSES)
    for name, entry in LOSSES.items():
        loss = built(name)
        assert bool([own for own in loss.parameters() if own.requires_grad]) == entry.learns
        assert set(entry.takes) <= set(KINDS)
        assert ("classes" in entry.takes) >= ("unlabelled" in entry.takes) >= entry.remembers


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_data_has_one_recommended_loss(kind: Kind) -> None:
    (recommended,) = (entry for entry in LOSSES.values() if kind in entry.recommended)
    assert kind in recommended.takes
    assert default_loss(kind) == losses_for(kind)[0] == recommended.name
    assert set(losses_for(kind)) == {name for name, entry in LOSSES.items() if kind in entry.takes}


def test_the_listing_says_all_that_a_choice_needs() -> None:
    head, *rows = loss_rows()
    assert [row[0] for row in rows] == list(LOSSES)
    assert {len(row) for row in rows} == {len(head)} == {4}
    triplet = dict(zip(head, rows[list(LOSSES).index("triplet")], strict=True))
    assert triplet["settings"] == "margin 0.2, distance squared"
    assert triplet["definition"].endswith("(Schroff et al. 2015)")
    for (_, kinds, _, _), entry in zip(rows, LOSSES.values(), strict=True):
        assert kinds.count("*") == len(entry.recommended)
        assert kinds.replace("*", "").split(", ") == list(entry.takes)
    assert [row[0] for row in miner_rows()[1:]] == list(MINERS)


def test_the_table_is_read_without_torch() -> None:
    code = "import sys; from simsearch.training.losses.table import LOSSES; print(len(LOSSES), 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(len(LOSSES)), "False"]


# -- refusals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "kind"), list(product(LOSSES, KINDS)))
def test_a_loss_takes_what_the_table_says_and_refuses_the_rest(name: str, kind: Kind) -> None:
    loss = built(name)
    embeddings, scores = at_random(0), torch.tensor([0.5, 0.1], dtype=torch.float64)
    calls = {
        "classes": lambda: loss.of_labels(embeddings, torch.tensor([0, 0, 1, 1, 2, 2])),
        "unlabelled": lambda: loss.of_labels(embeddings, torch.tensor([0, 1, 2, 0, 1, 2])),
        "pairs": lambda: loss.of_pairs(scores, torch.tensor([True, False])),
        "graded": lambda: loss.of_graded(scores, torch.tensor([0.2, 0.7])),
        "triplets": lambda: loss.of_triplets(*embeddings.split(2)),
    }
    if kind in LOSSES[name].takes:
        assert math.isfinite(calls[kind]().item())
    elif kind != "unlabelled" or "classes" not in LOSSES[name].takes:
        able = "classes" if kind == "unlabelled" else kind
        with pytest.raises(UsageError) as refusal:
            calls[kind]()
        assert str(refusal.value) == (
            f"Loss {name!r} does not learn from {able}; those that do: {', '.join(losses_for(able))}"
        )
    else:
        with pytest.raises(UsageError, match=f"does not learn from unlabelled; those that do: {default_loss(kind)}"):
            require_kind(name, kind)


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("contrastiv", {}, "No loss 'contrastiv'; there are classifier, arcface"),
        ("dot", {"margin": 0.1}, "Loss 'dot' has no margin; those that have one: arcface, "),
        ("triplet", {"temperature": 0.1}, "Loss 'triplet' has no temperature; those that have one: supervised"),
        ("cosine", {"scale": 2.0}, "Loss 'cosine' has no scale; those that have one: classifier, "),
        ("contrastive", {"margin": "soft"}, "margin must be a number for loss 'contrastive', not 'soft'; triplet"),
        ("triplet", {"margin": "hard"}, "margin must be a number for loss 'triplet', not 'hard'; triplet takes 'soft'"),
        ("triplet", {"margin": 0.0}, "margin must be above 0, not 0"),
        ("triplet", {"margin": math.nan}, "margin must be above 0, not nan"),
        ("infonce", {"temperature": -1.0}, "temperature must be above 0, not -1"),
        ("angular", {"margin": 90.0}, "margin must be above 0 and below 90 degrees, not 90"),
        ("arcface", {"margin": 181.0}, "margin must be above 0 and below 180 degrees, not 181"),
        ("triplet", {"distance": "l1"}, "No distance 'l1'; there are l2, squared, cosine"),
        ("contrastive", {"distance": "l2"}, "Loss 'contrastive' has no choice of distance; triplet has"),
        ("triplet", {"miner": "easy"}, "No miner 'easy'; there are all, hard, semi-hard, distance-weighted"),
        ("classifier", {"miner": "hard"}, "Loss 'classifier' takes no miner; those that do: triplet, contrastive"),
        ("arcface", {"classes": 0}, "Loss 'arcface' has a proxy for each class and needs classes; there are 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(name: str, given: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as refusal:
        built(name, **given)  # type: ignore[arg-type]
    assert str(refusal.value).startswith(message)


def test_a_loss_with_a_direction_a_class_compares_with_no_past_batches() -> None:
    with pytest.raises(UsageError, match="'classifier' takes no cross-batch memory; those that do: supervised-con"):
        built("classifier").of_labels(at_random(0), torch.arange(6) % 3, (at_random(1), torch.arange(6)))


@pytest.mark.parametrize("name", ["proxy-anchor", "multi-similarity", "angular"])
def test_without_pytorch_metric_learning_the_extra_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pytorch_metric_learning", None)
    with pytest.raises(MissingExtraError, match=r"simsearch\[train\]"):
        built(name)
    built("triplet")


# -- pairs and grades ----------------------------------------------------------------------------------------------


def naive_cosent(scores: list[float], grades: list[float], scale: float) -> float:
    total = 1.0
    for i, j in product(range(len(scores)), repeat=2):
        if grades[j] > grades[i]:
            total += math.exp(scale * (scores[i] - scores[j]))
    return math.log(total)


def naive_bce(scores: list[float], truth: list[float], scale: float) -> float:
    total = 0.0
    for score, grade in zip(scores, truth, strict=True):
        probability = 1 / (1 + math.exp(-scale * (score - 0.5)))
        total -= grade * math.log(probability) + (1 - grade) * math.log(1 - probability)
    return total / len(scores)


@DTYPES
@pytest.mark.parametrize("scale", [2.0, 20.0])
def test_cosent_equals_a_loop_over_all_orders(dtype: torch.dtype, scale: float) -> None:
    loss, scores = built("cosent", scale=scale), torch.tensor(SCORES, dtype=dtype)
    value = loss.of_graded(scores, torch.tensor(GRADES, dtype=torch.float64))
    assert value.dtype == dtype
    assert value.item() == pytest.approx(naive_cosent(scores.tolist(), GRADES, scale), abs=10 * tolerance(dtype))
    value = loss.of_pairs(scores, torch.tensor(SAME))
    assert value.item() == pytest.approx(naive_cosent(scores.tolist(), SAME, scale), abs=10 * tolerance(dtype))


@DTYPES
def test_losses_of_scores_equal_loops(dtype: torch.dtype) -> None:
    scores = torch.tensor(SCORES, dtype=dtype)
    for truth in (SAME, GRADES):
        expected = naive_bce(scores.tolist(), truth, 4.0)
        loss = built("bce", scale=4.0).to(dtype)
        value = (loss.of_pairs if truth is SAME else loss.of_graded)(scores, torch.tensor(truth, dtype=torch.float64))
        assert value.item() == pytest.approx(expected, abs=tolerance(dtype))
    squared = [(score - grade) ** 2 for score, grade in zip(scores.tolist(), GRADES, strict=True)]
    value = built("cosine").of_graded(scores, torch.tensor(GRADES, dtype=torch.float64))
    assert value.item() == pytest.approx(sum(squared) / len(squared), abs=tolerance(dtype))


@settings(max_examples=30, deadline=None)
@given(rows=st.lists(st.tuples(st.floats(-1, 1), st.floats(0, 1)), min_size=1, max_size=8))
def test_losses_of_grades_equal_loops_for_any_grades(rows: list[tuple[float, float]]) -> None:
    scores, grades = (list(column) for column in zip(*rows, strict=True))
    given_scores, given_grades = (torch.tensor(column, dtype=torch.float64) for column in (scores, grades))
    cosent = built("cosent").of_graded(given_scores, given_grades).item()
    assert cosent == pytest.approx(naive_cosent(scores, grades, 20.0), abs=1e-9)
    bce = built("bce").of_graded(given_scores, given_grades).item()
    assert bce == pytest.approx(naive_bce(scores, grades, 8.0), abs=1e-9)


@pytest.mark.parametrize("name", losses_for("graded"))
def test_gradients_of_grades_are_those_of_finite_differences(name: str) -> None:
    loss = built(name)
    scores = torch.tensor([0.5, 0.5, 0.5, -0.3, 0.9], dtype=torch.float64, requires_grad=True)
    grades = torch.tensor([0.0, 0.5, 0.5, 0.7, 1.0], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda values: loss.of_graded(values, grades), (scores,))


@pytest.mark.parametrize("name", losses_for("pairs"))
@pytest.mark.parametrize("same", [[1.0, 1.0, 1.0], [0.0, 0.0, 0.0], [1.0, 0.0, 1.0], []])
def test_pairs_of_one_kind_or_of_identical_points_have_a_finite_gradient(name: str, same: list[float]) -> None:
    scores = torch.ones(len(same), requires_grad=True)
    loss = build_loss(name, dim=4, classes=0)
    value = loss.of_pairs(scores, torch.tensor(same))
    value.backward()  # type: ignore[no-untyped-call]
    assert math.isfinite(value.item())
    assert scores.grad is not None and torch.isfinite(scores.grad).all()
    assert same or value.item() == 0.0


def test_the_scale_of_bce_is_learned_unless_it_is_given() -> None:
    scores, same = torch.tensor([0.9, 0.2]), torch.tensor([1.0, 0.0])
    for scale, learned in ((None, True), (8.0, False)):
        loss = build_loss("bce", dim=4, classes=0, scale=scale)
        before = loss.of_pairs(scores, same)
        learning = [own for own in loss.parameters() if own.requires_grad]
        assert bool(learning) == learned
        if learned:
            before.backward()  # type: ignore[no-untyped-call]
            torch.optim.SGD(learning, 0.5).step()
        assert (loss.of_pairs(scores, same) < before).item() == learned


# -- triplets ------------------------------------------------------------------------------------------------------


def naive_of_triplets(name: str, given: dict[str, object], rows: list[list[list[float]]]) -> float:
    dot = lambda a, b: math.fsum(x * y for x, y in zip(a, b, strict=True))  # noqa: E731
    losses = []
    for number, (a, p, n) in enumerate(zip(*rows, strict=True)):
        if name == "angular":
            square = math.tan(math.radians(45)) ** 2
            losses.append(math.log(1 + math.exp(4 * square * (dot(a, n) + dot(p, n)) - 2 * (1 + square) * dot(a, p))))
        elif name == "infonce":
            weights = [math.exp(dot(a, other) / 0.1) for other in (*rows[1], *rows[2])]
            losses.append(-math.log(weights[number] / sum(weights)))
        else:
            kind = given.get("distance", "squared")
            near, far = (
                {"l2": math.dist(a, b), "squared": math.dist(a, b) ** 2, "cosine": 1 - dot(a, b)}[kind] for b in (p, n)
            )
            soft = given.get("margin") == "soft"
            losses.append(math.log(1 + math.exp(near - far)) if soft else max(0.0, near - far + 0.2))
    if name == "triplet" and given.get("margin") != "soft":
        losses = [loss for loss in losses if loss > 0]
    return sum(losses) / max(1, len(losses))


TRIPLETS: list[tuple[str, dict[str, object]]] = [
    ("infonce", {}),
    ("angular", {}),
    ("triplet", {}),
    ("triplet", {"distance": "l2"}),
    ("triplet", {"distance": "cosine"}),
    ("triplet", {"margin": "soft", "distance": "l2"}),
]


@pytest.mark.parametrize(("name", "given_settings"), TRIPLETS)
@settings(max_examples=15, deadline=None)
@given(count=st.integers(1, 6), seed=st.integers(0, 1000))
def test_triplets_equal_a_loop(name: str, given_settings: dict[str, object], count: int, seed: int) -> None:
    thirds = at_random(seed, n=3 * count).split(count)
    expected = naive_of_triplets(name, given_settings, [third.tolist() for third in thirds])
    value = built(name, **given_settings).of_triplets(*thirds)  # type: ignore[arg-type]
    assert value.item() == pytest.approx(expected, abs=2e-6 if given_settings.get("distance") == "l2" else 1e-9)
    single = build_loss(name, dim=4, classes=0, **given_settings).of_triplets(*(third.float() for third in thirds))  # type: ignore[arg-type]
    assert single.item() == pytest.approx(expected, abs=1e-4)


def test_every_loss_of_triplets_has_a_loop() -> None:
    assert {name for name, _ in TRIPLETS} == set(losses_for("triplets"))


@pytest.mark.parametrize(("name", "given_settings"), TRIPLETS)
def test_gradients_of_triplets(name: str, given_settings: dict[str, object]) -> None:
    loss = built(name, **given_settings)  # type: ignore[arg-type]
    raw = at_random(5, n=6).requires_grad_()
    formula = lambda rows: loss.of_triplets(*F.normalize(rows, dim=1).split(2))  # noqa: E731
    assert torch.autograd.gradcheck(formula, (raw,), atol=1e-5)
    identical = torch.ones(6, 4, dtype=torch.float64, requires_grad=True)
    formula(identical).backward()
    assert identical.grad is not None and torch.isfinite(identical.grad).all()


# -- batches of classes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("miner", [name for name in MINERS if name != "distance-weighted"])
def test_a_miner_chooses_the_triplets_of_the_triplet_loss(miner: str) -> None:
    embeddings, labels = at_random(2, n=9), torch.arange(9) % 3
    anchor, positive, negative = MINING[miner](candidates(embeddings, labels))
    loss = built("triplet", miner=miner)
    expected = loss.of_triplets(embeddings[anchor], embeddings[positive], embeddings[negative]).item()
    assert loss.of_labels(embeddings, labels).item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("miner", list(MINERS))
def test_a_miner_chooses_the_pairs_of_a_loss_of_pairs(miner: str) -> None:
    embeddings, labels = at_random(2, n=9), torch.arange(9) % 3
    torch.manual_seed(0)
    anchor, positive, negative = MINING[miner](candidates(embeddings, labels))
    chosen = [(a, b, 1.0) for a, b in zip(anchor, positive, strict=True)]
    chosen += [(a, b, 0.0) for a, b in zip(anchor, negative, strict=True)]
    scores = torch.stack([embeddings[a] @ embeddings[b] for a, b, _ in chosen])
    expected = contrastive(scores, torch.tensor([same for *_, same in chosen], dtype=torch.float64), 0.7).item()
    torch.manual_seed(0)
    value = built("contrastive", miner=miner, margin=0.7).of_labels(embeddings, labels)
    assert value.item() == pytest.approx(expected, abs=1e-12)


def test_pairs_of_a_batch_are_thinned_to_the_share_asked_for() -> None:
    """With a share of 1 one stranger is left beside the mates, drawn by torch's global generator."""
    embeddings, labels = at_random(2, n=6), torch.arange(6) % 3
    scores = embeddings @ embeddings.T
    mates = [(scores[i, i + 3].item() - 1) ** 2 for i in range(3)]
    strangers = [scores[i, j].item() ** 2 for i, j in combinations(range(6), 2) if (j - i) % 3]
    values = set()
    for seed in range(20):
        torch.manual_seed(seed)
        total = 4 * built("dot", positive_share=1.0).of_labels(embeddings, labels).item() - sum(mates)
        assert min(abs(total - stranger) for stranger in strangers) < 1e-9
        values.add(round(total, 9))
    assert len(values) > 5


# -- the page ------------------------------------------------------------------------------------------------------


def test_the_page_on_losses_shows_the_tables() -> None:
    page = (Path(__file__).parents[4] / "docs" / "losses.md").read_text(encoding="utf-8")
    rows = [*loss_rows()[1:], *miner_rows()[1:]]
    expected = [f"| `{name}` | {' | '.join(cells)} |" for name, *cells in rows]
    assert [line for line in page.splitlines() if line.startswith("| `")] == expected
